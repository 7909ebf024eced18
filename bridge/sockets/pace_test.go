package sockets_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/sockets"
)

// secured is a server over TLS with places, for a bubble. It answers requests once it has their bodies, and counts them.
type secured struct {
	t       *testing.T
	pipes   *bridgetest.Pipes
	places  *sockets.Places
	server  *httptest.Server
	answers atomic.Int64
	served  atomic.Int64 // GETs that have not ended
}

// securely runs a test in a bubble, and checks that nothing is left behind it.
func securely(t *testing.T, limits sockets.Limits, test func(*testing.T, *secured)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &secured{t: t, pipes: bridgetest.NewPipes(), places: sockets.NewPlaces(limits)}
		s.server = httptest.NewUnstartedServer(s.places.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				s.served.Add(1)
				defer s.served.Add(-1)
				<-r.Context().Done() // as an event stream
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
			s.answers.Add(1)
			w.WriteHeader(http.StatusNoContent)
		})))
		s.server.Listener.Close()
		s.server.Listener = sockets.Listen(s.pipes, s.places)
		s.server.Config.ConnContext = sockets.ConnContext
		s.server.EnableHTTP2 = true
		s.server.StartTLS()
		test(t, s)
		s.server.Close()
		time.Sleep(time.Minute) // of the bubble: what is owed has been forgotten
		synctest.Wait()
		if stats := s.places.Stats(); stats.Held != 0 || s.places.Networks() != 0 {
			t.Errorf("behind the last: %+v", stats)
		}
	})
}

// dial connects from an address, and shakes hands.
func (s *secured) dial(address string, protocols ...string) *tls.Conn {
	mine, theirs := net.Pipe()
	return s.shake(mine, theirs, address, protocols...)
}

// shake shakes hands over the client's end of a pipe, and hands the other end to the server.
func (s *secured) shake(mine, theirs net.Conn, address string, protocols ...string) *tls.Conn {
	s.pipes.Conns <- peer{theirs, net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(address), 1))}
	roots := s.server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	conn := tls.Client(mine, &tls.Config{RootCAs: roots, ServerName: "example.com", NextProtos: protocols})
	if err := conn.Handshake(); err != nil {
		s.t.Error(err)
	}
	return conn
}

// client returns a client that connects from an address, and closes its connections with the test.
func (s *secured) client(address, protocol string) *http.Client {
	transport := &http.Transport{ForceAttemptHTTP2: protocol == "h2", DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
		mine, theirs := net.Pipe()
		return s.shake(newQueued(mine), theirs, address, protocol), nil
	}}
	return &http.Client{Transport: transport}
}

// queued is a connection whose writes do not block while the peer does not read, as over a network. Otherwise a client of net/http would
// hold its lock meanwhile, and the bubble's time would not advance.
type queued struct {
	net.Conn
	queue  chan []byte
	closed chan struct{}
	close  func()
}

func newQueued(conn net.Conn) *queued {
	q := &queued{Conn: conn, queue: make(chan []byte, 1<<12), closed: make(chan struct{})}
	q.close = sync.OnceFunc(func() { close(q.closed) })
	go q.send()
	return q
}

func (q *queued) send() {
	for {
		select {
		case data := <-q.queue:
			if _, err := q.Conn.Write(data); err != nil {
				return
			}
		case <-q.closed:
			return
		}
	}
}

func (q *queued) Write(data []byte) (int, error) {
	select {
	case q.queue <- bytes.Clone(data):
		return len(data), nil
	case <-q.closed:
		return 0, net.ErrClosed
	}
}

func (q *queued) Close() error {
	q.close()
	return q.Conn.Close()
}

// ask sends a request and reads its answer.
func (s *secured) ask(client *http.Client, body string) {
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, "https://example.com/", strings.NewReader(body))
	if err != nil {
		s.t.Error(err)
		return
	}
	request.Header.Set("Cookie", "token="+strings.Repeat("x", 1000))
	response, err := client.Do(request)
	if err != nil {
		s.t.Error(err)
		return
	}
	response.Body.Close()
	if response.StatusCode != http.StatusNoContent {
		s.t.Errorf("a request is answered %s", response.Status)
	}
}

