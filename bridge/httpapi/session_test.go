package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestSession(t *testing.T) {
	c, _ := signedIn(t)
	b := start(t, c)
	a := b.do(t, "POST", "/session", nil, "Authorization", bearerAlice)
	ticket, expires := a.session(t)
	if left := time.Until(expires); ticket != ticketAlice || left < 59*time.Minute || left > time.Hour {
		t.Errorf("%s, which expires in %v", ticket, left)
	}
	if a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%+v", a.header)
	}
	cookie := cookieOf(t, a)
	if cookie.Name != "session" || cookie.Value != ticketAlice || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.Secure || time.Until(cookie.Expires) < 59*time.Minute {
		t.Errorf("%+v", cookie)
	}
	if got := b.status(t, "GET", "/events/news.a", "Cookie", cookie.Name+"="+cookie.Value); got != 200 {
		t.Errorf("with the cookie: %d", got)
	}
	if got := b.status(t, "GET", "/events/news.a?ticket="+ticket); got != 200 {
		t.Errorf("with the ticket: %d", got)
	}

	out := b.do(t, "DELETE", "/session", nil)
	if gone := cookieOf(t, out); out.status != 204 || gone.MaxAge >= 0 || gone.Name != "session" || gone.Path != "/" {
		t.Errorf("%+v", out)
	}
	for _, headers := range [][]string{nil, {"Cookie", cookieAlice}, {"Authorization", "Bearer " + mallory}, {"Authorization", "Basic YWxpY2U6eA=="}} {
		a := b.do(t, "POST", "/session", nil, headers...)
		a.problem(t, 401, "unauthorized")
		if a.header.Get("Set-Cookie") != "" {
			t.Errorf("%q: a cookie for nobody", headers)
		}
	}
	b.do(t, "POST", "/session?token="+lookLikeAToken, nil, "Authorization", bearerAlice).problem(t, 400, "bad-query")
	if a := b.do(t, "GET", "/session", nil); a.status != 405 || a.header.Get("Allow") != "POST, DELETE, OPTIONS" {
		t.Errorf("%+v", a)
	}
	if got := b.api.Stats().Publishes; got["accepted"] != 1 || got["refused"] != 5 {
		t.Errorf("one sign-in, and five that were refused: %v", got)
	}
}

func cookieOf(t *testing.T, a answer) *http.Cookie {
	t.Helper()
	cookie, err := http.ParseSetCookie(a.header.Get("Set-Cookie"))
	if err != nil {
		t.Fatalf("%+v: %v", a, err)
	}
	return cookie
}

