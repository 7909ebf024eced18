package web_test

import (
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/web"
)

var served = []struct{ path, file, contentType string }{
	{"/", "chat.html", "text/html; charset=utf-8"},
	{"/clock", "clock.html", "text/html; charset=utf-8"},
	{"/client.js", "client/client.js", "text/javascript; charset=utf-8"},
	{"/web/base.css", "base.css", "text/css; charset=utf-8"},
	{"/web/chat.css", "chat.css", "text/css; charset=utf-8"},
	{"/web/clock.css", "clock.css", "text/css; charset=utf-8"},
	{"/web/chat.js", "chat.js", "text/javascript; charset=utf-8"},
	{"/web/clock.js", "clock.js", "text/javascript; charset=utf-8"},
	{"/web/log.js", "log.js", "text/javascript; charset=utf-8"},
	{"/web/offers.js", "offers.js", "text/javascript; charset=utf-8"},
	{"/web/permissions.js", "permissions.js", "text/javascript; charset=utf-8"},
	{"/web/examples.css", "examples.css", "text/css; charset=utf-8"},
	{"/web/examples.js", "examples.js", "text/javascript; charset=utf-8"},
	{"/web/content.js", "content.js", "text/javascript; charset=utf-8"},
	{"/web/copy.js", "copy.js", "text/javascript; charset=utf-8"},
	{"/web/copy.svg", "copy.svg", "image/svg+xml; charset=utf-8"},
	{"/web/dom.js", "dom.js", "text/javascript; charset=utf-8"},
	{"/web/done.svg", "done.svg", "image/svg+xml; charset=utf-8"},
	{"/web/header.css", "header.css", "text/css; charset=utf-8"},
	{"/web/hint.js", "hint.js", "text/javascript; charset=utf-8"},
	{"/web/kept.js", "kept.js", "text/javascript; charset=utf-8"},
	{"/web/message.css", "message.css", "text/css; charset=utf-8"},
	{"/web/message.js", "message.js", "text/javascript; charset=utf-8"},
	{"/web/name.js", "name.js", "text/javascript; charset=utf-8"},
	{"/web/offline.js", "offline.js", "text/javascript; charset=utf-8"},
	{"/web/older.js", "older.js", "text/javascript; charset=utf-8"},
	{"/web/outbox.js", "outbox.js", "text/javascript; charset=utf-8"},
	{"/web/rooms.js", "rooms.js", "text/javascript; charset=utf-8"},
	{"/web/who.js", "who.js", "text/javascript; charset=utf-8"},
	{"/web/words.js", "words.js", "text/javascript; charset=utf-8"},
	{"/web/writing.js", "writing.js", "text/javascript; charset=utf-8"},
	{"/inspect", "inspect.html", "text/html; charset=utf-8"},
	{"/web/inspect.css", "inspect.css", "text/css; charset=utf-8"},
	{"/web/inspect.js", "inspect.js", "text/javascript; charset=utf-8"},
	{"/web/inspect-buffer.js", "inspect-buffer.js", "text/javascript; charset=utf-8"},
	{"/web/inspect-copy.js", "inspect-copy.js", "text/javascript; charset=utf-8"},
	{"/web/inspect-graph.js", "inspect-graph.js", "text/javascript; charset=utf-8"},
	{"/web/inspect-stream.js", "inspect-stream.js", "text/javascript; charset=utf-8"},
	{"/web/inspect-words.js", "inspect-words.js", "text/javascript; charset=utf-8"},
	{"/web/language.js", "language.js", "text/javascript; charset=utf-8"},
	{"/web/inspect-table.js", "inspect-table.js", "text/javascript; charset=utf-8"},
	{"/web/icon.svg", "icon.svg", "image/svg+xml; charset=utf-8"},
	{"/web/wave.svg", "wave.svg", "image/svg+xml; charset=utf-8"},
}

var pages = web.Pages(web.Anyone[string]{Subscribe: []string{"news.>"}})

