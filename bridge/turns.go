package bridge

import (
	"container/list"
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// mostRunning is how many tasks may run at once: each keeps a server busy.
	mostRunning = 16
	// mostAwaited is how many tasks may be waited for, and mostOfOne by one account.
	mostAwaited, mostOfOne = 1 << 16, 1 << 12
	// taskTimeout is how long a task may run: over a slow link, its page arrives behind those of the others.
	taskTimeout = 30 * time.Second
	// taskBackoff is the wait after a task that failed.
	taskBackoff = time.Second
)

// Account says whom reads are for, so that each has its turn: a hash of who has signed in, or else of the address that a
// request comes from. 0 is the bridge itself.
type Account uint64

// turns runs reads of stores: a few at once, and by turns, so that an account that asks for many does not delay the others. Methods need the lock, unless
// they say that they take it.
//
// A task is shared by all who wait for it. It stands in the queues of their accounts, and runs when the first of these
// queues has its turn. If an account waits for nothing else of the store, the task stands in the queues of no further
// accounts: it would not run earlier. So a run for one of thousands costs nothing for the others.
//
// Each store has queues of its own, so that one that does not answer delays no other. A store may run half of the tasks
// that other stores leave, so that some can always run, and an account of it no more than can run then.
type turns struct {
	alive   context.Context
	stop    context.CancelFunc
	running sync.WaitGroup // tasks, and calls of after

	failures atomic.Uint64 // runs that failed while somebody waited

	mu         sync.Mutex
	stores     []*store        // that have queues; the one whose turn it is comes first
	inProgress int             // tasks that run
	awaited    int             // tasks that somebody waits for
	accounts   map[Account]int // how many of them each account waits for
}

// task is a read that runs whenever somebody waits for it.
type task struct {
	of   any // the store
	run  func(context.Context, turn) error
	left func() // called when the last who waited has left, with the lock held; may be nil

	// The rest is guarded by the lock of turns.
	wishes  wishes
	demands map[Account]*demand
	order   list.List // of *demand; the one whose turn it is comes first
	sole    *demand   // the first whose account had nothing else in its queue, so that no demand behind it stands in one; nil for none
	busy    bool      // it runs, or is not to run for a while; then it stands in no queue
	cancel  context.CancelFunc
}

// wanted is what of a task somebody waits for: sequences of a log, or the number of a result.
type wanted struct{ from, upTo uint64 }

// turn is for whom a task runs.
type turn struct {
	wanted
	again bool // it had a turn before, which did not serve it
}

// waiter is who waits for tasks.
type waiter struct {
	account Account
	wishes  *wish // the first of them, nil for none; guarded by the lock of turns
}

// asker is a waiter that asks, and its present waker.
type asker struct {
	*waiter
	waker Waker
}

func newTurns() *turns {
	t := &turns{accounts: map[Account]int{}}
	t.alive, t.stop = context.WithCancel(context.Background())
	return t
}

func newTask(of any, run func(context.Context, turn) error) *task {
	return &task{of: of, run: run, wishes: wishes{}, demands: map[Account]*demand{}}
}

// close ends all tasks and waits for them. It takes the lock.
func (t *turns) close() {
	t.mu.Lock()
	t.stop()
	t.mu.Unlock() // no task begins from here on
	t.running.Wait()
}

// after calls f without the lock once d has passed, or when the turns are closed, when f has nothing to do any more.
func (t *turns) after(d time.Duration, f func()) {
	if t.alive.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(t.alive, d)
	t.running.Add(1)
	context.AfterFunc(ctx, func() {
		defer t.running.Done()
		cancel()
		f()
	})
}

// mayWait reports whether an account may wait for one more task: it may wait for no more than are left for the others. It takes the lock.
func (t *turns) mayWait(account Account) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.accounts[account] < min(mostOfOne, mostAwaited-t.awaited)
}

// await makes somebody wait for what is wanted of a task. The waker is woken once, by wake. The first who waits may gather: then the task runs
// only after that time, so that one read serves others as well who come meanwhile.
func (t *turns) await(of *task, by asker, at wanted, gather time.Duration) {
	if had := by.wish(of); had != nil {
		had.waker = by.waker
		of.move(had, at)
		return
	}
	isFirst := !of.isAwaited()
	made := &wish{turn: turn{wanted: at}, of: of, by: by.waiter, next: by.wishes, waker: by.waker}
	by.wishes = made
	t.add(made)
	switch {
	case of.busy:
	case gather > 0 && isFirst:
		t.rest(of, gather)
	case made.demand.wishes.Len() == 1 && of.sole == nil: // the first of the account
		t.enqueue(of, made.demand)
		t.begin()
	}
}

// wake wakes those who wait for a sequence in [from, through] that was served. The others go on waiting.
func (t *turns) wake(of *task, from, through uint64, served func(wanted) bool) {
	for w := range of.wishes.within(from, through) {
		if served(w.wanted) {
			t.remove(w)
			w.waker.Wake()
		}
	}
}

// wakeAll wakes all who wait for a task.
func (t *turns) wakeAll(of *task) { t.wake(of, 0, math.MaxUint64, anyWanted) }

func anyWanted(wanted) bool { return true }

// leave takes back every wish of w. If nobody waits for a task any more, it does not run, or is cancelled. It takes the lock.
func (t *turns) leave(w *waiter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for w.wishes != nil {
		of := w.wishes.of
		t.remove(w.wishes)
		if of.isAwaited() {
			continue
		}
		if of.cancel != nil {
			of.cancel()
		}
		if of.left != nil {
			of.left()
		}
	}
}

// lowest returns the lowest sequence from one on that somebody waits for, no higher than most.
func (of *task) lowest(from, most uint64) uint64 {
	for w := range of.wishes.within(from, most) {
		most = min(most, w.from)
	}
	return most
}
