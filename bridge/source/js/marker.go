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

// marker proves that nats.go has reported every error that it read from the connection before a moment. nats.go calls its
// error handler from one goroutine, in order, and reports a subscription whose buffer is full to the same handler. So the
// marker is a subscription that has room for one message, and is sent two: the answers to two questions, because a bridge
// may not be allowed to publish to its own inbox.
type marker struct {
	question string // a subject that is answered at once, or that nobody answers

	sent    atomic.Uint64 // how many marks
	passing sync.Mutex    // held while a mark is on its way
	last    uint64        // the number of the last that has passed; guarded by passing

	mu     sync.Mutex // guards the rest
	sub    *nats.Subscription
	passed chan struct{} // holds one
}

// OpenMarker subscribes for Marked. question is a subject that is answered at once, or that nobody answers.
func (c *Conn) OpenMarker(question string) error {
	c.marker.question = question
	return c.subscribeMarker()
}

func (c *Conn) subscribeMarker() error {
	sub, err := c.SubscribeSync(c.NewInbox())
	if err != nil {
		return fmt.Errorf("subscribe to an inbox: %w", err)
	}
	_ = sub.SetPendingLimits(1, -1) // there is no error for a subscription that is open
	c.marker.mu.Lock()
	defer c.marker.mu.Unlock()
	c.marker.sub = sub
	return nil
}

// take reports whether an error is the marker's, and notes that it has passed.
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

// Marked reports whether all errors were reported that had been read when it was called. It reports false if ctx ends first, or the link:
// then nothing is known. A mark speaks for all who wait since before it was sent.
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

// mark sends a mark, and waits until it has passed.
func (c *Conn) mark(ctx context.Context) bool {
	m := &c.marker
	sub := m.current()
	before := c.Link().Now()
	for range 2 {
		if c.PublishRequest(m.question, sub.Subject, nil) != nil {
			return false
		}
	}
	for {
		change := before.Violations()
		if before.PublishRefused(m.question) {
			return true // that error came behind the others as well
		}
		if before.Ever().SubscribeRefused(sub.Subject) {
			return true // no answer will come, and there is no better proof
		}
		select {
		case <-m.passed:
			empty(sub)
			return true
		case <-change:
		case <-before.Lost():
			return c.remark(sub)
		case <-ctx.Done():
			return c.remark(sub)
		}
	}
}

// remark makes another subscription for marks: an answer that comes late would stand for the next one. It returns false.
func (c *Conn) remark(sub *nats.Subscription) bool {
	_ = sub.Unsubscribe() // only a connection that is closed refuses
	_ = c.subscribeMarker()
	return false
}

// empty takes what the buffer of a subscription holds. The first error is that the buffer was full.
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