func request(t *testing.T, method, target string, header ...string) *http.Response {
	t.Helper()
	handler := pages(target)
	if handler == nil {
		t.Fatalf("no page at %s", target)
	}
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, response *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func source(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPages(t *testing.T) {
	const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
		"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	for _, page := range served {
		t.Run(page.path, func(t *testing.T) {
			response := request(t, http.MethodGet, page.path)
			if response.StatusCode != http.StatusOK {
				t.Fatalf("GET: %s", response.Status)
			}
			for name, want := range map[string]string{
				"Content-Type":               page.contentType,
				"Content-Security-Policy":    policy,
				"Cache-Control":              "no-cache",
				"Cross-Origin-Opener-Policy": "same-origin",
				"Referrer-Policy":            "no-referrer",
				"X-Content-Type-Options":     "nosniff",
			} {
				if got := response.Header.Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			if got := body(t, response); got != source(t, page.file) {
				t.Errorf("the body is not %s", page.file)
			}

			head := request(t, http.MethodHead, page.path)
			if head.StatusCode != http.StatusOK || body(t, head) != "" {
				t.Errorf("HEAD: %s, or a body", head.Status)
			}

			tag := response.Header.Get("ETag")
			again := request(t, http.MethodGet, page.path, "If-None-Match", tag)
			if again.StatusCode != http.StatusNotModified || body(t, again) != "" {
				t.Errorf("GET with %s: %s", tag, again.Status)
			}
			if again.Header.Get("Cache-Control") != "no-cache" || again.Header.Get("ETag") != tag {
				t.Errorf("304 without its validators: %v", again.Header)
			}
			other := request(t, http.MethodGet, page.path, "If-None-Match", `"another"`)
			if other.StatusCode != http.StatusOK {
				t.Errorf("GET with another tag: %s", other.Status)
			}

			for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
				refused := request(t, method, page.path)
				if refused.StatusCode != http.StatusMethodNotAllowed || refused.Header.Get("Allow") != "GET, HEAD" {
					t.Errorf("%s: %s, Allow %q", method, refused.Status, refused.Header.Get("Allow"))
				}
			}
		})
	}
}

// The pages learn what anyone may do, and no other setting.
func TestAnyone(t *testing.T) {
	response := request(t, http.MethodGet, "/web/anyone.json")
	if got, want := body(t, response), `{"subscribe":["news.\u003e"],"publish":[],"presence":[],"wildcards":false,"signIn":false,"nats":""}`; got != want {
		t.Errorf("%s instead of %s", got, want)
	}
	if got := response.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type: %q", got)
	}
	if response.Header.Get("X-Content-Type-Options") != "nosniff" || response.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("%v", response.Header)
	}
}

func TestEveryFileIsServed(t *testing.T) {
	listed := map[string]bool{"web.go": true, "web_test.go": true, "client_test.go": true, "client": true, "examples_test.go": true, "examples": true}
	for _, page := range served {
		listed[page.file] = true
	}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !listed[entry.Name()] {
			t.Errorf("%s is not in the table of this test", entry.Name())
		}
	}
}

func TestNoPage(t *testing.T) {
	for _, unknown := range []string{
		"", "//", "/chat", "/clock/", "/web", "/web/", "/web/chat.html", "/web/web.go",
		"/web/../web.go", "/favicon.ico", "/events/chat.room1", "web/chat.js",
		"/examples", "/examples/index", "/examples/index.html", "/examples/stream.html", "/web/examples/stream.html",
	} {
		if pages(unknown) != nil {
			t.Errorf("there is a page at %q", unknown)
		}
	}
}

