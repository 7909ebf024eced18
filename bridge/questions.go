package bridge

import (
	"context"
	"fmt"
	"time"
)

// question is a question of readers about a log, or about subjects in a store. Exactly one of seq, time and subjects is set.
type question struct {
	of       any
	seq      uint64
	time     int64
	subjects string
	most     int
}

type answer struct {
	task   *task
	ready  bool
	at     Position   // of Log.Stored
	last   uint64     // of Log.Stored
	since  uint64     // of Log.Since
	back   []Position // of Log.Back
	extent Extent     // of Store.Extent, like the rest
	err    error
	times  uint64 // how often the store was asked
}

// stored asks what is stored at a sequence; see Log.Stored.
func (r *replays) stored(log Log, seq uint64, by asker) *answer {
	return r.ask(question{of: log, seq: seq}, by, func(ctx context.Context, a *answer) (err error) {
		a.at, a.last, err = log.Stored(ctx, seq)
		return err
	})
}

// since asks where a time begins; see Log.Since.
func (r *replays) since(log Log, t time.Time, by asker) *answer {
	return r.ask(question{of: log, time: t.UnixNano()}, by, func(ctx context.Context, a *answer) (err error) {
		a.since, err = log.Since(ctx, t)
		return err
	})
}

// back returns the positions of the newest messages up to a sequence; see Log.Back.
func (r *replays) back(log Log, subjects []Subject, upTo uint64, most int, by asker) *answer {
	q := question{of: log, seq: upTo, subjects: joined(subjects), most: most}
	return r.ask(q, by, func(ctx context.Context, a *answer) (err error) {
		a.back, err = log.Back(ctx, subjects, upTo, most)
		return err
	})
}

// ask returns the answer to a question. It is read once for all who ask at the same time.
func (r *replays) ask(q question, by asker, read func(context.Context, *answer) error) *answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.answers[q]
	if a == nil {
		a = &answer{}
		a.task = newTask(q.of, func(ctx context.Context, _ turn) error { return r.answer(ctx, q, a, read) })
		a.task.left = func() { r.unask(q, a) }
		r.answers[q] = a
	}
	if a.ready {
		return a
	}
	r.turns.await(a.task, by.waiter, wanted{}, by.waker, 0)
	return nil
}

func (r *replays) answer(ctx context.Context, q question, a *answer, read func(context.Context, *answer) error) error {
	var found answer
	if err := read(ctx, &found); err != nil {
		return r.failed(ctx, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	found.task, found.ready = a.task, true
	*a = found
	r.turns.wakeAll(a.task)
	r.turns.timers.after(answerAge, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.answers[q] == a {
			delete(r.answers, q)
		}
	})
	return nil
}

// unask forgets a question that nobody waits for any more.
func (r *replays) unask(q question, a *answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.answers[q] == a && !a.ready && !r.turns.isAwaited(a.task) {
		delete(r.answers, q)
	}
}

// Extent returns what is stored on subjects, when it is the account's turn. Callers who ask the same before the store is asked share one answer.
// The error is the store's, or wraps ErrBusy, ErrClosed, or ErrUnavailable and the context's error.
func (h *Hub) Extent(ctx context.Context, store Store, subjects []Subject, account Account) (Extent, error) {
	r := h.replays
	if !r.turns.hasRoom(account) {
		return Extent{}, fmt.Errorf("look up what is stored: %w", ErrBusy)
	}
	more := NewSignal()
	by := asker{&waiter{account: account}, more}
	defer r.turns.leave(by.waiter)
	a := r.extent(store, subjects, by)
	select {
	case <-more:
		r.mu.Lock()
		defer r.mu.Unlock()
		return a.extent, a.err
	case <-ctx.Done():
		return Extent{}, fmt.Errorf("look up what is stored: %w: %w", ErrUnavailable, ctx.Err())
	case <-r.turns.alive.Done():
		return Extent{}, fmt.Errorf("look up what is stored: %w", ErrClosed)
	}
}

// extent returns the object that holds the answer when by is woken. A caller who arrives while the store is being asked waits for the next
// answer, which must include everything stored before the call.
func (r *replays) extent(store Store, subjects []Subject, by asker) *answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	q := question{of: store, subjects: joined(subjects)}
	a := r.answers[q]
	if a == nil {
		a = &answer{}
		a.task = newTask(store, func(ctx context.Context, _ turn) error { return r.lookUp(ctx, q, a, store, subjects) })
		a.task.left = func() { r.unask(q, a) }
		r.answers[q] = a
	}
	r.turns.await(a.task, by.waiter, wanted{from: a.times + 1}, by.waker, 0)
	return a
}

func (r *replays) lookUp(ctx context.Context, q question, a *answer, store Store, subjects []Subject) error {
	r.mu.Lock()
	a.times++
	times := a.times
	r.mu.Unlock()
	extent, err := store.Extent(ctx, subjects)
	if ctx.Err() != nil {
		return r.failed(ctx, ctx.Err())
	}
	r.mu.Lock()
	a.extent, a.err = extent, err
	r.turns.wake(a.task, 0, times, anyWanted)
	r.mu.Unlock()
	r.unask(q, a)
	return nil
}
