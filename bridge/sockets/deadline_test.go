package sockets_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/sockets"
)

// accept returns a connection that Listen has accepted, and its client's end.
func accept(t *testing.T) (conn, client net.Conn) {
	t.Helper()
	listener := bridgetest.NewPipes()
	client, server := net.Pipe()
	go func() { listener.Conns <- server }()
	conn, err := sockets.Listen(listener, sockets.NewPlaces(sockets.Limits{})).Accept()
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

func TestListen(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener := sockets.Listen(inner, sockets.NewPlaces(sockets.Limits{}))
	if listener.Addr() != inner.Addr() {
		t.Error("it has another address")
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := listener.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}
	if _, err := http.Get("http://" + inner.Addr().String()); err == nil {
		t.Error("it listens after Close")
	}
}

// A process that has stood still between the deadline of a write and the write looks whether the client receives something before it cuts it.
func TestProcessThatStoodStillCutsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, mine := accept(t)
		if err := conn.SetWriteDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		go io.Copy(io.Discard, mine)
		if n, err := conn.Write([]byte("hello")); n != 5 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	})
}

// A deadline that is taken back is none, and one that has passed stops even a client that takes.
func TestDeadlinesOfListen(t *testing.T) {
	conn, mine := accept(t)
	if err := conn.SetWriteDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Write([]byte("hello")); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the deadline: %d, %v", n, err)
	}
	if err := conn.SetWriteDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, mine)
	if n, err := conn.Write([]byte("hello")); n != 5 || err != nil {
		t.Errorf("without a deadline: %d, %v", n, err)
	}
}

// A client that has received nothing in time gets nothing more, even if given more time: crypto/tls would wait five seconds for its last bytes,
// and keep the connection.
func TestNothingIsWrittenToWhoIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, _ := accept(t)
		start := time.Now()
		for range 3 {
			_ = conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
			if _, err := conn.Write([]byte("hello")); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%v", err)
			}
		}
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("it stayed for %v", took)
		}
	})
}