// What the policy would block in a browser is not in the files.
func TestNothingInlineNothingForeign(t *testing.T) {
	forbidden := map[string]*regexp.Regexp{
		"HTML from a string": regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|setHTML|parseFromString|createContextualFragment`),
		"code from a string": regexp.MustCompile(`\beval\(|new Function|javascript:`),
		"another origin":     regexp.MustCompile(`(?i)\b(?:https?|wss?|ftp|data):/?/?[a-z0-9]|["'(=]\s*//`),
	}
	inMarkup := map[string]*regexp.Regexp{
		"an inline script":        regexp.MustCompile(`(?i)<script(?:\s[^>]*)?>\s*[^<\s]`),
		"a script without src":    regexp.MustCompile(`(?i)<script(?:\s+(?:type|async|defer)\b[^>\s]*)*\s*>`),
		"an inline style":         regexp.MustCompile(`(?i)<style|<[^>]*\sstyle\s*=`),
		"an inline event handler": regexp.MustCompile(`(?i)<[^>]*\son[a-z]+\s*=`),
	}
	for _, page := range served {
		text := strings.ReplaceAll(source(t, page.file), `xmlns="http://www.w3.org/2000/svg"`, "")
		for what, pattern := range forbidden {
			if found := pattern.FindString(text); found != "" {
				t.Errorf("%s: %s: %q", page.file, what, found)
			}
		}
		if ext := path.Ext(page.file); ext != ".html" && ext != ".svg" {
			continue
		}
		for what, pattern := range inMarkup {
			if found := pattern.FindString(text); found != "" {
				t.Errorf("%s: %s: %q", page.file, what, found)
			}
		}
	}
}

// Every file that a page, a script or a style sheet names exists.
func TestReferencesExist(t *testing.T) {
	references := map[string]*regexp.Regexp{
		".html": regexp.MustCompile(`\s(?:src|href)="([^"]+)"`),
		".js":   regexp.MustCompile(`\bfrom "([^"]+)"`),
		".css":  regexp.MustCompile(`(?:url\(|@import )["']?([^"')]+)`),
	}
	for _, page := range served {
		pattern := references[path.Ext(page.file)]
		if pattern == nil {
			continue
		}
		found := pattern.FindAllStringSubmatch(source(t, page.file), -1)
		if len(found) == 0 && path.Ext(page.file) == ".html" {
			t.Errorf("%s names no file at all: is the pattern right?", page.file)
		}
		for _, match := range found {
			target := match[1]
			target, _, _ = strings.Cut(target, "?")
			if !strings.HasPrefix(target, "/") {
				target = path.Join(path.Dir(page.path), target)
			}
			if pages(target) == nil {
				t.Errorf("%s names %s, which is not there", page.file, match[1])
			}
		}
	}
}

// The clock page shows the code that it runs.
func TestClockShowsItsCode(t *testing.T) {
	shown := regexp.MustCompile(`(?s)<pre[^>]*><code>(.*?)</code></pre>`).FindStringSubmatch(source(t, "clock.html"))
	if shown == nil {
		t.Fatal("clock.html shows no code")
	}
	if got, want := html.UnescapeString(shown[1]), source(t, "clock.js"); strings.TrimSpace(got) != strings.TrimSpace(want) {
		t.Errorf("clock.html shows\n%s\nbut clock.js is\n%s", got, want)
	}
}

// Every text that a page or script asks for exists in every language, and no other.
func TestWordsInEveryLanguage(t *testing.T) {
	for words, of := range map[string]*regexp.Regexp{
		"words.js":         regexp.MustCompile(`^(?:chat|clock)\.html$|\.js$`),
		"inspect-words.js": regexp.MustCompile(`^inspect\.html$|\.js$`),
	} {
		english, chinese := texts(t, words, "en"), texts(t, words, "zh")
		if len(english) < 50 || !slices.Equal(english, chinese) {
			t.Errorf("%s: English has %q, Chinese %q", words, english, chinese)
		}
		asked := map[string]bool{}
		for _, page := range served {
			isScript := strings.HasSuffix(page.file, ".js")
			if !of.MatchString(page.file) || isScript && !strings.Contains(source(t, page.file), "/"+words+`"`) {
				continue
			}
			for _, match := range regexp.MustCompile(`data-(?:say|label|inside|title)="(\w+)"|\bwords(?:\.|\[)(\w+)`).FindAllStringSubmatch(source(t, page.file), -1) {
				name := match[1] + match[2]
				asked[name] = true
				if !slices.Contains(english, name) && name != "js" && name != "verb" { // words.js and words[verb]
					t.Errorf("%s asks for the text %s, which is not in %s", page.file, name, words)
				}
			}
		}
		for _, name := range english {
			if !asked[name] && name != "came" && name != "left" { // of words[verb]
				t.Errorf("nothing asks for the text %s of %s", name, words)
			}
		}
	}
}

// texts returns the names of the texts that a file has in a language.
func texts(t *testing.T, file, language string) (found []string) {
	t.Helper()
	block := regexp.MustCompile(`(?s)\nconst ` + language + ` = \{\n(.*?)\n\};`).FindStringSubmatch(source(t, file))
	if block == nil {
		t.Fatalf("%s has no %s", file, language)
	}
	for _, match := range regexp.MustCompile(`(?m)^  (\w+):`).FindAllStringSubmatch(block[1], -1) {
		found = append(found, match[1])
	}
	return found
}
