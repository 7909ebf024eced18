package js

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Link is one connection to NATS, from the call that dialed it until it is lost. It records whether it is up, what was refused on
// it, and which requests have no answer. Code that must know whether a proof is still valid keeps the Link of the proof, and
// compares it with Conn.Link.
type Link struct {
	lost context.Context
	lose context.CancelFunc
	up   atomic.Bool

	isDialed bool // false for a link that never was one
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

// IsUp reports whether the link carries messages, according to nats.go's handlers.
func (l *Link) IsUp() bool { return l.up.Load() && l.lost.Err() == nil }

// Lost returns a channel that is closed when the link is lost.
func (l *Link) Lost() <-chan struct{} { return l.lost.Done() }

// AfterLoss calls f when the link is lost, unless stop is called first.
func (l *Link) AfterLoss(f func()) (stop func() bool) { return context.AfterFunc(l.lost, f) }

// Signal wakes all goroutines that wait for an event.
type Signal struct {
	mu   sync.Mutex
	next chan struct{} // nil if nobody waits
}

// Wait returns a channel that is closed at the next Send.
func (s *Signal) Wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == nil {
		s.next = make(chan struct{})
	}
	return s.next
}

// Send closes the channel of Wait.
func (s *Signal) Send() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next != nil {
		close(s.next)
		s.next = nil
	}
}
