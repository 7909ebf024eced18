package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge/httpapi"
)

func TestHost(t *testing.T) {
	loopback := httpapi.Access{LoopbackHosts: true}
	listed := httpapi.Access{Hosts: []string{"chat.example.com", "10.0.0.7"}}
	for _, test := range []struct {
		access  httpapi.Access
		allowed string // separated by blanks
		refused string
	}{
		{
			access: loopback,
			allowed: "localhost localhost:8080 LOCALHOST localhost. localhost.:80 127.0.0.1 127.0.0.1:8080 127.1.2.3 [::1] [::1]:8080 " +
				"[::ffff:127.0.0.1] chat.localhost",
			refused: "evil.com evil.com:8080 127.0.0.1.evil.com localhost.evil.com notlocalhost 10.0.0.7 0.0.0.0 [::] [::2]:80 1 127.1 " +
				"localhost.. 127.0.0.1.. example.com",
		},
		{
			access:  listed,
			allowed: "chat.example.com chat.example.com:8080 CHAT.example.COM chat.example.com. 10.0.0.7 10.0.0.7:80",
			refused: "example.com x.chat.example.com chat.example.com.evil.com localhost 127.0.0.1 10.0.0.70 [::1]",
		},
		{access: httpapi.Access{}, allowed: "evil.com localhost 127.0.0.1:8080 [::1]"},
	} {
		c := config()
		c.Access = test.access
		b := start(t, c)
		for _, host := range strings.Fields(test.allowed) {
			if a := b.do(t, http.MethodHead, "/events/chat.room1", nil, "Host", host); a.status != http.StatusOK {
				t.Errorf("%+v: %s is refused", test.access, host)
			}
			if !test.access.AllowsHost(host) {
				t.Errorf("%+v: AllowsHost(%s)", test.access, host)
			}
		}
		for _, host := range strings.Fields(test.refused) {
			for _, target := range []string{"/events/chat.room1", "/", "/events/.."} {
				a := b.do(t, http.MethodGet, target, nil, "Host", host)
				if p := a.problem(t, http.StatusMisdirectedRequest, "wrong-host"); !strings.Contains(p.Detail, "TAILWATER_HTTP_HOSTS") {
					t.Errorf("%s: %+v", host, a)
				}
				if got := a.header.Get("Access-Control-Allow-Origin"); got != "" {
					t.Errorf("%s: Access-Control-Allow-Origin: %s", host, got)
				}
			}
		}
		b.quiet(t)
	}
	b := start(t, config())
	for _, request := range []string{
		"GET /events/chat.room1 HTTP/1.0\r\n\r\n", // no Host at all
		"GET /events/chat.room1 HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n",
	} {
		b.raw(t, http.MethodGet, request, false).problem(t, http.StatusMisdirectedRequest, "wrong-host")
	}
}

func TestOrigin(t *testing.T) {
	const own, allowed, refused = "own", "allowed", "refused"
	for _, test := range []struct{ origin, host, want string }{
		{origin: ownOrigin, want: allowed},
		{origin: "HTTPS://Chat.example.com", want: allowed},
		{origin: "http://localhost:3000", want: allowed},
		{origin: "http://localhost", want: allowed},
		{origin: "https://127.0.0.1:9", want: allowed},
		{origin: "http://[::1]:8080", want: allowed},
		{origin: "http://app.localhost:8080", want: allowed},
		{origin: "http://localhost:8080", host: "localhost:8080", want: allowed},

		{origin: "null", want: refused},
		{origin: "https://evil.com", want: refused},
		{origin: "http://localhost.evil.com", want: refused},
		{origin: "http://127.0.0.1.evil.com", want: refused},
		{origin: "http://evil.com:80#http://localhost", want: refused},
		{origin: "http://localhost@evil.com", want: refused},
		{origin: "http://evil.com/localhost", want: refused},
		{origin: "https://chat.example.com.evil.com", want: refused},
		{origin: "https://chat.example.com:8443", want: refused},
		{origin: "http://chat.example.com", want: refused},
		{origin: "https://x.chat.example.com", want: refused},
		{origin: "file://", want: refused},
		{origin: "ftp://localhost", want: refused},
		{origin: "chrome-extension://localhost", want: refused},
		{origin: "ws://127.0.0.1:8080", want: refused},
		{origin: "//localhost", want: refused},
		{origin: "://", want: refused},
		{origin: "%zz", want: refused},
	} {
		t.Run(test.origin, func(t *testing.T) {
			checkOrigin(t, config(), test.origin, test.host, test.want == allowed, test.want == refused)
		})
	}
	// Without loopback origins, and for a bridge that is called by a name of its own: behind a proxy that adds TLS, too.
	strict := config()
	strict.Access = httpapi.Access{Hosts: []string{"events.example.com"}, Origins: []string{ownOrigin}}
	for _, test := range []struct{ origin, host, want string }{
		{origin: ownOrigin, host: "events.example.com", want: allowed},
		{origin: "https://events.example.com", host: "events.example.com", want: own},
		{origin: "http://events.example.com:8080", host: "events.example.com:8080", want: own},
		{origin: "http://events.example.com:8081", host: "events.example.com:8080", want: refused},
		{origin: "http://localhost:3000", host: "events.example.com", want: refused},
		{origin: "null", host: "events.example.com", want: refused},
	} {
		t.Run("strict "+test.origin, func(t *testing.T) {
			checkOrigin(t, strict, test.origin, test.host, test.want == allowed, test.want == refused)
		})
	}
}

