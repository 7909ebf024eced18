package e2e

import (
	"io"
	"net/http"
	"testing"
)

// Each listener stands behind the gate, whatever is asked for, and every answer tells browsers to keep others away from it.
func TestBothListenersAreGated(t *testing.T) {
	t.Parallel()
	n := startNode(t, nil)
	ask := func(url string, headers ...string) *http.Response {
		t.Helper()
		response := askWith(t, http.MethodGet, url, "", headers...)
		if response.Request.URL.Path == "/debug/pprof/trace" {
			_, _ = io.Copy(io.Discard, response.Body) // to its end: there can be only one trace
		}
		response.Body.Close()
		return response
	}
	for _, url := range []string{
		n.AdminURL() + "/healthz", n.AdminURL() + "/readyz", n.AdminURL() + "/metrics", n.AdminURL() + "/debug/", n.AdminURL() + "/debug/connections", n.AdminURL() + "/debug/pprof/", n.AdminURL() + "/debug/pprof/trace?seconds=0.01",
		n.URL() + "/", n.URL() + "/web/chat.js", n.URL() + "/events/chat.room1", n.URL() + "/events/chat.room1?poll=1",
	} {
		for _, test := range []struct {
			headers []string
			status  int
		}{
			{nil, 200},
			{[]string{"Sec-Fetch-Site: same-origin"}, 200},
			{[]string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"}, 403},
			{[]string{"Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: empty"}, 403},
			{[]string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"}, 403},
			{[]string{"Origin: https://evil.example.com"}, 403},
			{[]string{"Origin: null"}, 403},
			{[]string{"Host: rebound.example.com"}, 421},
		} {
			response := ask(url, test.headers...)
			if response.StatusCode != test.status {
				t.Errorf("%s %q: %d instead of %d", url, test.headers, response.StatusCode, test.status)
			}
			for name, want := range map[string]string{"Cross-Origin-Resource-Policy": "same-origin", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff"} {
				if got := response.Header.Get(name); got != want {
					t.Errorf("%s %q: %s: %q", url, test.headers, name, got)
				}
			}
		}
	}
	// A page of this machine may read what is for pages, and not what is for operators.
	const local = "http://localhost:3000"
	for url, status := range map[string]int{n.URL() + "/events/chat.room1": 200, n.AdminURL() + "/metrics": 403} {
		if got := ask(url, "Origin: "+local, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors").StatusCode; got != status {
			t.Errorf("%s from %s: %d instead of %d", url, local, got, status)
		}
	}
}
