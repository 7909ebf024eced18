package sockets

import (
	"context"
	"net"
	"time"

	"golang.org/x/time/rate"
)

// sendBuffer limits what the kernel buffers for a client that does not read: by default more than a megabyte each. The kernel doubles the
// number for its own data.
const sendBuffer = 32 << 10

// Connections are accepted at this rate, after a first burst. Accepting one costs as much as some ten writes. So when many clients return at
// once, they wait in the kernel, and connected clients are still served.
const (
	AcceptRate  = 5000 // a second
	acceptBurst = 1000
)

// Listen makes a listener notice clients that receive nothing: its connections have small send buffers, and their write deadline counts from the
// last byte that the client received, not from the beginning of the write. It accepts some thousand connections per second, while there are
// places for them, and works on when descriptors have run out.
func Listen(inner net.Listener, places *Places) net.Listener {
	limitSegments(inner)
	l := &listener{Listener: inner, places: places, pace: rate.NewLimiter(AcceptRate, acceptBurst)}
	l.open, l.close = context.WithCancel(context.Background())
	l.setAside()
	return l
}

type listener struct {
	net.Listener
	places *Places
	pace   *rate.Limiter
	open   context.Context
	close  context.CancelFunc
	reserve
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.close()
	l.letGo()
	return l.Listener.Close()
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		_ = l.pace.Wait(l.open) // an error means that the listener is closed; Accept returns that too
		accepted, err := l.accept()
		if err != nil {
			return nil, err
		}
		if socket, ok := accepted.(*net.TCPConn); ok {
			// If the connection is gone by now, its first read fails.
			_ = socket.SetWriteBuffer(sendBuffer)
		}
		conn := &Conn{Conn: accepted, opened: time.Now(), reserve: &l.reserve}
		if l.admit(conn) {
			return conn, nil
		}
		conn.Cut()
	}
}

// accept accepts a connection, even if descriptors have run out: then it gives up a descriptor that was set aside, until a connection is
// closed, or closes a socket that waits. Other errors are returned.
func (l *listener) accept() (net.Conn, error) {
	for {
		l.setAside()
		conn, err := l.Listener.Accept()
		if err == nil || !isExhausted(err) {
			return conn, err
		}
		l.places.exhausted(err)
		if !comes(l.Listener) { // accept also fails when no connection is pending
			continue
		}
		if !l.giveUp() && !l.places.evict() {
			l.pause(exhaustedPause)
			continue
		}
		if conn, err := l.Listener.Accept(); err == nil {
			return conn, nil
		}
	}
}

// pause waits, unless the listener is closed. It reports false if it is.
func (l *listener) pause(length time.Duration) (isOpen bool) {
	select {
	case <-time.After(length):
		return true
	case <-l.open.Done():
		return false
	}
}

// admit gives a connection a place, and reports whether there is one. If all places are taken, it waits until the oldest waiting socket may be
// closed.
func (l *listener) admit(conn *Conn) (isAdmitted bool) {
	for {
		isAdmitted, later := l.places.admit(conn)
		if later == 0 || !l.pause(later) {
			return isAdmitted
		}
	}
}
