package httpapi_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge/httpapi"
)

// withPage is config with one page, at /.
func withPage() httpapi.Config {
	c := config()
	c.Pages = func(path string) http.Handler {
		if path != "/" {
			return nil
		}
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "the page") })
	}
	return c
}

// What browsers say of a request (Fetch Metadata), and what that opens: the page, an event stream, and the presence of neither.
func TestGate(t *testing.T) {
	const other, loopback = "https://evil.com", "http://localhost:3000"
	fetched := func(site, mode, dest string, more ...string) []string {
		return append([]string{"Sec-Fetch-Site", site, "Sec-Fetch-Mode", mode, "Sec-Fetch-Dest", dest}, more...)
	}
	b := start(t, withPage())
	for _, test := range []struct {
		name         string
		headers      []string
		page, stream int
	}{
		{"no browser", nil, 200, 200},
		{"an old browser's link, or plain http off loopback", []string{"Referer", other}, 200, 200},
		{"typed", fetched("none", "navigate", "document", "Sec-Fetch-User", "?1"), 200, 200},
		{"own EventSource", fetched("same-origin", "cors", "empty"), 200, 200},
		{"own EventSource that names its origin", fetched("same-origin", "cors", "empty", "Origin", "http://localhost"), 200, 200},
		{"own image", fetched("same-origin", "no-cors", "image"), 200, 200},
		{"own worker", fetched("same-origin", "same-origin", "worker"), 200, 200},

		{"EventSource of a named origin", fetched("cross-site", "cors", "empty", "Origin", ownOrigin), 200, 200},
		{"EventSource of a named origin of the same site", fetched("same-site", "cors", "empty", "Origin", ownOrigin), 200, 200},
		{"EventSource of a page of this machine", fetched("same-site", "cors", "empty", "Origin", loopback), 200, 200},
		{"EventSource of another origin", fetched("cross-site", "cors", "empty", "Origin", other), 403, 403},
		{"EventSource of an opaque origin", fetched("cross-site", "cors", "empty", "Origin", "null"), 403, 403},
		{"own origin, another site: a page without TLS", fetched("cross-site", "cors", "empty", "Origin", "http://localhost"), 200, 200}, // of this machine
		{"fetch without CORS", fetched("cross-site", "no-cors", "empty"), 403, 403},
		{"fetch without CORS, of the same site", fetched("same-site", "no-cors", "empty"), 403, 403},
		{"image", fetched("cross-site", "no-cors", "image"), 403, 403},
		{"script", fetched("same-site", "no-cors", "script"), 403, 403},
		{"WebSocket", fetched("cross-site", "websocket", "empty", "Origin", other), 403, 403},
		{"what no browser says", fetched("everywhere", "no-cors", "empty"), 403, 403},
		{"only the site", []string{"Sec-Fetch-Site", "cross-site"}, 403, 403},

		{"link", fetched("cross-site", "navigate", "document", "Sec-Fetch-User", "?1"), 200, 403},
		{"link of the same site", fetched("same-site", "navigate", "document"), 200, 403},
		{"link in an early browser", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, 200, 403},
		{"link of another origin that is told", fetched("cross-site", "navigate", "document", "Origin", other), 403, 403},
		{"frame", fetched("cross-site", "navigate", "iframe"), 403, 403},
		{"frame of the same site", fetched("same-site", "navigate", "frame"), 403, 403},
		{"object", fetched("cross-site", "navigate", "object"), 403, 403},
		{"no navigation to a document", fetched("cross-site", "no-cors", "document"), 403, 403},
	} {
		t.Run(test.name, func(t *testing.T) {
			headers := append([]string{"Host", "localhost"}, test.headers...)
			for target, want := range map[string]int{
				"/": test.page, "/events/chat.a": test.stream, "/events?subject=chat.a": test.stream, "/events/chat.a?poll=1&since=new": test.stream,
			} {
				for _, method := range []string{http.MethodGet, http.MethodHead} {
					if got := b.status(t, method, target, headers...); got != want {
						t.Errorf("%s %s: %d instead of %d", method, target, got, want)
					}
				}
			}
		})
	}
	linked := fetched("cross-site", "navigate", "document")
	a := b.do(t, http.MethodGet, "/events/chat.a?poll=1&since=new", nil, linked...)
	if p := a.problem(t, http.StatusForbidden, "foreign-origin"); !strings.Contains(p.Detail, "a link") {
		t.Errorf("%+v", p)
	}
	b.do(t, http.MethodGet, "/session", nil, linked...).problem(t, http.StatusForbidden, "foreign-origin")
	b.do(t, http.MethodGet, "/nothing", nil, linked...).problem(t, http.StatusNotFound, "not-found")
	b.do(t, http.MethodPost, "/", nil, linked...).problem(t, http.StatusForbidden, "foreign-origin") // a form without an origin
	b.do(t, http.MethodPost, "/events/chat.a", strings.NewReader("x"), linked...).problem(t, http.StatusForbidden, "foreign-origin")
	b.do(t, http.MethodOptions, "/events/chat.a", nil, linked...).problem(t, http.StatusForbidden, "foreign-origin")
	if len(b.publisher.all()) > 0 {
		t.Error("something was published")
	}
	b.quiet(t)
}

