// Package web holds the pages that Tailwater serves: a chat and a clock. Each is a small example of what a browser can do with a
// NATS subject. There is no build step, and nothing is loaded from another origin.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"path"
	"time"
)

//go:embed *.html *.css *.js *.svg
var files embed.FS

// documents are the pages with a path of their own. Every other file is served below /web/.
var documents = map[string]string{
	"chat.html":  "/",
	"clock.html": "/clock",
}

var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml; charset=utf-8",
	".json": "application/json",
}

// The pages show what other clients publish, as text only. This policy protects even a page that forgets that: no inline code, no
// other origin, no frame around the page.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

var pages = load()

// Anyone is what callers without a token may do. The chat page reads it from anyonePath, to offer nothing that would be refused. It
// grants nothing.
type Anyone[Subject ~string] struct {
	Subscribe []Subject `json:"subscribe"` // filters that may be read
	Publish   []Subject `json:"publish"`   // filters that may be published to
	Wildcards bool      `json:"wildcards"` // whether filters within Subscribe may be read
	SignIn    bool      `json:"signIn"`    // whether a cookie may allow more
}

const anyonePath = "/web/anyone.json"

// Pages returns a function that returns the handler for an exact URL path, or nil if there is no page. A handler answers GET and
// HEAD, supports ETags, and never redirects.
func Pages[Subject ~string](anyone Anyone[Subject]) func(urlPath string) http.Handler {
	anyone.Subscribe = append([]Subject{}, anyone.Subscribe...) // an empty list is [], not null
	anyone.Publish = append([]Subject{}, anyone.Publish...)
	body, err := json.Marshal(anyone)
	if err != nil {
		panic(err) // strings and flags
	}
	all := maps.Clone(pages)
	all[anyonePath] = newPage(anyonePath, body)
	return func(urlPath string) http.Handler {
		page, found := all[urlPath]
		if !found {
			return nil
		}
		return page
	}
}

func load() map[string]http.Handler {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // the files are part of the binary
	}
	all := make(map[string]http.Handler, len(entries))
	for _, entry := range entries {
		name := entry.Name()
		body, err := files.ReadFile(name)
		if err != nil {
			panic(err)
		}
		at, ok := documents[name]
		if !ok {
			at = "/web/" + name
		}
		all[at] = newPage(name, body)
	}
	return all
}

type page struct {
	body   []byte
	header http.Header
}

func newPage(name string, body []byte) *page {
	sum := sha256.Sum256(body)
	header := http.Header{}
	header.Set("Content-Type", types[path.Ext(name)])
	header.Set("Content-Security-Policy", policy)
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Content-Type-Options", "nosniff")
	// The browser asks each time, and nearly always gets 304: a page and its scripts are of two versions for at most one load.
	header.Set("Cache-Control", "no-cache")
	header.Set("ETag", `"`+hex.EncodeToString(sum[:12])+`"`)
	return &page{body: body, header: header}
}

func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	maps.Copy(w.Header(), p.header)
	// Embedded files have no time; the ETag alone decides.
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(p.body))
}
