package bridge

import (
	"sync"
	"time"
)

// timers call functions later, but none after they are closed.
type timers struct {
	running sync.WaitGroup // timers that wait, or whose functions run

	mu      sync.Mutex
	waiting map[*time.Timer]struct{}
	closed  bool
}

// after calls f once d has passed, unless the timers are closed first. It returns a function that cancels the call, unless it is about to begin.
func (t *timers) after(d time.Duration, f func()) (stop func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return func() {}
	}
	if t.waiting == nil {
		t.waiting = map[*time.Timer]struct{}{}
	}
	t.running.Add(1)
	var timer *time.Timer
	timer = time.AfterFunc(d, func() {
		defer t.running.Done()
		t.mu.Lock()
		delete(t.waiting, timer)
		t.mu.Unlock()
		f()
	})
	t.waiting[timer] = struct{}{}
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.cancel(timer)
	}
}

// cancel stops a timer whose function is not about to begin. The lock must be held.
func (t *timers) cancel(timer *time.Timer) {
	if timer.Stop() {
		delete(t.waiting, timer)
		t.running.Done()
	}
}

// close stops all timers, and waits for running functions.
func (t *timers) close() {
	t.mu.Lock()
	t.closed = true
	for timer := range t.waiting {
		t.cancel(timer)
	}
	t.mu.Unlock()
	t.running.Wait()
}