// Where it is known how the browser came, by TLS or through a proxy that is trusted, an origin is the bridge's own only with
// that scheme.
func TestOwnOriginHasTheScheme(t *testing.T) {
	proxy := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	for _, test := range []struct {
		name    string
		tls     bool
		proxies []netip.Prefix
		proto   string
		origin  string
		allowed bool
	}{
		{"TLS", true, nil, "", "https://events.example.com", true},
		{"TLS, and a page without", true, nil, "", "http://events.example.com", false},
		{"TLS, and a client that says otherwise", true, nil, "http", "http://events.example.com", false},
		{"TLS from a trusted proxy that has none itself", true, proxy, "http", "http://events.example.com", true},
		{"TLS from a trusted proxy that does not say", true, proxy, "", "http://events.example.com", false},
		{"a trusted proxy with TLS", false, proxy, "https", "https://events.example.com", true},
		{"a trusted proxy with TLS, in capitals", false, proxy, "HTTPS", "https://events.example.com", true},
		{"a trusted proxy with TLS, and a page without", false, proxy, "https", "http://events.example.com", false},
		{"two proxies, the outer one with TLS", false, proxy, "https, http", "http://events.example.com", false},
		{"a trusted proxy without TLS", false, proxy, "http", "http://events.example.com", true},
		{"a trusted proxy without TLS, and a page with", false, proxy, "http", "https://events.example.com", false},
		{"a trusted proxy that does not say", false, proxy, "", "https://events.example.com", true},
		{"a trusted proxy that says something else", false, proxy, "quic", "http://events.example.com", true},
		{"a proxy that is not named", false, nil, "https", "http://events.example.com", true},
		{"a proxy that is not trusted", false, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, "https", "http://events.example.com", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := config()
			c.Access = httpapi.Access{Hosts: []string{"events.example.com"}}
			c.Proxies = test.proxies
			b := newFixture(t, c)
			server := httptest.NewUnstartedServer(b.api)
			if test.tls {
				server.StartTLS()
			} else {
				server.Start()
			}
			t.Cleanup(server.Close)
			b.server = server
			headers := []string{"Host", "events.example.com", "Origin", test.origin}
			if test.proto != "" {
				headers = append(headers, "X-Forwarded-Proto", test.proto)
			}
			if got, want := b.status(t, http.MethodPost, "/events/chat.a", headers...), map[bool]int{true: 202, false: 403}[test.allowed]; got != want {
				t.Errorf("%d instead of %d", got, want)
			}
		})
	}
	// The browser knows the scheme, even where this bridge does not, or was told another.
	c := config()
	c.Access = httpapi.Access{Hosts: []string{"events.example.com"}}
	c.Proxies = proxy
	b := start(t, c)
	for site, want := range map[string]int{"same-origin": 202, "": 403, "cross-site": 403} {
		headers := []string{"Host", "events.example.com", "Origin", "https://events.example.com", "X-Forwarded-Proto", "http"}
		if site != "" {
			headers = append(headers, "Sec-Fetch-Site", site)
		}
		if got := b.status(t, http.MethodPost, "/events/chat.a", headers...); got != want {
			t.Errorf("behind two proxies, %q: %d instead of %d", site, got, want)
		}
	}
	b.do(t, http.MethodPost, "/events/chat.a", nil, "Host", "events.example.com", "Origin", "http://events.example.com", "Sec-Fetch-Site", "cross-site").problem(t, http.StatusForbidden, "foreign-origin")
}

