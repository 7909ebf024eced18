package js

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Link is one connection to NATS, from the call that dialed it until it is lost: which one it is, whether it is up, what was refused
// on it, and what was not answered. Whoever has to know whether something still holds keeps the Link on which it was proved, and
// compares it with Conn.Link.
type Link struct {
	lost context.Context
	lose context.CancelFunc
	up   atomic.Bool

	violations
	silences
}

func newLink() *Link {
	l := &Link{}
	l.lost, l.lose = context.WithCancel(context.Background())
	l.violations.start()
	l.silences.since = map[string]time.Time{}
	return l
}

// IsUp reports whether the link carries messages, as far as nats.go's handlers have told.
func (l *Link) IsUp() bool { return l.up.Load() && l.lost.Err() == nil }

// Lost is closed when the link is lost.
func (l *Link) Lost() <-chan struct{} { return l.lost.Done() }

// AfterLoss calls f when the link is lost, unless stop is called before.
func (l *Link) AfterLoss(f func()) (stop func() bool) { return context.AfterFunc(l.lost, f) }

// Signal wakes everybody who waits for something to happen.
type Signal struct {
	mu   sync.Mutex
	next chan struct{} // nil until somebody waits
}

// Wait returns a channel that is closed the next time.
func (s *Signal) Wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == nil {
		s.next = make(chan struct{})
	}
	return s.next
}

// Send closes the channel.
func (s *Signal) Send() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next != nil {
		close(s.next)
		s.next = nil
	}
}
