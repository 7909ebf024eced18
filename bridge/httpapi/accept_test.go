package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAccept(t *testing.T) {
	b := newFixture(t, config())
	for _, test := range []struct {
		accept  string // several headers are separated by line ends
		isLines bool
	}{
		{"application/x-ndjson", true},
		{"Application/X-NDJSON; charset=utf-8", true},
		{"application/x-ndjson, text/event-stream;q=0.5", true},
		{"application/x-ndjson;q=0.5, text/event-stream;q=0.4", true},
		{"text/event-stream;q=0.1,application/x-ndjson;q=0.2", true},
		{"text/event-stream;q=0, */*", true},
		{"application/x-ndjson, */*", true},
		{"application/*, */*", true},
		{"text/*;q=0.2, application/*;q=0.3", true},
		{"text/html\napplication/x-ndjson", true},
		{"application/x-ndjson;q=0.001", true},

		{"", false},
		{"*/*", false},
		{"text/event-stream", false},
		{"text/html, */*;q=0.1", false},
		{"application/json", false},
		{"application/x-ndjson;q=0", false},
		{"application/x-ndjson;q=0.0, text/event-stream", false},
		{"application/x-ndjson;q=0, */*", false},
		{"application/x-ndjson;q=0, text/event-stream;q=0", false},
		{"application/x-ndjson;q=0.4, text/event-stream;q=0.5", false},
		{"application/x-ndjson;q=0.9, */*", false},
		{"application/x-ndjson, text/event-stream", false},
		{"text/*, application/*", false},
		{"application/x-ndjson;q=0, application/*;q=1", false}, // the closest range counts, not the weightiest
		{"application/x-ndjson;q=2", false},
		{"application/x-ndjson;q=NaN", false},
		{"application/x-ndjson;q=-1", false},
		{"\"application/x-ndjson", false},
		{",;,;;", false},
	} {
		r := httptest.NewRequest(http.MethodHead, "/events/chat.a", nil)
		for line := range strings.SplitSeq(test.accept, "\n") {
			r.Header.Add("Accept", line)
		}
		if test.accept == "" {
			r.Header.Del("Accept")
		}
		got := b.serve(r).Header().Get("Content-Type")
		if (got == "application/x-ndjson") != test.isLines || !test.isLines && got != "text/event-stream" {
			t.Errorf("Accept: %s is answered with %s", test.accept, got)
		}
	}
}

// Whatever the header holds, one of the two types is chosen, and not the one that is ruled out.
func FuzzAccept(f *testing.F) {
	for _, accept := range []string{"*/*", "application/x-ndjson;q=0.5, text/event-stream", "a/b;c=\"d,e\\\"\";q=0.1,*/*", ";q=1,", "\"", "text/*;q=1e3"} {
		f.Add(accept)
	}
	b := newFixture(f, config())
	chosen := func(accept string) string {
		r := httptest.NewRequest(http.MethodHead, "/events/chat.a", nil)
		r.Header = http.Header{"Accept": {accept}}
		return b.serve(r).Header().Get("Content-Type")
	}
	f.Fuzz(func(t *testing.T, accept string) {
		if got := chosen(accept); got != "text/event-stream" && got != "application/x-ndjson" {
			t.Errorf("%q is answered with %q", accept, got)
		}
		if strings.Contains(strings.ToLower(accept), "x-ndjson") || strings.Contains(accept, `"`) {
			return
		}
		if got := chosen(accept + ", application/x-ndjson;q=0"); got != "text/event-stream" {
			t.Errorf("%q without NDJSON is answered with %q", accept, got)
		}
	})
}
