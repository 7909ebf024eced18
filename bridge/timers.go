package bridge

import (
	"sync"
	"time"
)

// timers call functions later, but none after they are closed.
type timers struct {
	running sync.WaitGroup

	mu      sync.Mutex
	waiting map[*timer]struct{}
	closed  bool
}

// timer is compared by address.
type timer struct{ *time.Timer }

// after calls f once d has passed, unless the timers are closed first. It returns a function that cancels the call.
func (t *timers) after(d time.Duration, f func()) (stop func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return func() {}
	}
	if t.waiting == nil {
		t.waiting = map[*timer]struct{}{}
	}
	waits := new(timer)
	waits.Timer = time.AfterFunc(d, func() {
		if t.take(waits) {
			defer t.running.Done()
			f()
		}
	})
	t.waiting[waits] = struct{}{}
	return func() { t.drop(waits) }
}

// take reports whether a fired timer may call its function. close waits for that call.
func (t *timers) take(of *timer) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, waits := t.waiting[of]; !waits {
		return false
	}
	delete(t.waiting, of)
	t.running.Add(1)
	return true
}

func (t *timers) drop(of *timer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	of.Stop()
	delete(t.waiting, of)
}

// close stops all timers, and waits for running functions.
func (t *timers) close() {
	t.mu.Lock()
	t.closed = true
	for of := range t.waiting {
		of.Stop()
	}
	t.waiting = nil
	t.mu.Unlock()
	t.running.Wait()
}
