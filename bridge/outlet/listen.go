package outlet

import (
	"errors"
	"net"
	"os"
	"time"
)

// sendBuffer bounds what the kernel holds for a client that does not read: without it, well over a megabyte each before
// anyone notices. The kernel doubles the figure for its own bookkeeping.
const sendBuffer = 32 << 10

// Listen lets a listener's connections notice clients that take nothing: they have small send buffers, and their write
// deadline counts from the last byte that the client took rather than from the first byte of the write.
func Listen(inner net.Listener) net.Listener { return listener{inner} }

type listener struct{ net.Listener }

func (l listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if socket, ok := accepted.(*net.TCPConn); ok {
		// A connection that is gone by now says so at its first read.
		_ = socket.SetWriteBuffer(sendBuffer)
	}
	return &patient{Conn: accepted}, nil
}

// patient is a connection whose write deadline begins anew whenever the client has taken something.
type patient struct {
	net.Conn
	patience time.Duration // of the write deadline that is set; 0 for none
}

// SetWriteDeadline must not be called while a Write is under way, which may set it as well.
func (c *patient) SetWriteDeadline(t time.Time) error {
	c.patience = 0
	if !t.IsZero() {
		c.patience = time.Until(t)
	}
	return c.Conn.SetWriteDeadline(t)
}

// Write goes on after the deadline if some of data was taken before it.
func (c *patient) Write(data []byte) (written int, err error) {
	for {
		n, err := c.Conn.Write(data[written:])
		written += n
		if c.patience <= 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return written, err
		}
		if n == 0 {
			c.reset()
			return written, err
		}
		if err := c.Conn.SetWriteDeadline(time.Now().Add(c.patience)); err != nil {
			return written, err
		}
	}
}

// reset lets Close discard what the client does not take, and tell it: otherwise the kernel would hold that for minutes,
// and the client would find an end of the stream only behind it.
func (c *patient) reset() {
	if socket, ok := c.Conn.(*net.TCPConn); ok {
		_ = socket.SetLinger(0)
	}
}