// Every answer says what pages of others may do with it: nothing, unless their origin is allowed.
func TestEveryAnswerIsGuarded(t *testing.T) {
	b := start(t, withPage())
	for _, test := range []struct{ method, target, host, origin, policy string }{
		{"GET", "/", "localhost", "", "same-origin"},
		{"GET", "/nothing", "localhost", "", "same-origin"},
		{"HEAD", "/events/chat.a", "localhost", "", "same-origin"},
		{"GET", "/events/chat.a?poll=1", "localhost", "", "same-origin"},
		{"POST", "/events/chat.a", "localhost", "", "same-origin"},
		{"POST", "/events/secret", "localhost", "", "same-origin"},
		{"OPTIONS", "/events/chat.a", "localhost", "", "same-origin"},
		{"GET", "/events/chat.a", "evil.com", "", "same-origin"},
		{"GET", "/events/chat.a", "localhost", "https://evil.com", "same-origin"},
		{"POST", "/events/chat.a", "localhost", "null", "same-origin"},
		{"GET", "/events/chat.a?poll=1", "localhost", ownOrigin, "cross-origin"},
		{"POST", "/events/secret", "localhost", "http://localhost:3000", "cross-origin"},
		{"OPTIONS", "/events/chat.a", "localhost", ownOrigin, "cross-origin"},
		{"GET", "/events/chat.a", "evil.com", ownOrigin, "same-origin"},
	} {
		headers := []string{"Host", test.host}
		if test.origin != "" {
			headers = append(headers, "Origin", test.origin)
		}
		response := b.send(t, test.method, test.target, nil, headers...)
		response.Body.Close()
		for name, want := range map[string]string{
			"Cross-Origin-Resource-Policy": test.policy, "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Strict-Transport-Security": "",
		} {
			if got := strings.Join(response.Header.Values(name), ", "); got != want {
				t.Errorf("%s %s for %s of %q: %s: %q instead of %q", test.method, test.target, test.host, test.origin, name, got, want)
			}
		}
	}
	stream := b.get(t, "/events/chat.a")
	if got := stream.response.Header; got.Get("Cross-Origin-Resource-Policy") != "same-origin" || got.Get("X-Frame-Options") != "DENY" {
		t.Errorf("of an event stream: %v", got)
	}
}

// Over TLS browsers are told to keep to it, by names that are more than this machine's.
func TestStrictTransportSecurity(t *testing.T) {
	c := config()
	c.Access = httpapi.Access{}
	b := newFixture(t, c)
	b.server = httptest.NewTLSServer(b.api)
	t.Cleanup(b.server.Close)
	for host, want := range map[string]string{
		"events.example.com": "max-age=15552000", "events.example.com:8443": "max-age=15552000",
		"localhost": "", "localhost:8443": "", "app.localhost": "", "127.0.0.1": "", "[::1]:8443": "", "192.0.2.7": "", "[2001:db8::1]:443": "",
	} {
		response := b.send(t, http.MethodHead, "/events/chat.a", nil, "Host", host, "X-Forwarded-Proto", "https")
		response.Body.Close()
		if got := response.Header.Get("Strict-Transport-Security"); got != want {
			t.Errorf("%s: %q instead of %q", host, got, want)
		}
	}
}

// The listener of operators has the same gate, and neither pages nor origins that are allowed.
func TestGateOfOperators(t *testing.T) {
	for _, access := range []httpapi.Access{{LoopbackHosts: true}, {}} {
		server := httptest.NewServer(access.Gate(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "profile") })))
		t.Cleanup(server.Close)
		for _, test := range []struct {
			headers []string
			status  int
		}{
			{nil, 200},
			{[]string{"Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, 200},
			{[]string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors"}, 200},
			{[]string{"Origin", "http://localhost:8081", "Host", "localhost:8081"}, 200},
			{[]string{"Origin", "http://localhost:3000", "Host", "localhost:8081"}, 403},
			{[]string{"Origin", "null"}, 403},
			{[]string{"Origin", ownOrigin, "Sec-Fetch-Site", "cross-site"}, 403},
			{[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, 403},
			{[]string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "no-cors"}, 403},
			{[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, 403},
			{[]string{"Host", "rebound.example.com"}, map[bool]int{true: 421, false: 200}[access.LoopbackHosts]},
		} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i < len(test.headers); i += 2 {
				request.Header.Set(test.headers[i], test.headers[i+1])
				if test.headers[i] == "Host" {
					request.Host = test.headers[i+1]
				}
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(response.Body)
			response.Body.Close()
			if err != nil || response.StatusCode != test.status || strings.Contains(string(body), "profile") != (test.status == 200) {
				t.Errorf("%+v, %q: %d %q instead of %d: %v", access, test.headers, response.StatusCode, body, test.status, err)
			}
			h := response.Header
			if h.Get("Cross-Origin-Resource-Policy") != "same-origin" || h.Get("X-Frame-Options") != "DENY" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%q: %v", test.headers, h)
			}
		}
	}
}
