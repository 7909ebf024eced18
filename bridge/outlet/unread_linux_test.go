package outlet_test

import (
	"errors"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge/outlet"
)

// A client that has sent a request waits for us, even if nobody has read it yet: a silent socket makes room before it, though it came
// later. That holds once, so bytes that are never read do not keep a place.
func TestUnreadRequestIsNotCutBeforeSilence(t *testing.T) {
	const all = 16
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	places := outlet.NewPlaces(outlet.Room{All: all})
	listener := outlet.Listen(inner, places)
	accepted := make(chan net.Conn)
	var accepting sync.WaitGroup
	accepting.Go(func() {
		defer close(accepted)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			accepted <- conn
		}
	})
	connect := func() net.Conn {
		t.Helper()
		conn, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		var ours net.Conn
		select {
		case ours = <-accepted:
		case <-time.After(20 * time.Second):
			t.Fatalf("the newcomer was refused: %+v", places.Stats())
		}
		t.Cleanup(func() {
			conn.Close()
			ours.Close()
		})
		return conn
	}
	asks := connect()
	if _, err := asks.Write([]byte("GET / HTTP/1.1\r\n")); err != nil {
		t.Fatal(err)
	}
	// Whoever makes room is cut before the newcomer is accepted.
	isOpen := func(conn net.Conn) bool {
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		_, err := conn.Read(make([]byte, 1))
		return errors.Is(err, os.ErrDeadlineExceeded)
	}
	var silent []net.Conn
	for range all - 1 {
		silent = append(silent, connect())
	}
	for i, next := range silent {
		connect()
		if isOpen(next) || !isOpen(asks) {
			t.Fatalf("the silent socket %d is open, or the other is not", i)
		}
	}
	connect()
	if isOpen(asks) {
		t.Error("bytes that nobody reads keep the place for good")
	}
	if stats := places.Stats(); stats.Evicted != all || stats.Refused != 0 {
		t.Errorf("%+v", stats)
	}
	// Where every socket has sent something, a newcomer waits a moment, until the first of them has had its turn.
	for range all {
		if _, err := connect().Write([]byte("GET / HTTP/1.1\r\n")); err != nil {
			t.Fatal(err)
		}
	}
	if newcomer := connect(); !isOpen(newcomer) || places.Stats().Refused != 0 {
		t.Errorf("the newcomer was refused: %+v", places.Stats())
	}
	if err := listener.Close(); err != nil {
		t.Error(err)
	}
	accepting.Wait()
}
