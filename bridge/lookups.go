package bridge

import (
	"context"
	"fmt"
	"time"
)

// lookup is what readers ask a log, or a store about subjects. Exactly one of seq, time and subjects is set.
type lookup struct {
	of       any
	seq      uint64
	time     int64
	subjects string
	most     int
	isEnd    bool // of Store.End
}

type result struct {
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
func (r *replays) stored(log Log, seq uint64, by asker) *result {
	return r.look(lookup{of: log, seq: seq}, by, func(ctx context.Context, to *result) (err error) {
		to.at, to.last, err = log.Stored(ctx, seq)
		return err
	})
}

// since asks where a time begins; see Log.Since.
func (r *replays) since(log Log, t time.Time, by asker) *result {
	return r.look(lookup{of: log, time: t.UnixNano()}, by, func(ctx context.Context, to *result) (err error) {
		to.since, err = log.Since(ctx, t)
		return err
	})
}

// back returns the positions of the newest messages up to a sequence; see Log.Back.
func (r *replays) back(log Log, subjects []Subject, upTo uint64, most int, by asker) *result {
	key := lookup{of: log, seq: upTo, subjects: joined(subjects), most: most}
	return r.look(key, by, func(ctx context.Context, to *result) (err error) {
		to.back, err = log.Back(ctx, subjects, upTo, most)
		return err
	})
}

// look returns the result of a lookup. It is read once for all who ask at the same time.
func (r *replays) look(key lookup, by asker, read func(context.Context, *result) error) *result {
	r.mu.Lock()
	defer r.mu.Unlock()
	to := r.lookups[key]
	if to == nil {
		to = &result{}
		to.task = newTask(key.of, func(ctx context.Context, _ turn) error { return r.read(ctx, key, to, read) })
		to.task.left = func() { r.forgetLookup(key, to) }
		r.lookups[key] = to
	}
	if to.ready {
		return to
	}
	r.turns.await(to.task, by.waiter, wanted{}, by.waker, 0)
	return nil
}

func (r *replays) read(ctx context.Context, key lookup, to *result, read func(context.Context, *result) error) error {
	var found result
	if err := read(ctx, &found); err != nil {
		return r.failed(ctx, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	found.task, found.ready = to.task, true
	*to = found
	r.turns.wakeAll(to.task)
	r.turns.timers.after(resultAge, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.lookups[key] == to {
			delete(r.lookups, key)
		}
	})
	return nil
}

// forgetLookup drops a lookup that nobody waits for any more.
func (r *replays) forgetLookup(key lookup, to *result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lookups[key] == to && !to.ready && !r.turns.isAwaited(to.task) {
		delete(r.lookups, key)
	}
}

// Extent returns what is stored on subjects, when it is the account's turn. Callers who ask the same before the store is asked share one result.
// The error is the store's, or wraps ErrBusy, ErrClosed, or ErrUnavailable and the context's error.
func (h *Hub) Extent(ctx context.Context, store Store, subjects []Subject, account Account) (Extent, error) {
	found, err := h.lookUp(ctx, lookup{of: store, subjects: joined(subjects)}, store.Holder(subjects), account, func(ctx context.Context, to *result) {
		to.extent, to.err = store.Extent(ctx, subjects)
	})
	return found.extent, err
}

// End returns Store.End, when it is the account's turn. It is like Extent. What has arrived here is a moment behind what is stored: a reader that
// ends has to reach the store's end, or it would not know what was acknowledged before.
func (h *Hub) End(ctx context.Context, store Store, subjects []Subject, account Account) (ID, error) {
	found, err := h.lookUp(ctx, lookup{of: store, subjects: joined(subjects), isEnd: true}, store.Holder(subjects), account, func(ctx context.Context, to *result) {
		to.end, to.err = store.End(ctx, subjects)
	})
	return found.end, err
}

// lookUp returns what a store says, when it is the account's turn at the holder.
func (h *Hub) lookUp(ctx context.Context, key lookup, holder any, account Account, read func(context.Context, *result)) (found result, err error) {
	r := h.replays
	if !r.turns.mayWait(account) {
		return found, fmt.Errorf("look up what is stored: %w", ErrBusy)
	}
	more := NewSignal()
	by := asker{&waiter{account: account}, more}
	defer r.turns.leave(by.waiter)
	to := r.lookAnew(key, holder, by, read)
	select {
	case <-more:
		r.mu.Lock()
		defer r.mu.Unlock()
		return *to, to.err
	case <-ctx.Done():
		return found, fmt.Errorf("look up what is stored: %w: %w", ErrUnavailable, ctx.Err())
	case <-r.turns.alive.Done():
		return found, fmt.Errorf("look up what is stored: %w", ErrClosed)
	}
}

// lookAnew returns the object that holds the result when by is woken. A caller who arrives while the store is being asked waits for the next
// result, which must include everything stored before the call.
func (r *replays) lookAnew(key lookup, holder any, by asker, read func(context.Context, *result)) *result {
	r.mu.Lock()
	defer r.mu.Unlock()
	to := r.lookups[key]
	if to == nil {
		to = &result{}
		to.task = newTask(holder, func(ctx context.Context, _ turn) error { return r.readAnew(ctx, key, to, read) })
		to.task.left = func() { r.forgetLookup(key, to) }
		r.lookups[key] = to
	}
	r.turns.await(to.task, by.waiter, wanted{from: to.times + 1}, by.waker, 0)
	return to
}

func (r *replays) readAnew(ctx context.Context, key lookup, to *result, read func(context.Context, *result)) error {
	r.mu.Lock()
	to.times++
	times := to.times
	r.mu.Unlock()
	var found result
	read(ctx, &found)
	if ctx.Err() != nil {
		return r.failed(ctx, ctx.Err())
	}
	r.mu.Lock()
	to.extent, to.end, to.err = found.extent, found.end, found.err
	r.turns.wake(to.task, 0, times, anyWanted)
	r.mu.Unlock()
	r.forgetLookup(key, to)
	return nil
}
