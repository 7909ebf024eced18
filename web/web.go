// Package web holds the pages that Tailwater serves to people: a chat, a
// clock and an inspector, each a small example of what a browser can do with a NATS subject; and
// client/, a module for everybody's pages. They are embedded as they are written:
// no build step, and nothing comes from another origin.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"time"
)

//go:embed *.html *.css *.js *.svg client/client.js
var files embed.FS

// documents are the files that have a path of their own. Every other file is
// served below /web/.
var documents = map[string]string{
	"chat.html":        "/",
	"clock.html":       "/clock",
	"inspect.html":     "/inspect",
	"client/client.js": clientPath,
}

const clientPath = "/client.js"

var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml; charset=utf-8",
	".json": "application/json",
}

// The pages show what strangers publish. They do so as text only, and this
// policy holds even if one of them should forget: no inline code, no other
// origin, no frame around them.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

var pages = load()

// Anyone is what everyone may do, with no token. The chat page asks for it at
// anyonePath, so that it offers nothing that would be refused. It grants nothing.
type Anyone[Subject ~string] struct {
	Subscribe []Subject `json:"subscribe"` // what may be read
	Publish   []Subject `json:"publish"`   // what may be written
	Presence  []Subject `json:"presence"`  // whose readers are listed
	Wildcards bool      `json:"wildcards"` // whether filters may be read, within Subscribe
	SignIn    bool      `json:"signIn"`    // whether a cookie may allow more
	NATS      string    `json:"nats"`      // the nats command, with what it takes to reach the same server; empty if nothing does
}

const anyonePath = "/web/anyone.json"

// Pages returns the function that gives the handler for an exact URL path, or
// nil where there is no page. A handler answers GET and HEAD, knows its ETag,
// and never redirects.
func Pages[Subject ~string](anyone Anyone[Subject]) func(urlPath string) http.Handler {
	anyone.Subscribe = append([]Subject{}, anyone.Subscribe...) // none is [], not null
	anyone.Publish = append([]Subject{}, anyone.Publish...)
	anyone.Presence = append([]Subject{}, anyone.Presence...)
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

// Client returns the handler for /client.js, or nil for every other path. The
// client is for everybody's pages, so it is served where Tailwater's own are not.
func Client(urlPath string) http.Handler {
	if urlPath != clientPath {
		return nil
	}
	return pages[clientPath]
}

func load() map[string]http.Handler {
	all := map[string]http.Handler{}
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := files.ReadFile(name)
		at, hasPath := documents[name]
		if !hasPath {
			at = "/web/" + name
		}
		all[at] = newPage(name, body)
		return err
	})
	if err != nil {
		panic(err) // the files are part of the binary
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
	// Ask each time, answer 304 nearly always: a page and its scripts can
	// never be of two versions for longer than one load.
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
	// Embedded files carry no time; the ETag alone decides.
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(p.body))
}
