package js

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// nats.go dials again when a connection is lost, but not after an error by which the server ends it: a message larger than a max_payload that was
// lowered since the connection was made, or a line that is too long. Then a Conn makes another connection of nats.go, and with it everything
// that was made by Keep.

// renewals determine how long to wait before a connection that was ended is made anew. What has ended one may end the next.
type renewals struct {
	last time.Time
	row  int // made one soon after another
}

// calmAfter is how long a connection must last before the next may be made as soon as the first.
const calmAfter = time.Minute

func (r *renewals) wait() time.Duration {
	if time.Since(r.last) > calmAfter {
		r.row = 0
	}
	r.row++
	r.last = time.Now()
	return reconnectDelay(r.row)
}

// Dial connects. If NATS is unreachable, Dial returns no error, and the Conn keeps trying without an end.
func (c *Conn) Dial(dial Dialer, name string) error {
	c.dial, c.name = dial, name
	return c.connect()
}

// Close closes the connection, if there is one, and waits until nats.go has called all handlers.
func (c *Conn) Close() {
	c.mu.Lock()
	c.close()
	now := c.NATS()
	c.mu.Unlock()
	if now != nil {
		now.Close()
		<-c.closed
		c.renewing.Wait()
	}
}

// connect makes a connection of nats.go. Its handlers report nothing before what is kept was made on it.
func (c *Conn) connect() error {
	ready, begun := make(chan struct{}), make(chan struct{})
	options := c.options(ready, sync.OnceFunc(func() { close(begun) }))
	conn, err := c.dial(append(options, nats.ClosedHandler(c.ended))...)
	if err != nil {
		return fmt.Errorf("connect to NATS%s: %w", c.where(), err)
	}
	if !c.dials(conn) {
		return fmt.Errorf("connect to NATS: %w", errStrangeConnection)
	}
	if !c.use(conn) {
		close(ready)
		conn.Close()
		return nil
	}
	close(ready)
	if conn.IsConnected() {
		<-begun // its handler runs soon; the handlers alone know the order of events
	}
	ups := conn.StatusChanged(nats.CONNECTED)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ups = ups
	return nil
}

// use replaces the connection of nats.go, unless the Conn is being closed.
func (c *Conn) use(conn *nats.Conn) bool {
	inbox := conn.NewRespInbox()
	c.keeping.Lock()
	defer c.keeping.Unlock()
	c.mu.Lock()
	isClosing := c.closing.Err() != nil
	if !isClosing {
		c.dialed.Store(&dialed{conn, inbox[:strings.LastIndexByte(inbox, '.')] + ".*"})
		c.ups, c.taken, c.heard = nil, 0, 0
	}
	c.mu.Unlock()
	if isClosing {
		return false
	}
	for _, subscribe := range c.kept {
		_ = subscribe() // only a connection that was ended again returns an error, and yet another follows
	}
	return true
}

// ended is called by nats.go when a connection has ended for good, after all its other handlers.
func (c *Conn) ended(conn *nats.Conn) {
	c.renewing.Add(1)
	defer c.renewing.Done()
	if !c.isAsked.Swap(false) {
		if c.closing.Err() == nil {
			c.events.Ended(conn.LastError())
		}
		_ = Sleep(c.closing, c.renewed.wait())
	}
	if c.closing.Err() != nil {
		close(c.closed)
		return
	}
	if err := c.connect(); err != nil {
		c.mu.Lock()
		c.failure = err
		c.mu.Unlock()
		close(c.closed)
	}
}

// Renew replaces the connection of nats.go by another, on which subscriptions are made anew: those that are kept come first, in their order.
func (c *Conn) Renew() {
	if now := c.NATS(); !now.IsClosed() {
		c.isAsked.Store(true)
		c.Link().lose() // its handler is late
		now.Close()
	}
}

// IsTooLarge reports whether a message that was sent on a connection of nats.go is too large for NATS, and therefore may have ended it. It waits
// for the next connection, whose limit is known, unless the link alone was lost.
func (c *Conn) IsTooLarge(ctx context.Context, on *nats.Conn, msg *nats.Msg) bool {
	if !on.IsClosed() {
		return false
	}
	for {
		change := c.Changed()
		if now := c.NATS(); now != on && c.Link().IsUp() {
			return int64(msg.Size()-len(msg.Subject)-len(msg.Reply)) > now.MaxPayload()
		}
		select {
		case <-change:
		case <-c.closed:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// IsPayload reports whether a server has ended a connection because of a message that is too large.
func IsPayload(ended error) bool {
	return ended != nil && strings.Contains(strings.ToLower(ended.Error()), "maximum payload violation")
}
