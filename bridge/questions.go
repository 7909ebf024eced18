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
	isEnd    bool // of Store.End
}

type answer struct {
	task   *task
	ready  bool
	at     Position   // of Log.Stored
	last   uint64     // of Log.Stored
	since  uint64     // of Log.Since
	back   []Position // of Log.Back
	extent Extent     // of Store.Extent
	end    ID         // of Store.End
	err    error      // of a Store
	times  uint64     // how often it was asked
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
	found, err := h.lookUp(ctx, question{of: store, subjects: joined(subjects)}, store.Holder(subjects), account, func(ctx context.Context, a *answer) {
		a.extent, a.err = store.Extent(ctx, subjects)
	})
	return found.extent, err
}

// End returns Store.End, when it is the account's turn. It is like Extent. What has arrived here is a moment behind what is stored: a reader that
// ends has to reach the store's end, or it would not know what was acknowledged before.
func (h *Hub) End(ctx context.Context, store Store, subjects []Subject, account Account) (ID, error) {
	found, err := h.lookUp(ctx, question{of: store, subjects: joined(subjects), isEnd: true}, store.Holder(subjects), account, func(ctx context.Context, a *answer) {
		a.end, a.err = store.End(ctx, subjects)
	})
	return found.end, err
}

// lookUp returns what a store says, when it is the account's turn at the holder.
func (h *Hub) lookUp(ctx context.Context, q question, holder any, account Account, read func(context.Context, *answer)) (found answer, err error) {
	r := h.replays
	if !r.turns.mayWait(account) {
		return found, fmt.Errorf("look up what is stored: %w", ErrBusy)
	}
	more := NewSignal()
	by := asker{&waiter{account: account}, more}
	defer r.turns.leave(by.waiter)
	a := r.askAnew(q, holder, by, read)
	select {
	case <-more:
		r.mu.Lock()
		defer r.mu.Unlock()
		return *a, a.err
	case <-ctx.Done():
		return found, fmt.Errorf("look up what is stored: %w: %w", ErrUnavailable, ctx.Err())
	case <-r.turns.alive.Done():
		return found, fmt.Errorf("look up what is stored: %w", ErrClosed)
	}
}

// askAnew returns the object that holds the answer when by is woken. A caller who arrives while the store is being asked waits for the next
// answer, which must include everything stored before the call.
func (r *replays) askAnew(q question, holder any, by asker, read func(context.Context, *answer)) *answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.answers[q]
	if a == nil {
		a = &answer{}
		a.task = newTask(holder, func(ctx context.Context, _ turn) error { return r.answerAnew(ctx, q, a, read) })
		a.task.left = func() { r.unask(q, a) }
		r.answers[q] = a
	}
	r.turns.await(a.task, by.waiter, wanted{from: a.times + 1}, by.waker, 0)
	return a
}

func (r *replays) answerAnew(ctx context.Context, q question, a *answer, read func(context.Context, *answer)) error {
	r.mu.Lock()
	a.times++
	times := a.times
	r.mu.Unlock()
	var found answer
	read(ctx, &found)
	if ctx.Err() != nil {
		return r.failed(ctx, ctx.Err())
	}
	r.mu.Lock()
	a.extent, a.end, a.err = found.extent, found.end, found.err
	r.turns.wake(a.task, 0, times, anyWanted)
	r.mu.Unlock()
	r.unask(q, a)
	return nil
}
