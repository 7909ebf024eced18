package js

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// marker proves that nats.go has reported every error that it had read from the connection at some moment. nats.go calls its
// error handler from one goroutine, in order, and reports a full subscription buffer to the same handler. So the marker is a
// subscription with room for one message, which receives two. The two are answers to requests, because a bridge may not be
// allowed to publish to its own inbox.
type marker struct {
	question string // is answered at once, by somebody or by "no responders"

	sent    atomic.Uint64 // how many marks were sent
	passing sync.Mutex    // held while a mark is on its way
	last    uint64        // the number of the last mark that has passed; guarded by passing

	mu     sync.Mutex // guards the rest
	sub    *nats.Subscription
	passed chan struct{} // has room for one
}

// OpenMarker subscribes for Marked. A request on question must be answered at once, if only by "no responders".
func (c *Conn) OpenMarker(question string) error {
	c.marker.question = question
	return c.Keep(c.subscribeMarker)
}

func (c *Conn) subscribeMarker() error {
	sub, err := c.SubscribeSync(c.NewInbox())
	if err != nil {
		return fmt.Errorf("subscribe to an inbox: %w", err)
	}
	_ = sub.SetPendingLimits(1, -1) // an open subscription returns no error
	c.marker.mu.Lock()
	defer c.marker.mu.Unlock()
	c.marker.sub = sub
	return nil
}

// take reports whether an error belongs to the marker, and records that the mark has passed.
func (m *marker) take(sub *nats.Subscription, err error) bool {
	if sub == nil || !errors.Is(err, nats.ErrSlowConsumer) {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if sub != m.sub {
		return false
	}
	select {
	case m.passed <- struct{}{}:
	default:
	}
	return true
}

// Marked waits until all errors that were read before the call are reported. It returns false if ctx or the link ends first. One
// mark serves all callers that waited before it was sent.
func (c *Conn) Marked(ctx context.Context) bool {
	m := &c.marker
	had := m.sent.Load()
	m.passing.Lock()
	defer m.passing.Unlock()
	if m.last > had {
		return true
	}
	number := m.sent.Add(1)
	if !c.mark(ctx) {
		return false
	}
	m.last = number
	return true
}

// mark sends a mark and waits until it has passed.
func (c *Conn) mark(ctx context.Context) bool {
	m := &c.marker
	sub := m.current()
	before := c.Link().Now()
	for range 2 {
		if c.PublishRequest(m.question, sub.Subject, nil) != nil {
			c.replaceMarker(sub)
			return false
		}
	}
	for {
		change := before.Violations()
		if before.PublishRefused(m.question) {
			return true // this error, too, came after the others
		}
		if before.Ever().SubscribeRefused(sub.Subject) {
			return true // no answer can arrive, and no better proof exists
		}
		select {
		case <-m.passed:
			empty(sub)
			return true
		case <-change:
		case <-before.Lost():
			c.replaceMarker(sub)
			return false
		case <-ctx.Done():
			c.replaceMarker(sub)
			return false
		}
	}
}

// replaceMarker makes another subscription for marks: a late answer to the former would stand for the next mark.
func (c *Conn) replaceMarker(former *nats.Subscription) {
	if c.marker.current() != former {
		return // another connection has its own
	}
	_ = former.Unsubscribe() // only a connection that is closed refuses
	_ = c.subscribeMarker()
}

// empty discards the buffer of a subscription. The first error says that the buffer was full.
func empty(sub *nats.Subscription) {
	for err := nats.ErrSlowConsumer; err == nil || errors.Is(err, nats.ErrSlowConsumer); {
		_, err = sub.NextMsg(time.Nanosecond)
	}
}

func (m *marker) current() *nats.Subscription {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sub
}
