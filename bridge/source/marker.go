package source

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// marker proves that nats.go has reported every error that it read from the connection before a moment. nats.go calls its
// error handler from one goroutine, in order, and reports a subscription whose buffer is full to the same handler. So the
// marker is a subscription that has room for one message, and is sent two: the answers to two questions, because a bridge
// may not be allowed to publish to its own inbox.
type marker struct {
	conn     *nats.Conn
	question string // a subject that is answered at once, or that nobody answers

	passing sync.Mutex // held while a mark is on its way
	mu      sync.Mutex // guards the rest
	sub     *nats.Subscription
	passed  chan struct{} // holds one
}

func newMarker() *marker { return &marker{passed: make(chan struct{}, 1)} }

// open subscribes. Before that, no error is the marker's.
func (m *marker) open(conn *nats.Conn, question string) error {
	m.conn, m.question = conn, question
	return m.subscribe()
}

func (m *marker) subscribe() error {
	sub, err := m.conn.SubscribeSync(m.conn.NewInbox())
	if err != nil {
		return fmt.Errorf("subscribe to an inbox: %w", err)
	}
	_ = sub.SetPendingLimits(1, -1) // there is no error for a subscription that is open
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sub = sub
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

// pass reports whether all errors were reported that had been read when it was called. It reports false where ctx ends
// first: then nothing is known. refused is where errors are reported to.
func (m *marker) pass(ctx context.Context, refused *refusals) bool {
	m.passing.Lock()
	defer m.passing.Unlock()
	sub := m.current()
	before, change := refused.soFar()
	for range 2 {
		if m.conn.PublishRequest(m.question, sub.Subject, nil) != nil {
			return false
		}
	}
	for {
		select {
		case <-m.passed:
			empty(sub)
			return true
		case <-change:
			if refused.publishedSince(before, m.question) {
				return true // that error came behind the others as well
			}
			_, change = refused.soFar()
		case <-ctx.Done():
			// An answer that comes late would stand for the next mark.
			_ = sub.Unsubscribe() // only a connection that is closed refuses
			_ = m.subscribe()
			return false
		}
	}
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
