package bridge

import (
	"container/list"
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// mostRunning is how many tasks may run at once: each keeps a server busy.
	mostRunning = 16
	// mostQueued is how many places there are in all lines, and mostOfOne how many of them one account may have. A task that
	// many accounts wait for has a place in the line of each.
	mostQueued, mostOfOne = 1 << 16, 1 << 12
	// taskTimeout is how long a task may run.
	taskTimeout = 10 * time.Second
	// taskBackoff is the wait after a task that failed.
	taskBackoff = time.Second
)

// Account says whom reads are for, so that each has its turn: a hash of who has signed in, or else of the address that a
// request comes from. 0 is the bridge itself.
type Account uint64

// turns runs reads of stores: a few at once, and by turns, so that an account that asks for many holds up no other.
//
// A task is shared by all who wait for it. It stands in a line for each account of theirs, and runs when the first of these
// lines has its turn. Each store has lines of its own, so that one that does not answer holds up nobody else. A store may have
// as many workers as are left for the others, and an account as many of them as are left for the store's other accounts.
type turns struct {
	alive   context.Context
	stop    context.CancelFunc
	running sync.WaitGroup
	timers  timers

	mu       sync.Mutex
	stores   []*store // that have lines; the one whose turn it is comes first
	workers  int      // that run
	queued   int      // places in lines
	accounts map[Account]int
	tickets  uint64
}

// task is a read that runs whenever somebody waits for it.
type task struct {
	of   any // the store
	run  func(context.Context, turn) error
	left func() // called when the last who waited has left; may be nil

	// The rest is guarded by the lock of turns.
	waiting   map[*waiter]wish
	accounts  map[Account]*share
	order     list.List // of *share; the one whose turn it is comes first
	busy      bool      // it runs, or is not to run for a while; then it stands in no line
	cancel    context.CancelFunc
	cancelled bool
}

// share is an account of those who wait for a task.
type share struct {
	account Account
	waiting int
	place   *list.Element
}

// place is what of a task somebody waits for.
type place struct{ from, upTo uint64 }

// turn is for whom a task runs.
type turn struct {
	place
	again bool // it had a turn before, which did not serve it
}

type wish struct {
	turn
	ticket uint64 // the lowest has waited for longest
	waker  Waker
}

// waiter is who waits for tasks.
type waiter struct {
	account Account
	tasks   []*task // guarded by the lock of turns
}

func newTurns() *turns {
	t := &turns{accounts: map[Account]int{}}
	t.alive, t.stop = context.WithCancel(context.Background())
	return t
}

func newTask(of any, run func(context.Context, turn) error) *task {
	return &task{of: of, run: run, waiting: map[*waiter]wish{}, accounts: map[Account]*share{}}
}

// close ends all tasks and waits for them.
func (t *turns) close() {
	t.mu.Lock()
	t.stop()
	t.mu.Unlock() // no worker begins from here on
	t.running.Wait()
	t.timers.close()
}

// hasRoom reports whether an account may wait for more: it may have no more places in lines than are left for the others.
func (t *turns) hasRoom(account Account) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.accounts[account] < min(mostOfOne, mostQueued-t.queued)
}

// await lets w wait for a place of a task. The waker is woken once, by wake. The first who waits may give others time to
// come, so that one read serves them all.
func (t *turns) await(of *task, w *waiter, at place, waker Waker, gather time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	had, waits := of.waiting[w]
	if !waits || had.place != at {
		t.tickets++
		had = wish{turn: turn{place: at}, ticket: t.tickets}
	}
	had.waker = waker
	of.waiting[w] = had
	if waits {
		return
	}
	w.tasks = append(w.tasks, of)
	isFirst := t.add(of, w.account)
	switch {
	case of.busy:
	case gather > 0 && len(of.waiting) == 1:
		t.rest(of, gather)
	case isFirst:
		t.enqueue(of, w.account)
		t.begin()
	}
}

// wake wakes those who wait for a place that was served. The others go on waiting.
func (t *turns) wake(of *task, served func(place) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for w, wish := range of.waiting {
		if served(wish.place) {
			t.remove(of, w)
			w.tasks = slices.DeleteFunc(w.tasks, func(other *task) bool { return other == of })
			wish.waker.Wake()
		}
	}
}

// leave takes back every wish of w. A task that nobody waits for any more does not run, or is cancelled.
func (t *turns) leave(w *waiter) {
	for _, of := range t.withdraw(w) {
		if of.left != nil {
			of.left()
		}
	}
}

// withdraw returns the tasks that nobody waits for any more.
func (t *turns) withdraw(w *waiter) (left []*task) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, of := range w.tasks {
		t.remove(of, w)
		if len(of.waiting) > 0 {
			continue
		}
		left = append(left, of)
		if of.cancel != nil {
			of.cancelled = true
			of.cancel()
		}
	}
	w.tasks = nil
	return left
}

// isAwaited reports whether anybody waits for a task.
func (t *turns) isAwaited(of *task) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(of.waiting) > 0
}

// lowest returns the lowest place from a sequence on that somebody waits for, no higher than most.
func (t *turns) lowest(of *task, from, most uint64) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, wish := range of.waiting {
		if wish.from >= from && wish.from < most {
			most = wish.from
		}
	}
	return most
}
