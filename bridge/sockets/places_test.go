package sockets_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/sockets"
)

// door is a listener with places, at which peers of any address come. It is for a bubble.
type door struct {
	t      *testing.T
	pipes  *bridgetest.Pipes
	places *sockets.Places
}

// inFrontOf runs a test in a bubble.
func inFrontOf(t *testing.T, limits sockets.Limits, test func(*testing.T, *door)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := &door{t, bridgetest.NewPipes(), sockets.NewPlaces(limits)}
		listener := sockets.Listen(d.pipes, d.places)
		var accepted []net.Conn
		var accepting sync.WaitGroup
		accepting.Go(func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				accepted = append(accepted, conn)
			}
		})
		test(t, d)
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
		accepting.Wait()
		for _, conn := range accepted {
			conn.Close()
			conn.Close() // counts once
		}
		if stats := d.places.Stats(); stats.Held != 0 || stats.Waiting != 0 || stats.Taken != 0 || d.places.Networks() != 0 {
			t.Errorf("behind the last: %+v", stats)
		}
	})
}

// peer is a connection that comes from somewhere.
type peer struct {
	net.Conn
	address net.Addr
}

// RemoteAddr implements net.Conn.
func (p peer) RemoteAddr() net.Addr { return p.address }

// come opens connections from an address, one after another.
func (d *door) come(address string, count int) []net.Conn {
	d.t.Helper()
	var all []net.Conn
	for range count {
		all = append(all, d.connect(address))
		time.Sleep(20 * time.Millisecond) // of the bubble: it is not young any more
	}
	return all
}

// connect opens a connection from an address.
func (d *door) connect(address string) net.Conn {
	d.t.Helper()
	mine, theirs := net.Pipe()
	d.t.Cleanup(func() { mine.Close() })
	d.pipes.Conns <- peer{theirs, net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(address), 1))}
	synctest.Wait()
	return mine
}

// stillOpen returns how many of the connections are.
func stillOpen(conns []net.Conn) (count int) {
	synctest.Wait()
	for _, conn := range conns {
		_ = conn.SetReadDeadline(time.Now().Add(time.Nanosecond))
		if _, err := conn.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
			count++
		}
	}
	return count
}

// A client with many waiting sockets makes room for others: its oldest are closed, and no other client's.
func TestWhoHoldsManyMakesRoom(t *testing.T) {
	inFrontOf(t, sockets.Limits{All: 10}, func(t *testing.T, d *door) {
		other := d.come("192.0.2.1", 2)
		first := d.come("192.0.2.9", 8)
		more := d.come("192.0.2.9", 20)
		if n := stillOpen(other); n != 2 {
			t.Errorf("of another's sockets %d are open", n)
		}
		if before, now := stillOpen(first), stillOpen(more[:12])+stillOpen(more[12:]); before != 0 || now != 8 || stillOpen(more[12:]) != 8 {
			t.Errorf("of the oldest %d are open, and of the newest %d", before, now)
		}
		// Of many clients with one socket each, the oldest is closed first.
		var many []net.Conn
		for i := range 30 {
			many = append(many, d.come(fmt.Sprintf("198.51.100.%d", i), 1)...)
		}
		if stillOpen(other) > 1 || stillOpen(many[len(many)-8:]) != 8 {
			t.Errorf("%d and %d are open", stillOpen(other), stillOpen(many))
		}
		if stats := d.places.Stats(); stats.Held != 10 || stats.Waiting != 10 || stats.Evicted != 50 || stats.Refused != 0 {
			t.Errorf("%+v", stats)
		}
	})
}

