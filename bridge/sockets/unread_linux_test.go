package sockets_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/sockets"
)

// unheard is a listener with places whose connections nobody reads, unless the test does.
type unheard struct {
	t        *testing.T
	address  string
	places   *sockets.Places
	accepted chan net.Conn
}

// nobodyReads runs a test with such a listener.
func nobodyReads(t *testing.T, all int, test func(*unheard)) {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := &unheard{t, inner.Addr().String(), sockets.NewPlaces(sockets.Limits{All: all}), make(chan net.Conn)}
	listener := sockets.Listen(inner, u.places)
	var accepting sync.WaitGroup
	accepting.Go(func() {
		defer close(u.accepted)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			u.accepted <- conn
		}
	})
	test(u)
	if err := listener.Close(); err != nil {
		t.Error(err)
	}
	accepting.Wait()
}

// connect returns both ends of a new connection. Whoever makes room for it has been cut by then.
func (u *unheard) connect() (theirs, ours net.Conn) {
	u.t.Helper()
	theirs, err := net.Dial("tcp", u.address)
	if err != nil {
		u.t.Fatal(err)
	}
	select {
	case ours = <-u.accepted:
	case <-time.After(20 * time.Second):
		u.t.Fatalf("the newcomer was refused: %+v", u.places.Stats())
	}
	u.t.Cleanup(func() {
		theirs.Close()
		ours.Close()
	})
	return theirs, ours
}

// say sends a part of a request, and waits until it has arrived.
func (u *unheard) say(conn net.Conn) {
	u.t.Helper()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		u.t.Fatal(err)
	}
	if _, err := conn.Write([]byte("GET / HTTP/1.1\r\n")); err != nil {
		u.t.Fatal(err)
	}
	bridgetest.Eventually(u.t, "it has arrived", func() bool {
		under := 0
		_ = raw.Control(func(fd uintptr) { under, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
		return err == nil && under == 0
	})
}

func isOpen(conn net.Conn) bool {
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	_, err := conn.Read(make([]byte, 1))
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// A client that has sent a request waits for us, even if nobody has read it yet: a silent socket makes room before it, though it came
// later. That holds once, so bytes that are never read do not keep a place.
func TestUnreadRequestIsNotCutBeforeSilence(t *testing.T) {
	t.Run("young", func(t *testing.T) { testUnreadRequest(t, func(net.Conn) {}) })
	t.Run("old", func(t *testing.T) { testUnreadRequest(t, func(conn net.Conn) { isOpen(conn) }) }) // waits until none is young
}

func testUnreadRequest(t *testing.T, age func(net.Conn)) {
	const all = 16
	nobodyReads(t, all, func(u *unheard) {
		asks, _ := u.connect()
		u.say(asks)
		var silent []net.Conn
		for range all - 1 {
			theirs, _ := u.connect()
			silent = append(silent, theirs)
		}
		age(asks)
		for i, next := range silent {
			u.connect()
			if isOpen(next) || !isOpen(asks) {
				t.Fatalf("the silent socket %d is open, or the other is not", i)
			}
		}
		u.connect()
		if isOpen(asks) {
			t.Error("bytes that nobody reads keep the place for good")
		}
		if stats := u.places.Stats(); stats.Evicted != all || stats.Refused != 0 {
			t.Errorf("%+v", stats)
		}
		// Where every socket has sent something, a newcomer waits a moment, until the first of them may be cut.
		for range all {
			theirs, _ := u.connect()
			u.say(theirs)
		}
		if newcomer, _ := u.connect(); !isOpen(newcomer) || u.places.Stats().Refused != 0 {
			t.Errorf("the newcomer was refused: %+v", u.places.Stats())
		}
	})
}

// That holds once for each request: a connection that was spared, and of which a request has come since, or its head, is spared again when the
// next one waits.
func TestEachUnreadRequestIsSpared(t *testing.T) {
	for name, length := range map[string]int64{"whole": 0, "head": 5} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const all, requests = 16, 3
			nobodyReads(t, all, func(u *unheard) {
				for range all - 1 {
					u.connect()
				}
				asks, ours := u.connect()
				for i := range requests {
					u.say(asks)
					isOpen(asks)    // waits until no other is young
					for range all { // each of them needs room, so the oldest is reached again
						u.connect()
					}
					if !isOpen(asks) {
						t.Fatalf("request %d was cut before it was read", i)
					}
					if _, err := ours.Read(make([]byte, 64)); err != nil {
						t.Fatal(err)
					}
					u.serve(ours, length, func(*http.Request) {})
				}
			})
		})
	}
}

