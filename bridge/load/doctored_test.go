package load_test

// A server of event streams that mistreats its readers as a test says.

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/tailwater/tailwater/bridge/load"
)

// treatment returns what a reader gets for the n-th message of its subject, counted from 1, and whether it is closed afterwards. The
// readers of a subject are counted from 0, in the order of their arrival.
type treatment func(reader, n int, frame string) (sent string, closed bool)

// faithful is a server without faults.
func faithful(_, _ int, frame string) (string, bool) { return frame, false }

type server struct {
	*httptest.Server
	treat treatment

	mu      sync.Mutex
	readers map[string][]chan string // closed when the server ends the connection
	counts  map[string]int
	sources map[string]int // connections by client address
}

func startServer(t *testing.T, treat treatment) *server {
	t.Helper()
	s := &server{treat: treat, readers: map[string][]chan string{}, counts: map[string]int{}, sources: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /events/{subject}", s.stream)
	mux.HandleFunc("POST /events/{subject}", s.publish)
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func (s *server) template() string { return s.URL + "/events/{subject}" }

// plan returns a plan that this server completes quickly.
func (s *server) plan() load.Plan {
	return load.Plan{
		URLs: []string{s.template()}, Post: s.template(), Subject: "bench.{n}", Connections: 5, Subjects: 1, Size: 64,
		Rate: 1000, Duration: patience, Messages: 20, Patience: patience,
	}
}

const lag = 1000 // messages that a reader may lag behind

func (s *server) stream(w http.ResponseWriter, r *http.Request) {
	frames := make(chan string, lag)
	subject := r.PathValue("subject")
	s.mu.Lock()
	s.readers[subject] = append(s.readers[subject], frames)
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	s.sources[host]++
	s.mu.Unlock()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Connection", "close") // the only sign of the end for a stalled reader
	response := http.NewResponseController(w)
	_ = response.Flush()
	for {
		select {
		case frame, open := <-frames:
			if !open {
				return
			}
			_, _ = io.WriteString(w, frame)
			_ = response.Flush()
		case <-r.Context().Done():
			return
		}
	}
}

func (s *server) publish(_ http.ResponseWriter, r *http.Request) {
	payload, _ := io.ReadAll(r.Body)
	frame := "data: " + string(payload) + "\n\n"
	subject := r.PathValue("subject")
	s.mu.Lock()
	defer s.mu.Unlock()
	isProbe := strings.HasPrefix(frame[len("data: ~twTESTS000000"):], "00000000") // after the tag and the subject
	if !isProbe {
		s.counts[subject]++
	}
	for i, frames := range s.readers[subject] {
		sent, closed := frame, false
		if !isProbe {
			sent, closed = s.treat(i, s.counts[subject], frame)
		}
		if frames != nil {
			frames <- sent
		}
		if closed && frames != nil {
			close(frames)
			s.readers[subject][i] = nil
		}
	}
}

// only treats one message of one reader.
func only(reader, n int, treat func(frame string) (string, bool)) treatment {
	return func(i, m int, frame string) (string, bool) {
		if i == reader && m == n {
			return treat(frame)
		}
		return frame, false
	}
}

// swap delays one message of one reader until after the next.
func swap(reader, n int) treatment {
	held := ""
	return func(i, m int, frame string) (string, bool) {
		switch {
		case i == reader && m == n:
			held = frame
			return "", false
		case i == reader && m == n+1:
			return frame + held, false
		}
		return frame, false
	}
}

// refusing answers every request for a stream as a handler does.
func refusing(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return fmt.Sprint(s.URL, "/{subject}")
}
