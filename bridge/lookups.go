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

// look returns the result of a lookup in a log, nil while there is none. It serves all who ask within resultAge.
func (r *replays) look(key lookup, by asker, read func(context.Context, *result) error) *result {
	r.mu.Lock()
	defer r.mu.Unlock()
	to := r.lookup(key, key.of, resultAge, read)
	if to.ready {
		return to
	}
	r.await(to.task, by, wanted{}, 0)
	return nil
}

// lookup returns the object for the result of a lookup, which is kept for an age. The lock must be held.
func (r *replays) lookup(key lookup, holder any, age time.Duration, read func(context.Context, *result) error) *result {
	to := r.lookups[key]
	if to == nil {
		to = &result{}
		to.task = newTask(holder, func(ctx context.Context, _ turn) error { return r.read(ctx, key, to, age, read) })
		to.task.left = func() { r.dropLookup(key, to) }
		r.lookups[key] = to
	}
	return to
}

// read reads a result. It serves those who have asked before.
func (r *replays) read(ctx context.Context, key lookup, to *result, age time.Duration, read func(context.Context, *result) error) error {
	r.mu.Lock()
	to.times++
	found := result{task: to.task, times: to.times, ready: age > 0}
	r.mu.Unlock()
	if err := read(ctx, &found); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	*to = found
	r.wake(to.task, 0, to.times, anyWanted)
	if age == 0 {
		r.dropLookup(key, to)
		return nil
	}
	r.after(age, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		to.ready = false
		r.dropLookup(key, to)
	})
	return nil
}

// dropLookup forgets a lookup, unless its result is kept or somebody waits for it. The lock must be held.
func (r *replays) dropLookup(key lookup, to *result) {
	if r.lookups[key] == to && !to.ready && !to.task.isAwaited() {
		delete(r.lookups, key)
	}
}

// Extent returns what is stored on subjects, when it is the account's turn. Callers who ask the same before the store is asked share one result.
// The error is the store's, or wraps ErrBusy, ErrClosed, or ErrUnavailable and the context's error.
func (h *Hub) Extent(ctx context.Context, store Store, subjects []Subject, account Account) (Extent, error) {
	found, err := h.lookUp(ctx, lookup{of: store, subjects: joined(subjects)}, store.Holder(subjects), account, func(ctx context.Context, to *result) error {
		to.extent, to.err = store.Extent(ctx, subjects)
		return ctx.Err()
	})
	return found.extent, err
}

// End returns Store.End, when it is the account's turn. It is like Extent. What has arrived here is a moment behind what is stored: a reader that
// ends has to reach the store's end, or it would not know what was acknowledged before.
func (h *Hub) End(ctx context.Context, store Store, subjects []Subject, account Account) (ID, error) {
	found, err := h.lookUp(ctx, lookup{of: store, subjects: joined(subjects), isEnd: true}, store.Holder(subjects), account, func(ctx context.Context, to *result) error {
		to.end, to.err = store.End(ctx, subjects)
		return ctx.Err()
	})
	return found.end, err
}

// lookUp returns what a store says, when it is the account's turn at the holder.
func (h *Hub) lookUp(ctx context.Context, key lookup, holder any, account Account, read func(context.Context, *result) error) (found result, err error) {
	r := h.replays
	if !r.mayWait(account) {
		return found, fmt.Errorf("look up what is stored: %w", ErrBusy)
	}
	more := NewSignal()
	by := asker{&waiter{account: account}, more}
	defer r.leave(by.waiter)
	r.mu.Lock()
	to := r.lookup(key, holder, 0, read)
	// While the store is being asked, the next result is awaited: it has to include everything stored before the call.
	r.await(to.task, by, wanted{from: to.times + 1}, 0)
	r.mu.Unlock()
	select {
	case <-more:
		r.mu.Lock()
		defer r.mu.Unlock()
		return *to, to.err
	case <-ctx.Done():
		return found, fmt.Errorf("look up what is stored: %w: %w", ErrUnavailable, ctx.Err())
	case <-r.alive.Done():
		return found, fmt.Errorf("look up what is stored: %w", ErrClosed)
	}
}
