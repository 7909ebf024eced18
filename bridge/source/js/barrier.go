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

// barrier proves that nats.go has reported every error that it had read from the connection at some moment. nats.go calls its
// error handler from one goroutine, in order, and reports a full subscription buffer to the same handler. So the barrier is a
// subscription with room for one message, which receives two. The two are answers to requests, because a bridge may not be
// allowed to publish to its own inbox.
type barrier struct {
	question string // is answered at once, by somebody or by "no responders"

	sent    atomic.Uint64 // how many barriers were sent
	passing sync.Mutex    // held while a barrier is on its way
	last    uint64        // the number of the last barrier that has passed; guarded by passing

	mu     sync.Mutex // guards the rest
	sub    *nats.Subscription
	passed chan struct{} // buffers one: the present sub has received two messages
}

// OpenBarrier subscribes for PassBarrier. A request on question must be answered at once, if only by "no responders".
func (c *Conn) OpenBarrier(question string) error {
	c.barrier.question = question
	return c.Keep(c.subscribeBarrier)
}

func (c *Conn) subscribeBarrier() error {
	sub, err := c.SubscribeFirst(c.NATS().NewInbox())
	if err != nil {
		return fmt.Errorf("subscribe to an inbox: %w", err)
	}
	_ = sub.SetPendingLimits(1, -1) // an open subscription returns no error
	c.barrier.mu.Lock()
	defer c.barrier.mu.Unlock()
	c.barrier.sub, c.barrier.passed = sub, make(chan struct{}, 1)
	return nil
}

// take reports whether an error belongs to the barrier, and records that it has passed.
func (b *barrier) take(sub *nats.Subscription, err error) bool {
	if sub == nil || !errors.Is(err, nats.ErrSlowConsumer) {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if sub != b.sub {
		return false
	}
	Wake(b.passed)
	return true
}

// PassBarrier waits until all errors that were read before the call are reported. It returns false if ctx or the link ends first. One
// barrier serves all callers that waited before it was sent.
func (c *Conn) PassBarrier(ctx context.Context) bool {
	b := &c.barrier
	had := b.sent.Load()
	b.passing.Lock()
	defer b.passing.Unlock()
	if b.last > had {
		return true
	}
	number := b.sent.Add(1)
	if !c.sendBarrier(ctx) {
		return false
	}
	b.last = number
	return true
}

// sendBarrier sends a barrier and waits until it has passed.
func (c *Conn) sendBarrier(ctx context.Context) bool {
	b := &c.barrier
	sub, passed := b.current()
	before := c.Link().Now()
	for range 2 {
		if c.NATS().PublishRequest(b.question, sub.Subject, nil) != nil {
			c.replaceBarrier(sub)
			return false
		}
	}
	for {
		change := before.Violations()
		if before.PublishRefused(b.question) {
			return true // this error, too, came after the others
		}
		if before.Ever().SubscribeRefused(sub.Subject) {
			return true // no answer can arrive, and no better proof exists
		}
		select {
		case <-passed:
			empty(sub)
			return true
		case <-change:
		case <-before.Lost():
			c.replaceBarrier(sub)
			return false
		case <-ctx.Done():
			c.replaceBarrier(sub)
			return false
		}
	}
}

// replaceBarrier makes another subscription: a late answer to the former would count as one to the next barrier.
func (c *Conn) replaceBarrier(former *nats.Subscription) {
	if sub, _ := c.barrier.current(); sub != former {
		return // another connection has its own
	}
	_ = former.Unsubscribe() // only a connection that is closed refuses
	_ = c.subscribeBarrier()
}

// empty discards the buffer of a subscription. The first error says that the buffer was full.
func empty(sub *nats.Subscription) {
	for err := nats.ErrSlowConsumer; err == nil || errors.Is(err, nats.ErrSlowConsumer); {
		_, err = sub.NextMsg(time.Nanosecond)
	}
}

func (b *barrier) current() (sub *nats.Subscription, passed <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sub, b.passed
}

// Noted waits until every violation that nats.go has read is recorded: nats.go calls its error handler some time after. It
// returns false if ctx or the link ends first.
func (c *Conn) Noted(ctx context.Context) bool {
	link := c.Link()
	for {
		change := link.Violations()
		last := c.NATS().LastError()
		if last == nil || link.isLast(last) {
			return true
		}
		if _, isViolation := ParseViolation(last); !isViolation {
			return c.PassBarrier(ctx) // nats.go keeps one error, which may have replaced a violation
		}
		select {
		case <-change:
		case <-link.Lost():
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// RoundTrip reports whether the server has answered a ping, and every refusal before the answer is recorded.
func (c *Conn) RoundTrip(ctx context.Context) bool {
	return c.NATS().FlushWithContext(ctx) == nil && c.Noted(ctx)
}
