package bridge

import (
	"context"
	"time"
	"unsafe"
)

// Turns lets tests look at the scheduler of reads by itself.
type Turns struct{ *turns }

// Task is one of its tasks.
type Task struct{ *task }

// Waiter is who waits for its tasks.
type Waiter struct{ *waiter }

func NewTurns() Turns { return Turns{newTurns()} }

func NewWaiter(account Account) Waiter { return Waiter{&waiter{account: account}} }

func NewTask(of any, run func(ctx context.Context, from uint64) error) Task {
	return Task{newTask(of, func(ctx context.Context, at turn) error { return run(ctx, at.from) })}
}

func (t Task) Left(left func()) { t.left = left }

func (t Turns) Close() { t.close() }

func (t Turns) Await(of Task, w Waiter, from uint64, waker Waker, gather time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.await(of.task, asker{w.waiter, waker}, wanted{from: from}, gather)
}

func (t Turns) Wake(of Task, from, through uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wake(of.task, from, through, anyWanted)
}

func (t Turns) Leave(w Waiter) { t.leave(w.waiter) }

func (t Turns) MayWait(account Account) bool { return t.mayWait(account) }

// Kept is how much is remembered of accounts and stores.
func (t Turns) Kept() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.awaited + t.inProgress + len(t.accounts) + len(t.stores)
}

// InQueues returns how many tasks stand in queues, each once for every queue.
func (t Turns) InQueues() (tasks int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.stores {
		for _, q := range s.queues {
			tasks += q.tasks.Len()
		}
	}
	return tasks
}

// Lookups is how many lookups are remembered.
func (h *Hub) Lookups() int {
	h.replays.mu.Lock()
	defer h.replays.mu.Unlock()
	return len(h.replays.lookups)
}

// MostRunning is how many tasks run at once, and MostOfOne how many tasks one account may wait for.
const MostRunning, MostOfOne = mostRunning, mostOfOne

// Callers returns how many callers the budget remembers.
func (b *Budget) Callers() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.by)
}

func (t Turns) Lowest(of Task, from, most uint64) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return of.lowest(from, most)
}

// SizeOfReader is what a reader takes in bytes, beside where it stands in each part.
const SizeOfReader = unsafe.Sizeof(Reader{})