// floods are frames of HTTP/2 that cost their sender little, by what they are: each writes the i-th of a connection.
var floods = map[string]func(f *http2.Framer, i uint32) error{
	"resets": func(f *http2.Framer, i uint32) error {
		if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*i + 1, BlockFragment: smallHead(), EndHeaders: true, EndStream: true}); err != nil {
			return err
		}
		return f.WriteRSTStream(2*i+1, http2.ErrCodeCancel)
	},
	"pings":    func(f *http2.Framer, i uint32) error { return f.WritePing(false, [8]byte{byte(i)}) },
	"settings": func(f *http2.Framer, i uint32) error { return f.WriteSettings() },
	"windows":  func(f *http2.Framer, i uint32) error { return f.WriteWindowUpdate(0, 1) },
	"empty data": func(f *http2.Framer, i uint32) error {
		if i == 0 {
			return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: smallHead(), EndHeaders: true})
		}
		return f.WriteData(1, false, nil)
	},
}

var smallHead = sync.OnceValue(func() []byte {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, field := range []hpack.HeaderField{{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: "example.com"}, {Name: ":path", Value: "/"}} {
		_ = encoder.WriteField(field) // into a buffer
	}
	return block.Bytes()
})

// flood sends so many bytes of frames from each of some connections of an address, which are opened again when they are cut.
func (s *secured) flood(address string, connections, bytes int, frame func(*http2.Framer, uint32) error) {
	var flooding sync.WaitGroup
	for range connections {
		flooding.Go(func() {
			for sent := 0; sent < bytes; {
				sent += s.floodOnce(address, bytes-sent, frame)
			}
		})
	}
	flooding.Wait()
}

// floodOnce sends frames on one connection, and returns how many bytes were sent before it was cut.
func (s *secured) floodOnce(address string, most int, frame func(*http2.Framer, uint32) error) (sent int) {
	conn := s.dial(address, "h2")
	var reading sync.WaitGroup
	reading.Go(func() { _, _ = io.Copy(io.Discard, conn) })
	defer reading.Wait()
	defer conn.Close()
	var records bytes.Buffer
	records.WriteString(http2.ClientPreface)
	framer := http2.NewFramer(&records, nil)
	_ = framer.WriteSettings() // into a buffer, as all below
	for i := uint32(0); sent < most; {
		for ; records.Len() < 4<<10; i++ {
			_ = frame(framer, i)
		}
		n, err := records.WriteTo(conn)
		if sent += int(n); err != nil {
			break
		}
	}
	return sent
}

// An address that sends more small frames over HTTP/2 than its connections may is read from more slowly, also if it connects anew. Another
// client does not wait.
func TestFloodsOfFramesAreSlowed(t *testing.T) {
	const connections, bytes, each = 6, 32 << 10, 64
	for name, frame := range floods {
		t.Run(name, func(t *testing.T) {
			securely(t, sockets.Limits{All: 1000, Each: each}, func(t *testing.T, s *secured) {
				enough, other := make(chan struct{}), s.client("192.0.2.2", "h2")
				var asking sync.WaitGroup
				asking.Go(func() {
					for isOver := false; !isOver; {
						begin := time.Now()
						s.ask(other, "somebody else")
						if waited := time.Since(begin); waited > 0 {
							t.Errorf("another client waited for %v", waited)
						}
						select {
						case <-enough:
							isOver = true
						case <-time.After(100 * time.Millisecond):
						}
					}
				})
				begin := time.Now()
				s.flood("192.0.2.1", connections, bytes, frame)
				took := time.Since(begin)
				close(enough)
				asking.Wait()
				other.CloseIdleConnections()
				// For each connection that there may be, 2 KiB are free at once, and one in each second.
				if least := time.Duration(connections*bytes-2*each<<10) * time.Second / (each << 10); took < least {
					t.Errorf("the flood took %v instead of at least %v", took, least)
				}
			})
		})
	}
}

