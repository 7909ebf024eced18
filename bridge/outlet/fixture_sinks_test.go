package outlet_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge/bridgetest"
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
