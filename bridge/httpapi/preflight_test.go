package httpapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// preflight asks as a browser does, and returns the headers that may be sent, in lower case.
func (b *fixture) preflight(t *testing.T, origin, method, headers string) (answer, []string) {
	t.Helper()
	a := b.do(t, http.MethodOptions, "/events/chat.room1", nil, "Origin", origin, "Access-Control-Request-Method", method, "Access-Control-Request-Headers", headers)
	allowed := strings.Split(strings.ToLower(a.header.Get("Access-Control-Allow-Headers")), ", ")
	if a.status != http.StatusNoContent || a.header.Get("Access-Control-Allow-Origin") != origin {
		t.Fatalf("%+v", a)
	}
	return a, allowed
}

// What the libraries send beside what means something here.
func TestPreflightAllowsWhatIsAskedFor(t *testing.T) {
	b := start(t, config())
	for _, origin := range []string{ownOrigin, "http://localhost:3000"} {
		for _, asked := range []string{
			"cache-control", "cache-control,last-event-id", "x-requested-with", "hx-request,hx-current-url,hx-target,hx-trigger", "datastar-request,content-type",
			"Cache-Control , Pragma", "x-custom_1.0~!#$%&'*+^`|",
		} {
			a, allowed := b.preflight(t, origin, "GET", asked)
			for name := range strings.SplitSeq(strings.ToLower(asked), ",") {
				if !slices.Contains(allowed, strings.TrimSpace(name)) {
					t.Errorf("%s asks for %s and is allowed %q", origin, asked, allowed)
				}
			}
			if slices.Contains(allowed, "*") || len(slices.Compact(slices.Sorted(slices.Values(allowed)))) != len(allowed) {
				t.Errorf("%s is allowed %q", origin, allowed)
			}
			if vary := strings.Join(a.header.Values("Vary"), ", "); !strings.Contains(vary, "Origin") || !strings.Contains(vary, "Access-Control-Request-Headers") {
				t.Errorf("Vary: %s", vary)
			}
			if got, want := a.header.Get("Access-Control-Allow-Credentials"), map[bool]string{true: "true"}[origin == ownOrigin]; got != want {
				t.Errorf("%s: Access-Control-Allow-Credentials: %q", origin, got)
			}
		}
	}
	b.do(t, http.MethodOptions, "/events/chat.room1", nil, "Origin", "https://evil.com", "Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "cache-control").problem(t, http.StatusForbidden, "foreign-origin")
}

// What is no name of a header, or far too much, is not repeated.
func TestPreflightRepeatsNothingElse(t *testing.T) {
	b := start(t, config())
	_, known := b.preflight(t, ownOrigin, "POST", "")
	for _, asked := range []string{",, ,", "a b", "a:b", "é", "x\"y", "(c)", "a/b", strings.Repeat("x", 3<<10), strings.Repeat("x-a,", 1000)} {
		if _, allowed := b.preflight(t, ownOrigin, "POST", asked); !slices.Equal(allowed, known) {
			t.Errorf("%.40q is allowed %.200q", asked, allowed)
		}
	}
}

// A page of another origin reads what a client needs: when to come back, and where it stands.
func TestExposedHeaders(t *testing.T) {
	b := start(t, config())
	a := b.do(t, http.MethodHead, "/events/chat.room1", nil, "Origin", ownOrigin)
	exposed := strings.Split(a.header.Get("Access-Control-Expose-Headers"), ", ")
	for _, name := range []string{"Retry-After", "Location", "Content-Location", "Tailwater-Last-Id", "Tailwater-First-Seq", "Tailwater-Last-Seq"} {
		if !slices.Contains(exposed, name) {
			t.Errorf("%s is not among %q", name, exposed)
		}
	}
}