// checkOrigin reads and writes from an origin, with success and with a problem; cors tells that the page is to be allowed
// to see both.
func checkOrigin(t *testing.T, c httpapi.Config, origin, host string, cors, refused bool) {
	b := start(t, c)
	headers := []string{"Origin", origin}
	if host != "" {
		headers = append(headers, "Host", host)
	}
	check := func(a answer, status int, slug string) {
		t.Helper()
		if refused {
			status, slug = http.StatusForbidden, "foreign-origin"
		}
		if slug != "" {
			a.problem(t, status, slug)
		} else if a.status != status {
			t.Errorf("%+v", a)
		}
		want := ""
		if cors {
			want = origin
			if exposed := a.header.Get("Access-Control-Expose-Headers"); !strings.Contains(exposed, "Retry-After") {
				t.Errorf("Access-Control-Expose-Headers: %s", exposed)
			}
		}
		if got := a.header.Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("Access-Control-Allow-Origin: %q instead of %q", got, want)
		}
		// Only a page whose origin is named may use what the browser knows about a caller.
		credentials := map[bool]string{true: "true"}[strings.EqualFold(origin, ownOrigin)]
		if got := a.header.Get("Access-Control-Allow-Credentials"); got != credentials {
			t.Errorf("Access-Control-Allow-Credentials: %q instead of %q", got, credentials)
		}
		if vary := strings.Join(a.header.Values("Vary"), ", "); !strings.Contains(vary, "Origin") {
			t.Errorf("Vary: %s", vary)
		}
	}
	response := b.send(t, http.MethodGet, "/events/chat.room1", nil, headers...)
	response.Body.Close()
	if !refused {
		check(answer{status: response.StatusCode, header: response.Header}, http.StatusOK, "")
	}
	check(b.do(t, http.MethodPost, "/events/chat.room1", strings.NewReader("x"), headers...), http.StatusAccepted, "")
	check(b.do(t, http.MethodGet, "/events/..", nil, headers...), http.StatusBadRequest, "bad-subject")
	check(b.do(t, http.MethodPost, "/events/secret", strings.NewReader("x"), headers...), http.StatusForbidden, "forbidden")
	check(b.do(t, http.MethodPut, "/events/chat.room1", nil, headers...), http.StatusMethodNotAllowed, "method")
	b.api.Drain(time.Now().Add(time.Minute))
	if !refused {
		check(b.do(t, http.MethodGet, "/events/chat.room1", nil, headers...), http.StatusOK, "")
	}
	if n, want := len(b.publisher.all()), map[bool]int{false: 1, true: 0}[refused]; n != want {
		t.Errorf("%d were published", n)
	}
	b.quiet(t)
}

// Some browsers send no Origin with a form; they say otherwise where it comes from.
func TestSecFetchSite(t *testing.T) {
	b := start(t, config())
	for site, allowed := range map[string]bool{"cross-site": false, "same-site": false, "nonsense": false, "same-origin": true, "none": true, "": true} {
		t.Run(site, func(t *testing.T) {
			var headers []string
			if site != "" {
				headers = []string{"Sec-Fetch-Site", site}
			}
			a := b.do(t, http.MethodPost, "/events/chat.room1", strings.NewReader("x"), headers...)
			if allowed {
				if a.status != http.StatusAccepted {
					t.Errorf("%+v", a)
				}
			} else {
				a.problem(t, http.StatusForbidden, "foreign-origin")
			}
		})
	}
	// An origin that is allowed is another site, of course.
	if a := b.do(t, http.MethodPost, "/events/chat.room1", strings.NewReader("x"), "Sec-Fetch-Site", "cross-site", "Origin", ownOrigin); a.status != http.StatusAccepted {
		t.Errorf("%+v", a)
	}
	b.quiet(t)
}