// serve serves a request on a connection, with a body of which nothing has come. It reports whether the response breaks off.
func (u *unheard) serve(ours net.Conn, length int64, serve func(*http.Request)) (isBroken bool) {
	request := httptest.NewRequestWithContext(sockets.ConnContext(context.Background(), ours), http.MethodPost, "/", nil)
	request.ContentLength = length
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { serve(r) })
	defer func() { isBroken = recover() == http.ErrAbortHandler }()
	u.places.Handler(handler).ServeHTTP(httptest.NewRecorder(), request)
	return false
}

// A socket waits for its client until all of a request has come, and again when it was answered or told to come back.
func TestSocketWaitsUntilARequestHasCome(t *testing.T) {
	t.Parallel()
	nobodyReads(t, 16, func(u *unheard) {
		_, ours := u.connect()
		wait := func(want int, when string) {
			t.Helper()
			if waiting := u.places.Stats().Waiting; waiting != want {
				t.Errorf("%s %d sockets wait instead of %d", when, waiting, want)
			}
		}
		for range 2 {
			u.serve(ours, 5, func(*http.Request) { wait(1, "before a body") })
			wait(1, "after a request without its body")
			u.serve(ours, 5, func(r *http.Request) {
				for range 2 {
					if _, err := r.Body.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
						t.Errorf("the body ends with %v", err)
					}
					wait(0, "behind a body")
				}
			})
			wait(1, "after an answer")
			u.serve(ours, 0, func(r *http.Request) {
				wait(0, "behind a head")
				u.serve(ours, 0, func(*http.Request) { u.places.Told(r.Context()) })
				wait(0, "while another request is answered")
				for range 2 {
					u.places.Told(r.Context())
					wait(1, "when it was told")
				}
			})
			wait(1, "after it was told")
		}
		u.serve(ours, 0, func(r *http.Request) {
			ours.Close()
			u.places.Told(r.Context())
		})
		wait(0, "when it was closed")
	})
}

// A client that has sent the head of a request makes room after silent ones. If its socket made room, its request is not served, nor is what
// there is of its body: the client gets no answer, and will ask again.
func TestRequestOfWhoMadeRoomIsNotServed(t *testing.T) {
	t.Parallel()
	const all = 16
	nobodyReads(t, all, func(u *unheard) {
		asks, ours := u.connect()
		for range all - 1 {
			u.connect()
		}
		u.serve(ours, 5, func(r *http.Request) {
			u.connect()
			if !isOpen(asks) {
				t.Error("a silent socket was kept instead")
			}
			for range all {
				u.connect()
			}
			_ = asks.SetReadDeadline(time.Now().Add(20 * time.Second))
			if _, err := asks.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNRESET) {
				t.Errorf("it ends with %v instead of a reset", err)
			}
			if _, err := r.Body.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("its body is read: %v", err)
			}
		})
		if isBroken := u.serve(ours, 0, func(*http.Request) { t.Error("it is served") }); !isBroken {
			t.Error("it is answered")
		}
	})
}

// A client that was told to come back makes room, and still reads that: its connection is closed, not reset.
func TestToldClientReadsItsAnswer(t *testing.T) {
	t.Parallel()
	const all = 16
	nobodyReads(t, all, func(u *unheard) {
		told, ours := u.connect()
		for range all - 1 {
			u.connect()
		}
		u.serve(ours, 0, func(r *http.Request) {
			if _, err := io.WriteString(ours, "come back"); err != nil {
				t.Error(err)
			}
			u.places.Told(r.Context())
			for range all {
				u.connect()
			}
		})
		_ = told.SetReadDeadline(time.Now().Add(20 * time.Second))
		if text, err := io.ReadAll(told); string(text) != "come back" || err != nil {
			t.Errorf("read %q, %v", text, err)
		}
	})
}
