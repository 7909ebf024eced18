package load

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// plainClient reads each connection in its own goroutine, which works on every system.
type plainClient struct {
	target  *target
	tally   *tally
	slots   chan struct{} // holds a token for each connection that may be opened now
	context context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
}

func newPlainClient(target *target, tallies []*tally) (client, error) {
	c := &plainClient{target: target, tally: tallies[0], slots: make(chan struct{}, openingAtOnce)}
	c.context, c.cancel = context.WithCancel(context.Background())
	return c, nil
}

func (c *plainClient) begin() {
	c.running.Go(func() {
		for i := range c.tally.readers {
			select {
			case c.slots <- struct{}{}:
			case <-c.context.Done():
				return
			}
			c.running.Go(func() { c.serve(i) })
		}
	})
}

func (c *plainClient) close() {
	c.cancel()
	c.running.Wait()
}

func (c *plainClient) waiting() time.Duration { return -1 }

// serve opens and reads one connection.
func (c *plainClient) serve(number int) {
	r := &c.tally.readers[number]
	conn, err := c.connect(number)
	cut := false
	if err == nil {
		defer conn.Close()
		err = c.read(r, conn)
		cut = r.stalled && err == nil && wasCut(conn)
	} else {
		<-c.slots
	}
	c.tally.mu.Lock()
	defer c.tally.mu.Unlock()
	switch {
	case cut:
		c.tally.end(r, errClosed)
	case c.context.Err() != nil: // the client was closed
	case r.phase == opening && isMachine(err) != nil:
		c.tally.skip(r, isMachine(err))
	default:
		c.tally.end(r, err)
	}
}

func (c *plainClient) connect(number int) (net.Conn, error) {
	dialer := net.Dialer{}
	if source := c.target.source(number); source.IsValid() {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 0))
	}
	conn, err := dialer.DialContext(c.context, "tcp", c.target.addr(number).String())
	if err != nil {
		return nil, err
	}
	request, err := c.target.request(number, int(c.tally.readers[number].subject))
	if err == nil {
		_, err = conn.Write(request)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// plainReadSize is small, because each connection has a buffer.
const plainReadSize = 1500

// read reads until the connection ends, or the client is closed. It returns the token when the connection is open.
func (c *plainClient) read(r *reader, conn net.Conn) error {
	stop := context.AfterFunc(c.context, func() { _ = conn.SetReadDeadline(time.Now()) })
	defer stop()
	giveBack := sync.OnceFunc(func() { <-c.slots })
	defer giveBack()
	buffer := make([]byte, headroom+plainReadSize)
	for {
		n, err := conn.Read(buffer[headroom:])
		c.tally.mu.Lock()
		if n > 0 {
			err = errors.Join(c.tally.take(r, buffer[:headroom+n], c.target.now()), err)
		}
		phase := r.phase
		c.tally.mu.Unlock()
		if err != nil {
			return err
		}
		if phase != open {
			continue
		}
		giveBack()
		if r.stalled && stop() {
			<-c.context.Done()
			return nil
		}
	}
}

// drainTime limits how long to look for the end of a stalled connection.
const drainTime = 100 * time.Millisecond

// wasCut reports, at the end of a run, whether the server has cut a stalled connection, which was never read.
func wasCut(conn net.Conn) bool {
	_ = conn.SetReadDeadline(time.Now().Add(drainTime))
	_, err := io.Copy(io.Discard, conn)
	var timeout net.Error
	return !errors.As(err, &timeout) || !timeout.Timeout()
}
