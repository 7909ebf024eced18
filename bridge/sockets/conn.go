package sockets

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// looks is how often, per timeout, a waiting Write checks whether the client has received something. A Write that ends at its deadline says how
// much was received, but not when: perhaps right at the beginning. It is the looks that count, and not the clock: a process that has stood still
// must look once more before it cuts a client.
const looks = 8

// Conn is a connection of Listen. Its write deadline starts again whenever the client has received something. The kernel wakes a waiting writer only
// when a third of the send buffer is free, so the client has to receive some 16 KiB per timeout.
type Conn struct {
	net.Conn
	opened  time.Time
	place   *place                 // nil if it was refused one
	reserve *reserve               // which sets descriptors aside when this one is free
	pacing  atomic.Pointer[pacing] // nil unless Reads keep to the pace of the address

	// HTTP/2 sets deadlines while it writes, at least when it ends a connection.
	mu       sync.Mutex
	patience time.Duration // length of the write deadline; negative for none
	waited   int           // looks since the client has received something
	isGone   bool          // the client has received nothing in time
	progress Progress
}

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.patience = time.Until(t); c.patience <= 0 { // passed, or none
		return c.Conn.SetWriteDeadline(t)
	}
	return c.waitOnce()
}

// waitOnce lets Write wait until the next look. The lock must be held.
func (c *Conn) waitOnce() error {
	return c.Conn.SetWriteDeadline(time.Now().Add(c.patience / looks))
}

// Write continues after the deadline if the client has received something before it, also of an earlier Write. After a timeout in which the client
// has received nothing, it gets nothing more: not even the end of TLS, for which crypto/tls would wait five seconds.
func (c *Conn) Write(data []byte) (written int, err error) {
	if err := c.begin(); err != nil {
		return 0, err
	}
	for {
		n, err := c.Conn.Write(data[written:])
		written += n
		if goesOn, err := c.wrote(n, err); !goesOn {
			return written, err
		}
	}
}

// Read implements net.Conn. What was read is returned when it is the connection's turn by the pace of its address.
func (c *Conn) Read(data []byte) (int, error) {
	pacing := c.pacing.Load()
	if pacing == nil {
		return c.Conn.Read(data)
	}
	if pacing.isShort.Load() {
		data = data[:min(len(data), shortRead)]
	}
	n, err := c.Conn.Read(data)
	if n > 0 {
		pacing.wait(c.place.network.owe(n))
	}
	return n, err
}

// begin begins a Write. The time since the deadline was set is not the client's.
func (c *Conn) begin() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.isGone:
		return os.ErrDeadlineExceeded
	case c.patience > 0:
		return c.waitOnce()
	}
	return nil
}

// wrote records the result of a write, and reports whether the rest is to be written. If so, it has set the next deadline.
func (c *Conn) wrote(n int, err error) (goesOn bool, _ error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n > 0 {
		c.waited = 0
		c.progress.Sent += uint64(n)
	}
	if c.patience <= 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		return false, err
	}
	if n == 0 {
		c.waited++
	}
	if c.waited >= looks {
		c.isGone = true
		c.reset()
		return false, err
	}
	err = c.waitOnce()
	return err == nil, err
}

// TakesNothing reports whether the client has received nothing for the timeout, although there was something to receive. It may be called during a
// Write.
func (c *Conn) TakesNothing(timeout time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.progress.Stalled(unsent(c.Conn), time.Since(c.opened), timeout)
}

// UntilStalled returns after which time TakesNothing may report true, 0 if the client has received everything.
func (c *Conn) UntilStalled(timeout time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.progress.Since == 0 {
		return 0
	}
	return max(1, c.progress.Since+timeout-time.Since(c.opened))
}

// Cut closes the connection, and discards unsent data.
func (c *Conn) Cut() {
	c.reset()
	_ = c.Close()
}

// Close implements net.Conn.
func (c *Conn) Close() error {
	err := c.closeDescriptor()
	if c.place != nil {
		c.place.close()
	}
	return err
}

func (c *Conn) closeDescriptor() error {
	err := c.Conn.Close() // returns when the descriptor is free
	c.hurryUp()
	c.reserve.setAside() // before another connection uses the descriptor
	return err
}

// reset makes Close discard what the client has not received, and send a reset. Otherwise the kernel would keep the data for minutes, and the
// client would find the end of the stream only after it.
func (c *Conn) reset() {
	if socket, ok := c.Conn.(*net.TCPConn); ok {
		_ = socket.SetLinger(0)
	}
}

// CloseWrite ends the sending direction alone, as net/http does before it closes a connection whose request it has not read.
func (c *Conn) CloseWrite() error {
	if socket, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return socket.CloseWrite()
	}
	return nil
}

type connKey struct{}

// ConnContext is for http.Server, so that Of finds the connection of a request. It makes a connection over TLS share the pace of its address.
func ConnContext(ctx context.Context, conn net.Conn) context.Context {
	ctx = context.WithValue(ctx, connKey{}, conn)
	if _, isTLS := conn.(*tls.Conn); isTLS {
		if ours := Of(ctx); ours != nil {
			ours.startPace()
		}
	}
	return ctx
}

// Of returns the connection of a request, also if it is under TLS; nil if it is not from Listen.
func Of(ctx context.Context) *Conn {
	conn := ctx.Value(connKey{})
	if secure, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = secure.NetConn()
	}
	ours, _ := conn.(*Conn)
	return ours
}
