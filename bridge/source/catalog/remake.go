package catalog

import (
	"context"
	"time"
)

const (
	// firstRemake and lastRemake are the shortest and the longest wait before a deleted stream of Tailwater's own is made again. The first
	// leaves time to put another stream in its place.
	firstRemake = deletedWait
	lastRemake  = 30 * time.Second
	// remakeCalm is how long nothing must be deleted before firstRemake applies again.
	remakeCalm = time.Minute
	// remakeGrace is how long readers of a stream that is made again wait for it.
	remakeGrace = 2 * time.Second
)

// remake is when deleted streams of Tailwater's own are made again. Guarded by Table.mu.
type remake struct {
	at   time.Time // the zero value for never
	wait time.Duration
	last time.Time
}

// planRemake determines when to make streams of Tailwater's own again that are gone. The lock must be held.
func (t *Table) planRemake() {
	if len(t.deleted()) == 0 {
		t.remake.at = time.Time{}
		return
	}
	if !t.remake.at.IsZero() {
		return
	}
	now := time.Now()
	if now.Sub(t.remake.last) > remakeCalm {
		t.remake.wait = 0
	}
	t.remake.wait = min(max(2*t.remake.wait, firstRemake), lastRemake)
	t.remake.at = now.Add(t.remake.wait)
	t.timed()
}

// deleted returns which streams of Tailwater's own were deleted. The lock must be held.
func (t *Table) deleted() (deleted []int) {
	for i, keep := range t.keep {
		if t.own[i].made && t.now.absence.why == "" && t.isGone(keep) {
			deleted = append(deleted, i)
		}
	}
	return deleted
}

// isRemade reports whether a stream that is gone will soon be there again. The lock must be held.
func (t *Table) isRemade(name string) bool {
	for _, i := range t.deleted() {
		if t.keep[i].Stream == name {
			return t.remake.wait == firstRemake
		}
	}
	return false
}

// remakeGone makes the deleted streams of Tailwater's own again, and returns their names. All bridges do, side by side: JetStream makes one of
// equal ones. A failure is tried again later.
func (t *Table) remakeGone(ctx context.Context) (names []string) {
	t.mu.Lock()
	gone := t.deleted()
	t.mu.Unlock()
	for _, i := range gone {
		before, after, err := t.ensureAt(ctx, i)
		switch {
		case err != nil:
			t.failures.Do(func() { t.log.Warn("cannot make the stream "+t.keep[i].Stream+" again yet", "error", err) })
			continue
		case after.problem != "" && after.problem != before.problem:
			t.log.Warn(after.problem, "remedy", after.remedy)
		}
		names = append(names, t.keep[i].Stream)
	}
	return names
}

// ensureAt makes, or changes, one of Tailwater's own streams, and records its state. The error means that JetStream did not answer.
func (t *Table) ensureAt(ctx context.Context, i int) (before, after own, err error) {
	keep := t.keep[i]
	after, err = t.ensureStream(ctx, keep)
	if err == nil && i > 0 && after.spare && keep.Shrinks {
		after, err = t.together(ctx, after)
	}
	if err != nil {
		return own{}, own{}, err
	}
	after.settled = true
	t.mu.Lock()
	defer t.mu.Unlock()
	before = t.own[i]
	after.made = after.made || before.made && after.missing
	t.own[i] = after
	return before, after, nil
}
