package httpapi_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// The body of most requests has no meaning. A small one is ignored, with any method, and a large one refused.
func TestBodiesThatMeanNothing(t *testing.T) {
	b := start(t, config())
	const small = 4 << 10
	for _, test := range []struct {
		method, path string
		status       int // with a small body
	}{
		{http.MethodGet, "/events/chat.room1?poll=1", http.StatusOK},
		{http.MethodGet, "/nothing", http.StatusNotFound},
		{http.MethodHead, "/events/chat.room1", http.StatusOK},
		{http.MethodOptions, "/events/chat.room1", http.StatusNoContent},
		{http.MethodDelete, "/events/chat.room1", http.StatusMethodNotAllowed},
		{http.MethodPost, "/session", http.StatusNotFound},
	} {
		for _, chunked := range []bool{false, true} {
			for size, want := range map[int]int{small: test.status, small + 1: http.StatusRequestEntityTooLarge, bodyLimit + small: http.StatusRequestEntityTooLarge} {
				t.Run(fmt.Sprint(test.method, test.path, " ", size, " ", chunked), func(t *testing.T) {
					var body io.Reader = bytes.NewReader(make([]byte, size))
					if chunked {
						body = io.MultiReader(body) // hides the size from the client
					}
					got := b.do(t, test.method, test.path, body)
					if got.status != want {
						t.Errorf("the answer is %d, want %d: %s", got.status, want, got.body)
					}
				})
			}
		}
	}
	b.quiet(t)
}

// A program that serves the bridge may call it with a request that has no Body, as http.NewRequest makes it.
func TestRequestOfAProgram(t *testing.T) {
	b := newFixture(t, config())
	r, err := http.NewRequest(http.MethodGet, "http://localhost/events/chat.room1?poll=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	b.api.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// A client that sends Expect: 100-continue is refused before it sends a body.
func TestBodyIsRefusedBeforeItIsSent(t *testing.T) {
	b := start(t, config())
	for _, request := range []string{
		"GET /events/chat.room1 HTTP/1.1\r\nContent-Length: 4097",
		"HEAD /events/chat.room1 HTTP/1.1\r\nContent-Length: 4097",
		fmt.Sprintf("POST /events/chat.room1 HTTP/1.1\r\nContent-Length: %d", bodyLimit+1),
	} {
		conn, err := net.Dial("tcp", b.server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "%s\r\nHost: localhost\r\nExpect: 100-continue\r\n\r\n", request)
		answer, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.HasPrefix(answer, "HTTP/1.1 413 ") {
			t.Errorf("%q: %q, %v", request, answer, err)
		}
	}
}

// The memory of bodies is limited, in all and per caller, and freed after each.
func TestBodiesShareMemory(t *testing.T) {
	const memory = 16 << 10
	c := config()
	c.Limits.Body, c.Limits.Memory = memory/4, memory
	c.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	b := start(t, c)
	announced := func(from string, size, sent int) net.Conn {
		conn, err := net.Dial("tcp", b.server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		fmt.Fprintf(conn, "POST /events/chat.room1 HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: %s\r\nContent-Length: %d\r\n\r\n%s", from, size, strings.Repeat("x", sent))
		return conn
	}
	held := func() int64 { return b.api.Stats().Memory.Held }
	first := announced("192.0.2.1", memory/4, memory/4-1)
	second := announced("192.0.2.1", memory/4, memory/4-1)
	bridgetest.Eventually(t, "two bodies have room", func() bool { return held() == memory/2 })
	refused := b.do(t, http.MethodPost, "/events/chat.room1", strings.NewReader("small"), "X-Forwarded-For", "192.0.2.1")
	if p := refused.problem(t, http.StatusServiceUnavailable, "busy"); strings.ContainsAny(p.Detail, "0123456789") || refused.header.Get("Retry-After") == "" {
		t.Errorf("%+v, %v", p, refused.header)
	}
	if other := b.do(t, http.MethodPost, "/events/chat.room1", strings.NewReader("small"), "X-Forwarded-For", "192.0.2.2"); other.status != http.StatusAccepted {
		t.Errorf("somebody else is answered %d", other.status)
	}
	if stats := b.api.Stats(); stats.Limited["memory"] != 1 || stats.Memory.Refused != 1 {
		t.Errorf("%+v", stats)
	}
	fmt.Fprint(first, "y")
	second.Close()
	bridgetest.Eventually(t, "nothing is held", func() bool { return held() == 0 })
	if again := b.do(t, http.MethodPost, "/events/chat.room1", strings.NewReader("small"), "X-Forwarded-For", "192.0.2.1"); again.status != http.StatusAccepted {
		t.Errorf("behind its bodies, the caller is answered %d", again.status)
	}
}

// The bodies of all callers together have no more than the memory, although each keeps to its share.
func TestBodiesOfAllShareMemory(t *testing.T) {
	const memory, body = 16 << 10, 4 << 10
	c := config()
	c.Limits.Body, c.Limits.Memory = body, memory
	c.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	b := start(t, c)
	for i, from := range []string{"192.0.2.1", "192.0.2.1", "192.0.2.2"} {
		conn, err := net.Dial("tcp", b.server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		fmt.Fprintf(conn, "POST /events/chat.room1 HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: %s\r\nContent-Length: %d\r\n\r\nx", from, body)
		bridgetest.Eventually(t, "the body has room", func() bool { return b.api.Stats().Memory.Held == int64(i+1)*body })
	}
	last := b.do(t, http.MethodPost, "/events/chat.room1", strings.NewReader(strings.Repeat("x", body)), "X-Forwarded-For", "192.0.2.3")
	last.problem(t, http.StatusServiceUnavailable, "busy")
}

// An announced length costs nothing until the body arrives.
func TestAnnouncedBodiesCostNothing(t *testing.T) {
	c := config()
	c.Limits.Body = 1 << 20
	c.Limits.Memory = 4 << 20
	b := start(t, c)
	const requests = 50
	for range requests {
		conn, err := net.Dial("tcp", b.server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST /events/chat.room1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\nx", 1<<20)
	}
	bridgetest.Eventually(t, "all have begun", func() bool { return b.api.Stats().Memory.Held == requests*4<<10 })
}
