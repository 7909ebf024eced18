package bridge

import (
	"container/list"
	"iter"
	"slices"
)

// What waiters wait for of a task. A wish is one waiter's, for one sequence or result. A demand is all wishes of one account for the task. A
// turn is one run of the task, for the oldest wish of an account. The lock of turns must be held.

// wish is what a waiter waits for of a task.
type wish struct {
	turn
	of       *task
	by       *waiter
	next     *wish // of the same waiter
	waker    Waker
	demand   *demand
	inDemand *list.Element // among the demand's wishes
	index    int           // in its stretch
}

// demand holds the wishes of one account for a task.
type demand struct {
	account Account
	wishes  list.List     // of *wish; the one that has waited longest comes first
	inTask  *list.Element // among the task's demands
	inQueue *list.Element // of the task, in the account's queue; nil if the task does not stand there
}

// isAwaited reports whether anybody waits for a task.
func (of *task) isAwaited() bool { return len(of.demands) > 0 }

// move makes a wish one for another sequence, which was not waited for until now.
func (of *task) move(w *wish, at wanted) {
	if w.wanted == at {
		return
	}
	of.wishes.remove(w)
	w.turn = turn{wanted: at}
	of.wishes.add(w)
	w.demand.wishes.MoveToBack(w.inDemand)
}

// wish returns what the waiter waits for of a task, nil for nothing.
func (w *waiter) wish(of *task) *wish {
	had := w.wishes
	for had != nil && had.of != of {
		had = had.next
	}
	return had
}

// forget removes a wish from those of the waiter.
func (w *waiter) forget(gone *wish) {
	at := &w.wishes
	for *at != gone {
		at = &(*at).next
	}
	*at = gone.next
}

// wishes holds the wishes for a task by stretches of the log: a run looks only at those that are near to what it reads.
type wishes map[uint64][]*wish

// stretch is how many sequences a stretch has: about as many as a page has messages.
const stretch = 1 << 10

func (all wishes) add(w *wish) {
	key := w.from / stretch
	w.index = len(all[key])
	all[key] = append(all[key], w)
}

func (all wishes) remove(w *wish) {
	key := w.from / stretch
	some := all[key]
	last := len(some) - 1
	if last == 0 {
		delete(all, key)
		return
	}
	some[w.index], some[last].index = some[last], w.index
	some[last] = nil
	all[key] = some[:last]
}

// within returns the wishes for sequences in [from, through]. The loop may remove the wish that it is at.
func (all wishes) within(from, through uint64) iter.Seq[*wish] {
	return func(yield func(*wish) bool) {
		for some := range all.stretches(from/stretch, through/stretch) {
			for _, w := range slices.Backward(some) { // remove puts the last wish in the place of the removed one
				if w.from >= from && w.from <= through && !yield(w) {
					return
				}
			}
		}
	}
}

// stretches returns the stretches in [first, last] that have wishes.
func (all wishes) stretches(first, last uint64) iter.Seq[[]*wish] {
	return func(yield func([]*wish) bool) {
		if last-first >= uint64(len(all)) {
			for key, some := range all {
				if key >= first && key <= last && !yield(some) {
					return
				}
			}
			return
		}
		for key := first; key <= last; key++ {
			if some := all[key]; some != nil && !yield(some) {
				return
			}
		}
	}
}
