// Package web holds the pages that Tailwater serves: a chat, a clock and an inspector, and the examples below examples/. Each shows what a
// browser can do with a NATS subject. client/ is a module for the pages of others. There is no build step, and nothing is loaded from another
// origin.
//
// An example is one file that a person can read: examples/NAME.html with its script inside, served at /examples/NAME. To add one, add the file
// and a link to it in examples/index.html; copy the head and the header from a neighbour. examples.js adds the words of the connection's state
// (data-state of #state), a button to each .command that copies it, and the source of the page below it. Texts are in the page in both
// languages, as elements with lang="en" and lang="zh". examples/lib/ has the libraries of others, each with its licence.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"regexp"
	"strings"
	"sync"
	"time"
)

//go:embed *.html *.css *.js *.svg client/client.js examples/*.html examples/lib
var files embed.FS

// documents are the files with a path of their own, beside the examples. Every other file is served below /web/.
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
	".txt":  "text/plain; charset=utf-8",
}

// policy returns the Content-Security-Policy of a file. The pages show what other clients publish, as text only. The policy protects even a
// page that forgets that: no code but that of the files, no other origin, no frame around the page. A script inside a page is named by its hash.
func policy(name string, body []byte) string {
	scripts := "'self'"
	if path.Ext(name) == ".html" {
		for _, inside := range inlineScript.FindAllSubmatch(body, -1) {
			sum := sha256.Sum256(inside[1])
			scripts += " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
		}
	}
	if name == evaluates {
		scripts += " 'unsafe-eval'"
	}
	return "default-src 'none'; script-src " + scripts + "; style-src 'self'; img-src 'self'; " +
		"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// evaluates is the page whose library makes functions of attributes.
const evaluates = "examples/datastar.html"

var inlineScript = regexp.MustCompile(`(?s)<script type="module">(.+?)</script>`)

// pages are loaded when one is first asked for: most commands serve none.
var pages = sync.OnceValue(load)

// Anyone is what every caller may do, also without a token. The chat page reads it from anyonePath, to offer nothing that would be refused. It
// grants nothing.
type Anyone[Subject ~string] struct {
	Subscribe []Subject `json:"subscribe"` // filters that may be read
	Publish   []Subject `json:"publish"`   // filters that may be published to
	Presence  []Subject `json:"presence"`  // filters whose readers are listed
	Wildcards bool      `json:"wildcards"` // whether filters within Subscribe may be read
	SignIn    bool      `json:"signIn"`    // whether a cookie may allow more
	NATS      string    `json:"nats"`      // the nats command, with what it takes to reach the same server; empty if nothing does
}

const anyonePath = "/web/anyone.json"

// Pages returns a function that returns the handler for an exact URL path, or nil if there is no page. A handler answers GET and
// HEAD, supports ETags, and never redirects.
func Pages[Subject ~string](anyone Anyone[Subject]) func(urlPath string) http.Handler {
	anyone.Subscribe = append([]Subject{}, anyone.Subscribe...) // an empty list is [], not null
	anyone.Publish = append([]Subject{}, anyone.Publish...)
	anyone.Presence = append([]Subject{}, anyone.Presence...)
	body, err := json.Marshal(anyone)
	if err != nil {
		panic(err) // strings and flags
	}
	all := maps.Clone(pages())
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
	return pages()[clientPath]
}

func load() map[string]http.Handler {
	all := map[string]http.Handler{}
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := files.ReadFile(name)
		all[urlPath(name)] = newPage(name, body)
		return err
	})
	if err != nil {
		panic(err) // the files are part of the binary
	}
	return all
}

// urlPath returns where a file is served.
func urlPath(name string) string {
	if own, has := documents[name]; has {
		return own
	}
	if example, is := strings.CutSuffix(name, ".html"); is {
		return "/" + strings.TrimSuffix(example, "index") // examples/index.html is /examples/
	}
	return "/web/" + name
}

type page struct {
	body   []byte
	header http.Header
}

func newPage(name string, body []byte) *page {
	sum := sha256.Sum256(body)
	header := http.Header{}
	header.Set("Content-Type", types[path.Ext(name)])
	header.Set("Content-Security-Policy", policy(name, body))
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
