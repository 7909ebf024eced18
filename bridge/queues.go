package bridge

import (
	"container/list"
	"context"
	"errors"
	"slices"
	"time"
)

// The queues in which tasks wait, and how they begin and end. The lock of turns must be held.

// store is what tasks read from, compared by ==.
type store struct {
	of      any
	running int
	queues  map[Account]*queue
	order   list.List // of *queue, those with tasks; the one whose turn it is comes first
}

// queue holds the tasks that wait for the turn of one account, the oldest first.
type queue struct {
	account Account
	running int
	tasks   list.List     // of *task
	element *list.Element // nil while it has no tasks
}

// add puts a wish into the demand of its account.
func (t *turns) add(w *wish) {
	of, account := w.of, w.by.account
	if !of.isAwaited() {
		t.awaited++
	}
	d := of.demands[account]
	if d == nil {
		d = &demand{account: account}
		d.inTask = of.order.PushBack(d)
		of.demands[account] = d
		t.accounts[account]++
	}
	w.demand, w.inDemand = d, d.wishes.PushBack(w)
	of.wishes.add(w)
}

// remove takes back a wish.
func (t *turns) remove(w *wish) {
	w.by.forget(w)
	w.of.wishes.remove(w)
	if w.demand.wishes.Remove(w.inDemand); w.demand.wishes.Len() == 0 {
		t.removeDemand(w.of, w.demand)
	}
}

func (t *turns) removeDemand(of *task, d *demand) {
	behind := d.inTask.Next()
	of.order.Remove(d.inTask)
	delete(of.demands, d.account)
	if !of.isAwaited() {
		t.awaited--
	}
	if t.accounts[d.account]--; t.accounts[d.account] == 0 {
		delete(t.accounts, d.account)
	}
	if d.inQueue == nil {
		return
	}
	t.dequeue(of, d)
	if of.sole == d {
		of.sole = nil
		t.enqueueFrom(of, behind)
	}
}

// rest keeps a task out of all queues for a while.
func (t *turns) rest(of *task, d time.Duration) {
	of.busy = true
	t.after(d, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.release(of)
	})
}

// release puts a task into the queues of those who wait for it.
func (t *turns) release(of *task) {
	of.busy = false
	t.enqueueFrom(of, of.order.Front())
	t.begin()
}

// enqueueFrom puts a task into the queues of a demand and those behind it, up to the first account that has nothing else there.
func (t *turns) enqueueFrom(of *task, element *list.Element) {
	for ; element != nil && of.sole == nil; element = element.Next() {
		t.enqueue(of, element.Value.(*demand))
	}
}

func (t *turns) enqueue(of *task, by *demand) {
	s := t.store(of.of)
	q := s.queues[by.account]
	if q == nil {
		q = &queue{account: by.account}
		s.queues[by.account] = q
		of.sole = by
	}
	if by.inQueue = q.tasks.PushBack(of); q.element == nil {
		q.element = s.order.PushBack(q)
	}
}

func (t *turns) dequeue(of *task, from *demand) {
	s := t.store(of.of)
	q := s.queues[from.account]
	q.tasks.Remove(from.inQueue)
	from.inQueue = nil
	if q.tasks.Len() == 0 {
		s.order.Remove(q.element)
		q.element = nil
	}
	t.tidy(s, q)
}

// store returns what is known of a store.
func (t *turns) store(of any) *store {
	if i := slices.IndexFunc(t.stores, func(s *store) bool { return s.of == of }); i >= 0 {
		return t.stores[i]
	}
	s := &store{of: of, queues: map[Account]*queue{}}
	t.stores = append(t.stores, s)
	return s
}

// tidy forgets a queue, and its store, where nothing is left of them.
func (t *turns) tidy(s *store, q *queue) {
	if q.tasks.Len() == 0 && q.running == 0 {
		delete(s.queues, q.account)
	}
	if len(s.queues) == 0 {
		t.stores = slices.DeleteFunc(t.stores, func(other *store) bool { return other == s })
	}
}

// begin starts every task that may run.
func (t *turns) begin() {
	for s, q := t.next(); q != nil && t.alive.Err() == nil; s, q = t.next() {
		t.start(s, q)
	}
}

// next returns the queue whose turn it is, and sends it and its store to the end; nil for none.
func (t *turns) next() (*store, *queue) {
	for i, s := range t.stores {
		free := mostRunning - t.inProgress - s.running
		if free <= 0 {
			continue // whatever its queues are, and they may be tens of thousands
		}
		for element := s.order.Front(); element != nil; element = element.Next() {
			q := element.Value.(*queue)
			if q.running < free { // which is so of all but the few that run
				s.order.MoveToBack(element)
				t.stores = append(slices.Delete(t.stores, i, i+1), s)
				return s, q
			}
		}
	}
	return nil, nil
}

// start runs the first task of a queue, for the wish that has waited longest there.
func (t *turns) start(s *store, q *queue) {
	of := q.tasks.Front().Value.(*task)
	of.busy = true
	s.running++
	q.running++
	t.inProgress++
	at := t.give(of, q.account)
	ctx, cancel := context.WithTimeout(t.alive, taskTimeout)
	of.cancel = cancel
	t.running.Go(func() {
		defer cancel()
		err := of.run(ctx, at)
		t.mu.Lock()
		defer t.mu.Unlock()
		s.running--
		q.running--
		t.inProgress--
		t.tidy(s, q)
		of.cancel = nil
		if err == nil || errors.Is(ctx.Err(), context.Canceled) {
			t.release(of)
			return
		}
		t.failures.Add(1)
		t.rest(of, taskBackoff)
		t.begin()
	})
}

// give takes a task out of all queues, and returns the sequence that an account has waited for longest.
func (t *turns) give(of *task, account Account) turn {
	for element := of.order.Front(); element != nil && element.Value.(*demand).inQueue != nil; element = element.Next() {
		t.dequeue(of, element.Value.(*demand))
	}
	of.sole = nil
	d := of.demands[account]
	of.order.MoveToBack(d.inTask)
	longest := d.wishes.Front().Value.(*wish)
	given := longest.turn
	longest.again = true
	return given
}
