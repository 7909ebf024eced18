package js

import (
	"context"
	"sync"
	"time"
)

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

// Wake makes the reader of a channel that buffers one look again.
func Wake(reader chan<- struct{}) {
	select {
	case reader <- struct{}{}:
	default: // it is about to look
	}
}

// callsAtOnce is how many requests are sent at once.
const callsAtOnce = 16

// Each calls do for 0 to n-1, for a few at once.
func Each(n int, do func(i int)) {
	var calls sync.WaitGroup
	slots := make(chan struct{}, callsAtOnce)
	for i := range n {
		slots <- struct{}{}
		calls.Go(func() {
			defer func() { <-slots }()
			do(i)
		})
	}
	calls.Wait()
}

// Sleep waits. If the context ends first, Sleep returns its error.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
