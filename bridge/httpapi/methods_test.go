package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

const methods = "GET, HEAD, POST, OPTIONS"

func TestHead(t *testing.T) {
	b := start(t, config())
	for _, target := range []string{"/events/chat.room1", "/events?subject=chat.room1&subject=time.now"} {
		a := b.do(t, http.MethodHead, target, nil)
		if a.status != http.StatusOK || a.body != "" || a.header.Get("Content-Type") != "text/event-stream" || a.header.Get("Cache-Control") != "no-store, no-transform" {
			t.Errorf("%+v", a)
		}
	}
	for target, status := range map[string]int{"/events/secret": 403, "/events/..": 400, "/nothing": 404, "/events/chat.room1?format=x": 400} {
		a := b.do(t, http.MethodHead, target, nil)
		if a.status != status || a.body != "" || a.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %+v", target, a)
		}
	}
	if stats := b.hub.Stats(); stats.Feeds != 0 {
		t.Errorf("%+v: HEAD opened a feed", stats)
	}
	if stats := b.api.Stats(); stats.Refused != 4 {
		t.Errorf("%+v", stats)
	}
}

func TestOptions(t *testing.T) {
	b := start(t, config())
	plain := b.do(t, http.MethodOptions, "/events/chat.room1", nil)
	if plain.status != http.StatusNoContent || plain.header.Get("Allow") != methods || plain.header.Get("Access-Control-Allow-Methods") != "" {
		t.Errorf("%+v", plain)
	}
	preflight := b.do(t, http.MethodOptions, "/events/chat.room1", nil, "Origin", ownOrigin,
		"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type, idempotency-key")
	if preflight.status != http.StatusNoContent || preflight.header.Get("Access-Control-Allow-Origin") != ownOrigin ||
		!strings.Contains(preflight.header.Get("Access-Control-Allow-Methods"), "POST") || preflight.header.Get("Access-Control-Max-Age") == "" {
		t.Errorf("%+v", preflight)
	}
	allowed := strings.Split(strings.ToLower(preflight.header.Get("Access-Control-Allow-Headers")), ", ")
	for _, name := range []string{"content-type", "idempotency-key", "last-event-id", "tailwater-event", "traceparent", "accept"} {
		if !strings.Contains(fmt.Sprint(allowed), name) {
			t.Errorf("a page may not send %s: %v", name, allowed)
		}
	}
	b.do(t, http.MethodOptions, "/events/chat.room1", nil, "Origin", "https://evil.com", "Access-Control-Request-Method", "POST").problem(t, http.StatusForbidden, "foreign-origin")
	b.do(t, http.MethodOptions, "/nothing", nil, "Origin", ownOrigin).problem(t, http.StatusNotFound, "not-found")
}

func TestOtherMethods(t *testing.T) {
	b := start(t, config())
	for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodTrace, "SUBSCRIBE"} {
		t.Run(method, func(t *testing.T) {
			a := b.do(t, method, "/events/chat.room1", nil)
			a.problem(t, http.StatusMethodNotAllowed, "method")
			if got := a.header.Get("Allow"); got != methods {
				t.Errorf("Allow: %s", got)
			}
			b.do(t, method, "/nothing", nil).problem(t, http.StatusNotFound, "not-found")
		})
	}
	b.quiet(t)
}

func TestPages(t *testing.T) {
	c := config()
	c.Pages = func(path string) http.Handler {
		if path != "/" && path != "/events/chat" {
			return nil
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusTeapot)
			fmt.Fprint(w, r.Method, " page ", path)
		})
	}
	b := start(t, c)
	if a := b.do(t, http.MethodGet, "/", nil); a.status != http.StatusTeapot || a.body != "GET page /" || a.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%+v", a)
	}
	if a := b.do(t, http.MethodHead, "/", nil); a.status != http.StatusTeapot {
		t.Errorf("%+v", a)
	}
	for _, method := range []string{http.MethodPost, http.MethodDelete, http.MethodOptions} {
		a := b.do(t, method, "/", nil)
		a.problem(t, http.StatusMethodNotAllowed, "method")
		if got := a.header.Get("Allow"); got != "GET, HEAD" {
			t.Errorf("Allow: %s", got)
		}
	}
	b.do(t, http.MethodGet, "/nothing", nil).problem(t, http.StatusNotFound, "not-found")
	b.do(t, http.MethodGet, "/", nil, "Host", "evil.com").problem(t, http.StatusMisdirectedRequest, "wrong-host")
	b.do(t, http.MethodGet, "/", nil, "Origin", "https://evil.com").problem(t, http.StatusForbidden, "foreign-origin")
	// A route comes first.
	b.get(t, "/events/chat/room1").next(t, "tailwater:open", opened)
	b.do(t, http.MethodDelete, "/events/chat", nil).problem(t, http.StatusMethodNotAllowed, "method")
}
