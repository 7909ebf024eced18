package httpapi_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

func TestHalfABody(t *testing.T) {
	b := start(t, config())
	for name, request := range map[string]string{
		"Content-Length": "POST /events/chat.room1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf",
		"chunked":        "POST /events/chat.room1 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
		"bad chunk":      "POST /events/chat.room1 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\nhalf\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			b.raw(t, http.MethodPost, request, true).problem(t, http.StatusBadRequest, "incomplete-body")
		})
	}
	// A client that breaks off altogether.
	ctx, cancel := context.WithCancel(t.Context())
	started := make(chan struct{})
	body := io.MultiReader(strings.NewReader("half"), readerFunc(func() { close(started); <-ctx.Done() }), iotest.ErrReader(io.ErrUnexpectedEOF))
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.server.URL+"/events/chat.room1", body)
	if err != nil {
		t.Fatal(err)
	}
	go func() { <-started; cancel() }()
	if response, err := b.server.Client().Do(r); err == nil {
		response.Body.Close()
		t.Error("it was answered")
	}
	bridgetest.Eventually(t, "all are refused", func() bool { return b.api.Stats().Publishes["refused"] == 4 })
	if got := b.publisher.all(); len(got) != 0 {
		t.Errorf("published: %q", got[0].data)
	}
	b.quiet(t)
}

// readerFunc is an empty reader that does something.
type readerFunc func()

func (f readerFunc) Read([]byte) (int, error) {
	f()
	return 0, io.EOF
}

// A client that never sends its body is given half a minute, whether or not the request is one that would be refused.
func TestBodyThatDoesNotCome(t *testing.T) {
	for path, status := range map[string]string{"chat.room1": "400", "forbidden": "403", "..": "400"} {
		t.Run(path, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newFixture(t, config())
				mine, theirs := net.Pipe()
				defer mine.Close()
				listener := bridgetest.NewPipes()
				server := &http.Server{Handler: b.api, ErrorLog: slog.NewLogLogger(secrets.Log(slog.DiscardHandler), slog.LevelError)}
				go server.Serve(listener)
				defer server.Close()
				listener.Conns <- theirs
				begin := time.Now()
				if _, err := fmt.Fprintf(mine, "POST /events/%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf", path); err != nil {
					t.Fatal(err)
				}
				answer, err := io.ReadAll(mine)
				if took := time.Since(begin); took < 10*time.Second || took > time.Minute {
					t.Errorf("it was answered after %v", took)
				}
				if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 "+status+" ") {
					t.Errorf("%q, %v", answer, err)
				}
				if strings.Contains(string(answer), "timeout") {
					t.Errorf("a stranger learns the cause: %q", answer)
				}
			})
		})
	}
}

// A body has the time that a slow line needs for it. One that trickles ends soon, over HTTP/2 too, where the connection has no deadline.
func TestBodiesOfSlowClients(t *testing.T) {
	const size = 8 << 20
	for _, test := range []struct {
		name       string
		rate       int // bytes a second
		status     int
		from, upTo time.Duration
	}{
		{"slow line", 32 << 10, http.StatusAccepted, 4 * time.Minute, 5 * time.Minute},
		{"fast line", 8 << 20, http.StatusAccepted, 0, 10 * time.Second},
		{"byte a second", 1, http.StatusBadRequest, 10 * time.Second, time.Minute},
		{"half of the least rate", 8 << 10, http.StatusBadRequest, 50 * time.Second, 70 * time.Second},
	} {
		for _, major := range []int{1, 2} {
			protocols := new(http.Protocols)
			protocols.SetHTTP1(major == 1)
			protocols.SetUnencryptedHTTP2(major == 2)
			t.Run(fmt.Sprint(test.name, " over HTTP/", major), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := config()
					c.Limits.Body = size
					b := newFixture(t, c)
					took, status := b.upload(t, protocols, &slowReader{rate: test.rate, left: size, closed: make(chan struct{})})
					if status != test.status || took < test.from || took > test.upTo {
						t.Errorf("answered %d after %v", status, took)
					}
					got := b.publisher.all()
					if isPublished := len(got) == 1 && len(got[0].data) == size; isPublished != (status == http.StatusAccepted) || !isPublished && len(got) > 0 {
						t.Errorf("answered %d, and published %d", status, len(got))
					}
				})
			})
		}
	}
}

// lingering is closed a moment later, as a socket is: the other side reads what was written before its own writes fail.
type lingering struct{ net.Conn }

const lingers = time.Second // in a bubble

func (l lingering) Close() error {
	time.Sleep(lingers)
	return l.Conn.Close()
}

// upload posts a body in a bubble to a server that limits the time of an answer. It returns when it was answered, and with which status.
func (b *fixture) upload(t *testing.T, protocols *http.Protocols, body io.Reader) (took time.Duration, status int) {
	t.Helper()
	mine, theirs := net.Pipe()
	listener := bridgetest.NewPipes()
	defer time.Sleep(2 * lingers) // until it is closed
	server := &http.Server{Handler: b.api, Protocols: protocols, WriteTimeout: 30 * time.Second, ErrorLog: slog.NewLogLogger(secrets.Log(slog.DiscardHandler), slog.LevelError)}
	go server.Serve(listener)
	defer server.Close()
	listener.Conns <- lingering{theirs}
	transport := &http.Transport{Protocols: protocols, DialContext: func(context.Context, string, string) (net.Conn, error) { return mine, nil }}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequest(http.MethodPost, "http://localhost/events/chat.room1", body)
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	response, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	took = time.Since(begun)
	if isHTTP2 := response.ProtoMajor == 2; isHTTP2 == protocols.HTTP1() {
		t.Errorf("answered over %s", response.Proto)
	}
	response.Body.Close()
	r.Body.Close() // what is left of it would be read on
	return took, response.StatusCode
}

// slowReader is a body that arrives at a rate, in bytes a second.
type slowReader struct {
	rate, left int
	closed     chan struct{}
	close      sync.Once
}

func (s *slowReader) Read(p []byte) (int, error) {
	n := min(len(p), s.rate, s.left)
	if n == 0 {
		return 0, io.EOF
	}
	select {
	case <-time.After(time.Duration(n) * time.Second / time.Duration(s.rate)): // in a bubble
	case <-s.closed:
		return 0, io.ErrClosedPipe
	}
	s.left -= n
	return copy(p[:n], bytes.Repeat([]byte("x"), n)), nil
}

func (s *slowReader) Close() error {
	s.close.Do(func() { close(s.closed) })
	return nil
}