// A request that is reset at once counts a KiB beside its frames.
func TestQuickResetsCostMore(t *testing.T) {
	const each, bytes = 64, 60 << 10
	securely(t, sockets.Limits{All: 1000, Each: each}, func(t *testing.T, s *secured) {
		begin := time.Now()
		s.floodOnce("192.0.2.1", bytes, floods["resets"]) // as many as may be sent at once
		s.floodOnce("192.0.2.1", 1, floods["pings"])
		if took := time.Since(begin); took < 5*time.Second {
			t.Errorf("%d KiB of resets cost %v", bytes>>10, took)
		}
	})
}

// dialHTTP2 opens a connection to a server. The end of the test closes both.
func dialHTTP2(t *testing.T, places *sockets.Places, handler http.Handler) *tls.Conn {
	t.Helper()
	server := serve(t, places, handler, true)
	roots := server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	conn, err := tls.Dial("tcp", server.Listener.Addr().String(), &tls.Config{RootCAs: roots, ServerName: "example.com", NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// A request that its client has reset before its handler runs is not served.
func TestResetRequestsAreNotServed(t *testing.T) {
	places, served, done := sockets.NewPlaces(sockets.Limits{}), false, make(chan struct{})
	handler := places.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served = true }))
	conn := dialHTTP2(t, places, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		<-r.Context().Done() // as if the processors had been busy until now
		handler.ServeHTTP(w, r)
	}))
	framer := http2.NewFramer(conn, nil)
	_, err := conn.Write([]byte(http2.ClientPreface))
	if err := errors.Join(err, framer.WriteSettings(), floods["resets"](framer, 0)); err != nil {
		t.Fatal(err)
	}
	<-done
	if served {
		t.Error("a request was served that had been reset")
	}
}

// A client behind the address of a flood is read from soon: each connection of the address is read from a little at a time.
func TestNeighboursOfAFloodAreRead(t *testing.T) {
	securely(t, sockets.Limits{All: 1000, Each: 64}, func(t *testing.T, s *secured) {
		var flooding sync.WaitGroup
		flooding.Go(func() { s.flood("192.0.2.1", 60, 16<<10, floods["pings"]) })
		time.Sleep(5 * time.Second) // of the bubble: the flood goes on for some twelve
		begin, neighbour := time.Now(), s.client("192.0.2.1", "http/1.1")
		s.ask(neighbour, "a message")
		if waited := time.Since(begin); waited > 5*time.Second {
			t.Errorf("a neighbour waited for %v", waited)
		}
		neighbour.CloseIdleConnections()
		flooding.Wait()
	})
}

// Who connects again and again pays for each handshake, whatever follows.
func TestHandshakesAreSlowed(t *testing.T) {
	securely(t, sockets.Limits{All: 1000, Each: 64}, func(t *testing.T, s *secured) {
		begin := time.Now()
		for range 150 {
			s.dial("192.0.2.1", "h2").Close()
		}
		if took := time.Since(begin); took < 2*time.Second {
			t.Errorf("150 handshakes took %v", took)
		}
	})
}

// A network of IPv6 shares a pace, however many of its addresses send; and what was owed stays owed while nobody is connected.
func TestNetworksShareAPace(t *testing.T) {
	const each = 64
	for _, test := range []struct {
		name    string
		address func(int) string
		times   int // as much as an address
	}{
		{"an address", func(int) string { return "192.0.2.1" }, 1},
		{"a network of 64 bits", func(i int) string { return fmt.Sprintf("2001:db8::%x", i+1) }, 1},
		{"a network of 56 bits", func(i int) string { return fmt.Sprintf("2001:db8:0:%x::1", i) }, 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			securely(t, sockets.Limits{All: 1000, Each: each}, func(t *testing.T, s *secured) {
				begin, bytes := time.Now(), 5*test.times*each<<10
				for i := range 8 {
					s.floodOnce(test.address(i), bytes/8, floods["pings"])
				}
				// What is sent at once is free, and the last of it is not waited for.
				if took, least := time.Since(begin), 2*time.Second; took < least {
					t.Errorf("took %v instead of at least %v", took, least)
				}
			})
		})
	}
}
