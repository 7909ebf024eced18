package outlet_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/outlet"
)

// sink is a ResponseWriter without a socket, for tests whose time is not real.
type sink struct {
	mu     sync.Mutex
	buffer bytes.Buffer
	writes int
	before func() // each write; may be nil
}

func (s *sink) Header() http.Header { return http.Header{} }

func (s *sink) WriteHeader(int) {}

func (s *sink) FlushError() error { return nil }

func (s *sink) SetWriteDeadline(time.Time) error { return nil }

func (s *sink) Write(data []byte) (int, error) {
	if s.before != nil {
		s.before()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	return s.buffer.Write(data)
}

// take returns what was written since the last call, and in how many writes.
func (s *sink) take() (data string, writes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, writes = s.buffer.String(), s.writes
	s.buffer.Reset()
	s.writes = 0
	return data, writes
}

// events reads all that was written.
func (s *sink) events(t testing.TB) (*bridgetest.Stream, []bridgetest.Event) {
	t.Helper()
	data, _ := s.take()
	stream := bridgetest.NewStream(bytes.NewBufferString(data))
	var events []bridgetest.Event
	for {
		event, err := stream.Next()
		if errors.Is(err, io.EOF) {
			return stream, events
		}
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, event)
	}
}

// request returns a request for the sinks.
func request(ctx context.Context, target string) *http.Request {
	return httptest.NewRequestWithContext(ctx, http.MethodGet, target, nil)
}

// pipes is a listener in memory, for http.Server in a synctest bubble, where a socket is not allowed.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// dial sends a request, and gives the connection on which the answer comes.
func (p *pipes) dial(t testing.TB) net.Conn {
	t.Helper()
	mine, theirs := net.Pipe()
	p.conns <- theirs
	if _, err := fmt.Fprint(mine, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return mine
}

// accept returns a connection that Listen has accepted, and its client's end.
func accept(t *testing.T) (conn, client net.Conn) {
	t.Helper()
	listener := newPipes()
	client, server := net.Pipe()
	go func() { listener.conns <- server }()
	conn, err := outlet.Listen(listener, nil).Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		_ = client.Close()
		_ = listener.Close()
	})
	return conn, client
}
