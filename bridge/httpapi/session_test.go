package httpapi_test

import (
	"net/http"
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
	if cookie.Name != "session" || cookie.Value != alice || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.Secure || time.Until(cookie.Expires) < 59*time.Minute {
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
}

func cookieOf(t *testing.T, a answer) *http.Cookie {
	t.Helper()
	cookie, err := http.ParseSetCookie(a.header.Get("Set-Cookie"))
	if err != nil {
		t.Fatalf("%+v: %v", a, err)
	}
	return cookie
}

// Only on this machine may a cookie travel without TLS.
func TestCookieIsSecure(t *testing.T) {
	c, _ := signedIn(t)
	c.Access.LoopbackHosts = false
	b := start(t, c)
	for host, secure := range map[string]bool{"localhost:8080": false, "127.0.0.1": false, "chat.example.com": true, "10.0.0.7:8080": true, "localhost.evil.com": true} {
		a := b.do(t, "POST", "/session", nil, "Authorization", bearerAlice, "Host", host)
		if got := cookieOf(t, a).Secure; got != secure {
			t.Errorf("%s: %t", host, got)
		}
	}
}

func TestTokenTooLargeForACookie(t *testing.T) {
	c, auth := signedIn(t)
	b := start(t, c)
	long := func(length int) string { return "long" + strings.Repeat("x", length-len("long"+tokenMark)) + tokenMark }
	p := b.do(t, "POST", "/session", nil, "Authorization", "Bearer "+long(4100)).problem(t, 400, "bad-header")
	if !strings.Contains(p.Detail, "has 4100 bytes") {
		t.Error(p.Detail)
	}
	if ticket, _ := b.do(t, "POST", "/session", nil, "Authorization", "Bearer "+long(4000)).session(t); len(ticket) != 4000 {
		t.Error(ticket)
	}
	auth.tickets = false
	if ticket, _ := b.do(t, "POST", "/session", nil, "Authorization", bearerAlice).session(t); ticket != "" {
		t.Error(ticket)
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
