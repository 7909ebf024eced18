package outlet

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// sendBuffer bounds what the kernel holds for a client that does not read: without it, well over a megabyte each before
// anyone notices. The kernel doubles the figure for its own bookkeeping.
const sendBuffer = 32 << 10

// Connections are accepted at this rate, behind a first few. To accept one costs as much as to write to it some ten times:
// a herd that comes back at once waits in the kernel, rather than keep those from being served who are there.
const (
	acceptRate  = 5000 // a second
	acceptBurst = 1000
)

// Listen lets a listener's connections notice clients that take nothing: they have small send buffers, and their write
// deadline counts from the last byte that the client took rather than from the first byte of the write. It accepts some
// thousand connections a second, as long as there are places for them, and goes on when descriptors have run out.
func Listen(inner net.Listener, places *Places) net.Listener {
	limitSegments(inner)
	if places == nil {
		places = NewPlaces(Room{}) // any number
	}
	l := &listener{Listener: inner, places: places, pace: rate.NewLimiter(acceptRate, acceptBurst)}
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

	mu       sync.Mutex // of what runs out of descriptors
	isClosed bool
	reserve  []*os.File
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.close()
	l.letGo()
	return l.Listener.Close()
}

// below gives the connection of Listen below another, such as that of TLS; nil where there is none.
func below(conn net.Conn) *patient {
	if secure, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = secure.NetConn()
	}
	ours, _ := conn.(*patient)
	return ours
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		_ = l.pace.Wait(l.open) // an error means that it is closed, as Accept will say
		accepted, isLent, err := l.accept()
		if err != nil {
			return nil, err
		}
		if socket, ok := accepted.(*net.TCPConn); ok {
			// A connection that is gone by now says so at its first read.
			_ = socket.SetWriteBuffer(sendBuffer)
		}
		conn := &patient{Conn: accepted, opened: time.Now()}
		if isLent {
			conn.lender = l
		}
		if conn.place = l.admit(conn); conn.place != nil {
			return conn, nil
		}
		conn.cut()
	}
}

// admit returns the place of a connection, nil if there is none. If all places are taken, it waits until the oldest socket may be closed.
func (l *listener) admit(conn *patient) *place {
	for {
		given, later := l.places.admit(conn)
		if later == 0 {
			return given
		}
		select {
		case <-time.After(later):
		case <-l.open.Done():
			return nil
		}
	}
}

// looks is how often a Write that waits looks, in each timeout, whether something was taken. A Write that a deadline ends
// tells how much, but not when: it may have been just behind the beginning.
const looks = 8

// patient is a connection whose write deadline begins anew whenever the client has taken something. The kernel tells a
// writer that waits only when a third of the send buffer is free, so that is some 16 KiB in each timeout.
type patient struct {
	net.Conn
	opened time.Time
	place  *place                 // until it is closed, or an event loop has the socket
	lender *listener              // which has set aside the descriptor, and wants it back; nil for none
	pacing atomic.Pointer[pacing] // nil unless Reads keep to the pace of the address

	// HTTP/2 sets deadlines while it writes, at least where it ends a connection.
	mu       sync.Mutex
	patience time.Duration // of the write deadline that is set; 0 for none
	taken    time.Time     // when the client last took something, as far as a Write saw it; at first, when the deadline was set
	isGone   bool          // it took nothing in time
	progress progress
}

// SetWriteDeadline implements net.Conn.
func (c *patient) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.patience = 0
	if !t.IsZero() {
		c.taken = time.Now()
		c.patience = t.Sub(c.taken)
	}
	if c.patience <= 0 {
		return c.Conn.SetWriteDeadline(t)
	}
	return c.Conn.SetWriteDeadline(c.taken.Add(c.patience / looks))
}

// Write goes on after the deadline if something was taken before it, of data or of an earlier Write's. Once a client has
// taken nothing for so long, it gets nothing more: not even the end of TLS, for which crypto/tls would wait five seconds.
func (c *patient) Write(data []byte) (written int, err error) {
	if c.gone() {
		return 0, os.ErrDeadlineExceeded
	}
	for {
		n, err := c.Conn.Write(data[written:])
		written += n
		if goesOn, err := c.wrote(n, err); !goesOn {
			return written, err
		}
	}
}

func (c *patient) gone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.isGone
}

// wrote notes what became of a write, and tells whether the rest is to be tried: then it has set the deadline for that.
func (c *patient) wrote(n int, err error) (goesOn bool, _ error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if n > 0 {
		c.taken = now
		c.progress.sent += uint64(n)
	}
	if c.patience <= 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		return false, err
	}
	deadline := c.taken.Add(c.patience)
	if !now.Before(deadline) {
		c.isGone = true
		c.reset()
		return false, err
	}
	if look := now.Add(c.patience / looks); look.Before(deadline) {
		deadline = look
	}
	if err := c.Conn.SetWriteDeadline(deadline); err != nil {
		return false, err
	}
	return true, nil
}

// takesNothing tells whether the client has taken nothing for the timeout, although there was something. It may be called
// while a Write is under way.
func (c *patient) takesNothing(timeout time.Duration) bool {
	socket, ok := c.Conn.(*net.TCPConn)
	if !ok {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.progress.stalled(unsent(socket), time.Since(c.opened), timeout)
}

// cut closes the connection, whatever is on its way.
func (c *patient) cut() {
	c.reset()
	_ = c.Close()
}

// Close implements net.Conn.
func (c *patient) Close() error {
	err := c.Conn.Close() // it returns when the descriptor is free
	c.hurryUp()
	if c.lender != nil {
		c.lender.setAside() // before somebody else has it
	}
	c.place.close(c)
	return err
}

// reset lets Close discard what the client does not take, and tell it: otherwise the kernel would hold that for minutes,
// and the client would find an end of the stream only behind it.
func (c *patient) reset() {
	if socket, ok := c.Conn.(*net.TCPConn); ok {
		_ = socket.SetLinger(0)
	}
}

// CloseWrite ends what is sent, and no more, as net/http does before it closes a connection whose request it has not read.
func (c *patient) CloseWrite() error {
	if socket, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return socket.CloseWrite()
	}
	return nil
}
