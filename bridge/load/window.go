package load

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// window limits the number of messages in flight. A message has arrived when each connection on its subject has received it, or a later
// message, or has ended.
type window struct {
	limit    int
	subjects int
	patience time.Duration

	mu      sync.Mutex
	readers []int32 // open connections of each subject
	lowest  int     // the first message that has not arrived
	next    int     // the first message that is not published

	remaining []atomic.Int32 // connections that a message has not reached yet; a ring
	arrived   atomic.Int64
	wake      chan struct{} // holds a token when something has arrived
}

// windowSpread is how far apart the messages in a window may be, as a multiple of their number: those of a slow subject lag behind.
const windowSpread = 8

func newWindow(limit, subjects int, patience time.Duration) *window {
	return &window{
		limit: limit, subjects: subjects, patience: patience,
		readers:   make([]int32, subjects),
		remaining: make([]atomic.Int32, windowSpread*limit),
		wake:      make(chan struct{}, 1),
	}
}

// wait waits until message k fits into the window, and puts it there. It returns false if ctx ends, or messages have stopped arriving.
func (w *window) wait(ctx context.Context, k int) bool {
	for !w.take(k) {
		still := time.NewTimer(w.patience)
		select {
		case <-w.wake:
			still.Stop()
		case <-ctx.Done():
			still.Stop()
			return false
		case <-still.C:
			return false
		}
	}
	return true
}

func (w *window) take(k int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.lowest < k && w.slot(w.lowest).Load() <= 0 {
		w.lowest++
	}
	if k-int(w.arrived.Load()) >= w.limit || k-w.lowest >= len(w.remaining) {
		return false
	}
	readers := w.readers[k%w.subjects]
	w.slot(k).Store(readers)
	w.next = k + 1
	if readers == 0 {
		w.arrived.Add(1)
	}
	return true
}

func (w *window) slot(k int) *atomic.Int32 { return &w.remaining[k%len(w.remaining)] }

// reached counts one connection that message k has reached.
func (w *window) reached(k int) {
	if w.slot(k).Add(-1) == 0 {
		w.arrive()
	}
}

// abandon gives up message k, which could not be published.
func (w *window) abandon(k int) {
	if w.slot(k).Swap(0) > 0 {
		w.arrive()
	}
}

func (w *window) arrive() {
	w.arrived.Add(1)
	select {
	case w.wake <- struct{}{}:
	default: // there is a token already
	}
}

// join adds a connection. It must be called before the first message.
func (w *window) join(subject int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.readers[subject]++
}

// leave removes a connection that has received messages up to a sequence.
func (w *window) leave(subject int, highest uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.readers[subject]--
	for k := indexOf(subject, highest+1, w.subjects); k < w.next; k += w.subjects {
		w.reached(k)
	}
}

// Messages are published on all subjects in turn: message k is on subject k mod subjects. Its sequence there counts from 1.

func seqOf(k, subjects int) uint32                { return uint32(k/subjects) + 1 }
func indexOf(subject int, seq uint32, of int) int { return (int(seq)-1)*of + subject }

// published returns how many of the first k messages were on a subject.
func published(k, subject, subjects int) uint32 {
	return uint32((k - subject + subjects - 1) / subjects)
}