// An address has a share of the places, and so have the networks that it is in.
func TestNetworksHaveTheirShare(t *testing.T) {
	const come = 300
	for _, test := range []struct {
		name string
		at   func(int) string
		want int
	}{
		{"an address", func(int) string { return "192.0.2.1" }, 16},
		{"addresses", func(i int) string { return fmt.Sprintf("192.0.%d.%d", i>>8, i&255) }, come},
		{"a network of 64 bits", func(i int) string { return fmt.Sprintf("2001:db8::%x", i) }, 16},
		{"a network of 56 bits", func(i int) string { return fmt.Sprintf("2001:db8:0:%x::1", i&0xff) }, 64},
		{"a network of 48 bits", func(i int) string { return fmt.Sprintf("2001:db8:0:%x::1", i<<8&0xffff|i&3) }, 256},
		{"networks", func(i int) string { return fmt.Sprintf("2001:db8:%x::1", i) }, come},
		{"an address as IPv6 has it", func(int) string { return "::ffff:192.0.2.1" }, 16},
		{"a proxy", func(int) string { return "10.0.0.1" }, come},
	} {
		t.Run(test.name, func(t *testing.T) {
			inFrontOf(t, sockets.Limits{All: 1000, Each: 16, Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, func(t *testing.T, d *door) {
				var all []net.Conn
				for i := range come {
					all = append(all, d.come(test.at(i), 1)...)
				}
				if n := stillOpen(all); n != test.want || stillOpen(all[len(all)-test.want:]) != n {
					t.Errorf("%d are open instead of the last %d", n, test.want)
				}
			})
		})
	}
}

// A socket that has just arrived is left a moment: the next one waits for that.
func TestYoungSocketsAreLeftAMoment(t *testing.T) {
	const all = 16
	inFrontOf(t, sockets.Limits{All: all}, func(t *testing.T, d *door) {
		var conns []net.Conn
		for range all + 1 {
			conns = append(conns, d.connect("192.0.2.1"))
		}
		if n := stillOpen(conns); n != all+1 {
			t.Errorf("%d are open at first", n)
		}
		time.Sleep(20 * time.Millisecond)
		if stillOpen(conns[:1]) != 0 || stillOpen(conns[1:]) != all {
			t.Errorf("%d are open later", stillOpen(conns))
		}
	})
}

// A network that has no place left makes nobody wait: its further sockets are refused at once, however young those are that it has.
func TestFullNetworkMakesNobodyWait(t *testing.T) {
	const each = 16
	inFrontOf(t, sockets.Limits{All: 1000, Each: each}, func(t *testing.T, d *door) {
		begin := time.Now()
		var conns []net.Conn
		for range each + 50 {
			conns = append(conns, d.connect("192.0.2.1"))
		}
		other := d.connect("192.0.2.2")
		if waited := time.Since(begin); waited > 0 {
			t.Errorf("another client waited for %v", waited)
		}
		if stillOpen(conns[:each]) != each || stillOpen(conns[each:]) != 0 || stillOpen([]net.Conn{other}) != 1 {
			t.Errorf("%d of the first and %d of the others are open", stillOpen(conns[:each]), stillOpen(conns[each:]))
		}
		if stats := d.places.Stats(); stats.Refused != 50 || stats.Evicted != 0 {
			t.Errorf("%+v", stats)
		}
	})
}

// holder serves requests that hold a place until the test lets them go.
type holder struct {
	places *sockets.Places
	let    chan struct{}
}

func (h *holder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	free, _ := h.places.Take(r.Context(), netip.MustParseAddr("192.0.2.1"))
	if free == nil {
		http.Error(w, "full", http.StatusServiceUnavailable)
		return
	}
	defer free()
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	<-h.let
}

// A request has its socket's place; of several on one socket, over HTTP/2, each has one. So sockets and requests have no more than
// there are, and those that wait make room for requests.
func TestRequestsTakeFromTheSameCount(t *testing.T) {
	for name, isHTTP2 := range map[string]bool{"HTTP1": false, "HTTP2": true} {
		t.Run(name, func(t *testing.T) {
			const all, few = 40, 8 + 40/8
			places := sockets.NewPlaces(sockets.Limits{All: all})
			h := &holder{places, make(chan struct{})}
			server := serve(t, places, places.Handler(h), isHTTP2)
			var cut atomic.Int64
			for range all - 1 {
				silent, err := net.Dial("tcp", server.Listener.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer silent.Close()
				go func() {
					_, _ = silent.Read(make([]byte, 1))
					cut.Add(1)
				}()
			}
			bridgetest.Eventually(t, "all are counted", func() bool { return places.Stats().Held == all-1 })
			for i := range all {
				if status := hold(t, server); status != http.StatusOK {
					t.Fatalf("request %d is answered %d", i, status)
				}
			}
			if status := hold(t, server); status != http.StatusServiceUnavailable {
				t.Errorf("one more is answered %d", status)
			}
			bridgetest.Eventually(t, "each request has one place, and what waits has the few beside", func() bool {
				stats := places.Stats()
				return stats.Taken == all && stats.Held-stats.Waiting == all && stats.Held <= all+few
			})
			bridgetest.Eventually(t, "who had to make room was cut", func() bool { return cut.Load() >= all-1-few })
			server.CloseClientConnections()
			close(h.let)
			bridgetest.Eventually(t, "nothing is left", func() bool {
				stats := places.Stats()
				return stats.Held == 0 && stats.Taken == 0 && places.Networks() == 0
			})
		})
	}
}

// serve starts a server over these places, which speaks HTTP/1 in plain, or HTTP/2. The end of the test closes it.
func serve(t *testing.T, places *sockets.Places, handler http.Handler, isHTTP2 bool) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Listener = sockets.Listen(server.Listener, places)
	server.Config.ConnContext = sockets.ConnContext
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	if server.EnableHTTP2 = isHTTP2; isHTTP2 {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return server
}

// hold sends a request, and reads the head of the answer.
func hold(t *testing.T, server *httptest.Server) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response.StatusCode
}

// PlacesFor leaves a few sockets for clients that are told to come back.
func TestPlacesFor(t *testing.T) {
	for most, want := range map[int]int{-100: 1, 0: 1, 9: 1, 160: 135, 17436: 16412} {
		if got := sockets.PlacesFor(most); got != want {
			t.Errorf("for %d sockets: %d instead of %d", most, got, want)
		}
	}
}
