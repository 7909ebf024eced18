package httpapi_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tailwater/tailwater/bridge/httpapi"
)

// post sends a message as somebody, without a network.
func (b *fixture) post(peer string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "http://localhost/events/chat.room1", strings.NewReader("x"))
	r.RemoteAddr = peer
	w := httptest.NewRecorder()
	b.api.ServeHTTP(w, r)
	return w
}

// accepted counts how many of many posts are accepted at once.
func (b *fixture) accepted(peer string) (count int) {
	for range 1000 {
		if b.post(peer).Code == http.StatusAccepted {
			count++
		}
	}
	return count
}

func TestPublishRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := config()
		c.Limits.Publishes = 20
		b := newFixture(t, c)
		if n := b.accepted("192.0.2.1:1"); n != 100 {
			t.Errorf("%d at once", n)
		}
		refused := b.post("192.0.2.1:2")
		a := answer{status: refused.Code, header: refused.Result().Header, body: refused.Body.String()}
		if p := a.problem(t, http.StatusTooManyRequests, "too-fast"); !strings.Contains(p.Detail, "TAILWATER_LIMIT_PUBLISH_RATE") {
			t.Errorf("%+v", p)
		}
		if a.header.Get("Retry-After") != "1" {
			t.Errorf("%+v", a.header)
		}
		// Another is another, whatever the first does; who reads is not limited by it.
		if n := b.accepted("192.0.2.2:1"); n != 100 {
			t.Errorf("%d of another", n)
		}
		time.Sleep(time.Second)
		if n := b.accepted("192.0.2.1:1"); n != 20 {
			t.Errorf("%d a second later", n)
		}
		time.Sleep(time.Hour)
		if n := b.accepted("192.0.2.1:1"); n != 100 {
			t.Errorf("%d an hour later", n)
		}
		if got, stats := len(b.publisher.all()), b.api.Stats(); got != 320 || stats.Publishes["accepted"] != 320 ||
			stats.Limited["rate"] != 4*1000+1-320 || stats.Publishes["refused"] != 4*1000+1-320 {
			t.Errorf("%d were published: %+v", got, stats)
		}
	})
}

// A message a minute is one at once, and a minute's wait.
func TestSlowPublishRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := config()
		c.Limits.Publishes = 1.0 / 60
		b := newFixture(t, c)
		for range 3 {
			if n := b.accepted("192.0.2.1:1"); n != 1 {
				t.Errorf("%d at once", n)
			}
			if wait := b.post("192.0.2.1:1").Result().Header.Get("Retry-After"); wait != "60" {
				t.Errorf("Retry-After: %s", wait)
			}
			time.Sleep(time.Minute)
		}
	})
}

func TestNoPublishRate(t *testing.T) {
	b := newFixture(t, config())
	if n := b.accepted("192.0.2.1:1"); n != 1000 {
		t.Errorf("%d at once", n)
	}
	b.quiet(t)
}

// A caller with a token has a rate of its own, and uses up none of its address.
func TestTokensHaveTheirOwnRate(t *testing.T) {
	c, _ := signedIn(t)
	c.Limits.Publishes = 1.0 / 60 // one at once
	b := start(t, c)
	for _, headers := range [][]string{{"Authorization", bearerAlice}, {"Authorization", bearerBob}, nil} {
		for _, want := range []int{http.StatusAccepted, http.StatusTooManyRequests} {
			if got := b.status(t, http.MethodPost, "/events/chat.a", headers...); got != want {
				t.Errorf("%q: %d instead of %d", headers, got, want)
			}
		}
	}
}

// A post that is refused for another reason does not count, and gets the same error as before.
func TestRefusedPostsDoNotCount(t *testing.T) {
	c := config()
	c.Limits.Publishes = 1
	b := start(t, c)
	for range 20 {
		b.do(t, http.MethodPost, "/events/secret", strings.NewReader("x")).problem(t, http.StatusForbidden, "forbidden")
	}
	for range 5 {
		if a := b.do(t, http.MethodPost, "/events/chat.room1", strings.NewReader("x")); a.status != http.StatusAccepted {
			t.Errorf("%+v", a)
		}
	}
	b.do(t, http.MethodPost, "/events/secret", strings.NewReader("x")).problem(t, http.StatusForbidden, "forbidden")
	b.do(t, http.MethodPost, "/events/chat.room1", strings.NewReader("x")).problem(t, http.StatusTooManyRequests, "too-fast")
	b.limited(t, "rate", "127.0.0.1")
}

// Of any number of callers, few are remembered, and no caller is forgotten who has just used up its allowance.
func TestCallersAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := config()
		c.Limits.Publishes = 1
		b := newFixture(t, c)
		var seen int
		for i := range 160_000 {
			b.api.Allow(fmt.Sprint(i))
			seen = max(seen, b.api.Remembered())
		}
		if seen > httpapi.MaxRemembered || seen < httpapi.MaxRemembered/4 {
			t.Errorf("%d callers were remembered", seen)
		}
		for i := range 100 { // some come once every second, so that generations change
			if allowed := b.api.Allow("busy"); i > 10 && !allowed {
				t.Errorf("once a second was refused after %d seconds", i)
			}
			b.api.Allow(fmt.Sprint("other", i))
			time.Sleep(time.Second)
		}
		if n := b.api.Remembered(); n > 20 {
			t.Errorf("%d callers are remembered", n)
		}
		for i := range 40 { // ten a second where one is allowed: the burst, and then one a second
			allowed := 0
			for range 10 {
				if b.api.Allow("greedy") {
					allowed++
				}
			}
			b.api.Allow(fmt.Sprint("another", i))
			if i > 0 && allowed != 1 || i == 0 && allowed != 5 {
				t.Errorf("%d in second %d", allowed, i)
			}
			time.Sleep(time.Second)
		}
	})
}

// A proxy sends the requests of all its clients over one connection. Each client has its own limits.
func TestRatesOfClientsOnOneConnection(t *testing.T) {
	const ada, bob, invented = "192.0.2.1", "192.0.2.2", "198.51.100.1"
	c := config()
	c.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	c.Limits.Publishes, c.Limits.Reads = 1.0/60, 1.0/60 // one at once, then one a minute
	b := start(t, c)
	conn, err := net.Dial("tcp", b.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	for _, request := range []struct {
		method, client string
		want           int
	}{
		{http.MethodPost, ada, http.StatusAccepted},
		{http.MethodPost, ada, http.StatusTooManyRequests},
		{http.MethodPost, bob, http.StatusAccepted},
		{http.MethodPost, bob, http.StatusTooManyRequests},
		{http.MethodPost, invented + ", " + ada, http.StatusTooManyRequests},
		{http.MethodHead, ada, http.StatusOK},
		{http.MethodGet, ada, http.StatusServiceUnavailable},
		{http.MethodGet, bob, http.StatusOK},
		{http.MethodGet, invented + ", " + bob, http.StatusServiceUnavailable},
	} {
		r := httptest.NewRequest(request.method, "http://localhost/events/chat.room1?poll=1", strings.NewReader(""))
		r.Header.Set("X-Forwarded-For", request.client)
		if err := r.Write(conn); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(answers, r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body) // the next answer begins after it
		if response.StatusCode != request.want {
			t.Errorf("%s of %s is answered %s instead of %d", request.method, request.client, response.Status, request.want)
		}
	}
}