// Only on this machine may a cookie travel without TLS. Where the browser has TLS, its name says that nobody else can have set it.
func TestCookieIsSecure(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	for _, test := range []struct {
		host    string
		tls     bool
		proxies []netip.Prefix
		proto   string
		cookie  string // its setting
		name    string
		secure  bool
	}{
		{"localhost:8080", false, nil, "", "session", "session", false},
		{"127.0.0.1", false, nil, "", "session", "session", false},
		{"chat.example.com", false, nil, "", "session", "session", true},
		{"10.0.0.7:8080", false, nil, "", "session", "session", true},
		{"localhost.evil.com", false, nil, "", "session", "session", true},
		{"localhost", false, nil, "", "__Host-session", "__Host-session", true},

		{"chat.example.com", true, nil, "", "session", "__Host-session", true},
		{"chat.example.com", true, nil, "", "__session", "__Host-__session", true},
		{"chat.example.com", true, nil, "", "__Secure-session", "__Secure-session", true},
		{"chat.example.com", true, nil, "http", "session", "__Host-session", true},
		{"localhost:8443", true, nil, "", "session", "__Host-session", true},
		{"chat.example.com", true, nil, "", "__Host-session", "__Host-session", true},
		{"chat.example.com", true, nil, "", "__Secure-session", "__Secure-session", true},

		{"chat.example.com", false, trusted, "https", "session", "__Host-session", true},
		{"localhost", false, trusted, "https", "session", "__Host-session", true},
		{"chat.example.com", false, trusted, "http", "session", "session", true},
		{"chat.example.com", false, trusted, "", "session", "session", true},
		{"chat.example.com", false, nil, "https", "session", "session", true}, // anybody could say so
		{"localhost", false, nil, "https", "session", "session", false},
	} {
		c, _ := signedIn(t)
		c.Access.LoopbackHosts, c.Proxies, c.Cookie = false, test.proxies, test.cookie
		b := newFixture(t, c)
		b.server = httptest.NewUnstartedServer(b.api)
		if test.tls {
			b.server.StartTLS()
		} else {
			b.server.Start()
		}
		t.Cleanup(b.server.Close)
		headers := []string{"Host", test.host}
		if test.proto != "" {
			headers = append(headers, "X-Forwarded-Proto", test.proto)
		}
		cookie := cookieOf(t, b.do(t, "POST", "/session", nil, append(headers, "Authorization", bearerAlice)...))
		if cookie.Name != test.name || cookie.Secure != test.secure || cookie.Domain != "" || cookie.Path != "/" || !cookie.HttpOnly {
			t.Errorf("%+v: %+v", test, cookie)
		}
		for _, name := range []string{"session", "__Host-session", "__Secure-session"} {
			if got, want := b.status(t, "HEAD", "/events/news.a", append(headers, "Cookie", name+"="+cookie.Value)...), map[bool]int{true: 200, false: 403}[name == test.name]; got != want {
				t.Errorf("%+v: by the name of %s: %d", test, name, got)
			}
		}
		gone := cookieOf(t, b.do(t, "DELETE", "/session", nil, headers...))
		if gone.Name != test.name || gone.Secure != test.secure || gone.MaxAge >= 0 {
			t.Errorf("%+v: it is removed by %+v", test, gone)
		}
	}
}

// Where there is no secret, nothing can be sealed: only a program sets the cookie, to a token.
func TestNoSecretToSealACookieWith(t *testing.T) {
	c, auth := signedIn(t)
	auth.tickets, auth.sealless = false, true
	b := start(t, c)
	a := b.do(t, "POST", "/session", nil, "Authorization", bearerAlice)
	if p := a.problem(t, 404, "not-found"); !strings.Contains(p.Detail, "TAILWATER_AUTH_TICKET_SECRET") || a.header.Get("Set-Cookie") != "" {
		t.Errorf("%+v", a)
	}
	if got := b.status(t, "GET", "/inbox", "Cookie", "session=odd.name"+tokenSuffix); got != 403 {
		t.Errorf("with a token: %d", got)
	}
	if out := b.do(t, "DELETE", "/session", nil); out.status != 204 || cookieOf(t, out).MaxAge >= 0 {
		t.Errorf("%+v", out)
	}
}

// Pages of origins that are named may send tokens and cookies.
func TestCORSOfTokens(t *testing.T) {
	for _, cookie := range []string{"", "session"} {
		c, _ := signedIn(t)
		c.Cookie = cookie
		b := start(t, c)
		for target, methods := range map[string]string{"/events/chat.a": "GET, HEAD, POST, OPTIONS", "/session": "POST, DELETE, OPTIONS"} {
			a := b.do(t, "OPTIONS", target, nil, "Origin", ownOrigin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization")
			if a.status != 204 || !strings.Contains(a.header.Get("Access-Control-Allow-Headers"), "Authorization") || a.header.Get("Access-Control-Allow-Methods") != methods ||
				a.header.Get("Access-Control-Allow-Origin") != ownOrigin || a.header.Get("Access-Control-Allow-Credentials") != "true" {
				t.Errorf("%s with the cookie %q: %+v", target, cookie, a)
			}
			b.do(t, "OPTIONS", target, nil, "Origin", "https://evil.com").problem(t, 403, "foreign-origin")
			a = b.do(t, "OPTIONS", target, nil)
			if a.header.Get("Access-Control-Allow-Origin")+a.header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("without an origin: %+v", a)
			}
		}
	}
}
