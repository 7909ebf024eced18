package bridge

import (
	"container/list"
	"context"
	"slices"
	"time"
)

// The lines in which tasks wait, and the workers that run them. The lock of turns must be held.

// store is what tasks read from, compared by ==.
type store struct {
	of      any
	running int
	lines   map[Account]*line
	order   list.List // of those with tasks; the one whose turn it is comes first
}

// line holds the tasks of one account that wait, the oldest first.
type line struct {
	account Account
	running int
	tasks   []*task
	place   *list.Element // nil while it has no tasks
}

// add counts somebody who waits, and reports whether nobody else of the account does.
func (t *turns) add(of *task, account Account) (isFirst bool) {
	s := of.accounts[account]
	if s == nil {
		s = &share{account: account}
		s.place = of.order.PushBack(s)
		of.accounts[account] = s
	}
	s.waiting++
	return s.waiting == 1
}

// remove takes back a wish.
func (t *turns) remove(of *task, w *waiter) {
	delete(of.waiting, w)
	s := of.accounts[w.account]
	if s.waiting--; s.waiting > 0 {
		return
	}
	delete(of.accounts, w.account)
	of.order.Remove(s.place)
	if !of.busy {
		t.dequeue(of, w.account)
	}
}

// rest lets a task stand in no line for a while.
func (t *turns) rest(of *task, d time.Duration) {
	of.busy = true
	t.timers.after(d, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.release(of)
	})
}

// release puts a task into the lines of all who wait for it.
func (t *turns) release(of *task) {
	of.busy = false
	for place := of.order.Front(); place != nil; place = place.Next() {
		t.enqueue(of, place.Value.(*share).account)
	}
	t.begin()
}

func (t *turns) enqueue(of *task, account Account) {
	s := t.store(of.of)
	l := s.lines[account]
	if l == nil {
		l = &line{account: account}
		s.lines[account] = l
	}
	if l.tasks = append(l.tasks, of); l.place == nil {
		l.place = s.order.PushBack(l)
	}
	t.queued++
	t.accounts[account]++
}

func (t *turns) dequeue(of *task, account Account) {
	s := t.store(of.of)
	l := s.lines[account]
	i := slices.Index(l.tasks, of)
	l.tasks = slices.Delete(l.tasks, i, i+1)
	if len(l.tasks) == 0 {
		s.order.Remove(l.place)
		l.place = nil
	}
	t.queued--
	if t.accounts[account]--; t.accounts[account] == 0 {
		delete(t.accounts, account)
	}
	t.tidy(s, l)
}

// store returns what is known of a store.
func (t *turns) store(of any) *store {
	if i := slices.IndexFunc(t.stores, func(s *store) bool { return s.of == of }); i >= 0 {
		return t.stores[i]
	}
	s := &store{of: of, lines: map[Account]*line{}}
	t.stores = append(t.stores, s)
	return s
}

// tidy forgets a line, and its store, where nothing is left of them.
func (t *turns) tidy(s *store, l *line) {
	if len(l.tasks) == 0 && l.running == 0 {
		delete(s.lines, l.account)
	}
	if len(s.lines) == 0 {
		t.stores = slices.DeleteFunc(t.stores, func(other *store) bool { return other == s })
	}
}

// begin lets workers begin with what may begin.
func (t *turns) begin() {
	for s, l := t.next(); l != nil && t.alive.Err() == nil; s, l = t.next() {
		t.start(s, l)
	}
}

// next returns the line whose turn it is, and sends it and its store to the end; nil for none.
func (t *turns) next() (*store, *line) {
	for i, s := range t.stores {
		free := mostRunning - t.workers - s.running
		if free <= 0 {
			continue // whatever its lines are, and they may be tens of thousands
		}
		for place := s.order.Front(); place != nil; place = place.Next() {
			l := place.Value.(*line)
			if l.running < free { // which is so of all but the few that run
				s.order.MoveToBack(place)
				t.stores = append(slices.Delete(t.stores, i, i+1), s)
				return s, l
			}
		}
	}
	return nil, nil
}

// start runs the first task of a line, for the place that was waited for longest there.
func (t *turns) start(s *store, l *line) {
	of := l.tasks[0]
	of.busy = true
	s.running++
	l.running++
	t.workers++
	for account := range of.accounts {
		t.dequeue(of, account)
	}
	of.order.MoveToBack(of.accounts[l.account].place)
	at := of.take(l.account)
	ctx, cancel := context.WithTimeout(t.alive, taskTimeout)
	of.cancel = cancel
	t.running.Go(func() {
		defer cancel()
		err := of.run(ctx, at)
		t.mu.Lock()
		defer t.mu.Unlock()
		s.running--
		l.running--
		t.workers--
		t.tidy(s, l)
		t.ended(of, err)
	})
}

// ended puts a task that has run back to where others wait for it, after a while if it failed.
func (t *turns) ended(of *task, err error) {
	isFailed := err != nil && !of.cancelled
	of.cancel, of.cancelled = nil, false
	if isFailed {
		t.rest(of, taskBackoff)
		t.begin()
		return
	}
	t.release(of)
}

// take gives the turn to who has waited longest of an account.
func (of *task) take(account Account) turn {
	var first *waiter
	for w, wish := range of.waiting {
		if w.account == account && (first == nil || wish.ticket < of.waiting[first].ticket) {
			first = w
		}
	}
	wish := of.waiting[first]
	given := wish.turn
	wish.again = true
	of.waiting[first] = wish
	return given
}
