package presence

import (
	"container/heap"
	"time"
)

// queue is a heap of rooms. A room is at most once in each queue.
type queue struct {
	rooms    []*room
	isBefore func(a, b *room) bool
	index    func(r *room) *int // where a room keeps its index in this queue; -1 if it is not there
}

// put adds a room, or moves it after a change. It reports whether the room is the first.
func (q *queue) put(r *room) (isFirst bool) {
	if index := *q.index(r); index >= 0 {
		heap.Fix(q, index)
	} else {
		heap.Push(q, r)
	}
	return *q.index(r) == 0
}

func (q *queue) remove(r *room) {
	if index := *q.index(r); index >= 0 {
		heap.Remove(q, index)
	}
}

// first returns the first room, nil for none.
func (q *queue) first() *room {
	if len(q.rooms) == 0 {
		return nil
	}
	return q.rooms[0]
}

// Len implements heap.Interface, as do the methods below.
func (q *queue) Len() int           { return len(q.rooms) }
func (q *queue) Less(a, b int) bool { return q.isBefore(q.rooms[a], q.rooms[b]) }

func (q *queue) Swap(a, b int) {
	q.rooms[a], q.rooms[b] = q.rooms[b], q.rooms[a]
	*q.index(q.rooms[a]), *q.index(q.rooms[b]) = a, b
}

func (q *queue) Push(added any) {
	r := added.(*room)
	*q.index(r) = len(q.rooms)
	q.rooms = append(q.rooms, r)
}

func (q *queue) Pop() any {
	last := len(q.rooms) - 1
	r := q.rooms[last]
	q.rooms[last] = nil
	q.rooms, *q.index(r) = q.rooms[:last], -1
	return r
}

// schedule has the rooms that need attention, ordered by time.
type schedule struct{ queue }

func newSchedule() schedule {
	return schedule{queue{
		isBefore: func(a, b *room) bool { return a.due.Before(b.due) },
		index:    func(r *room) *int { return &r.scheduled },
	}}
}

// plan puts a room into the schedule, or removes it if the time is zero. It reports whether the room is due first.
func (s *schedule) plan(r *room, at time.Time) (isFirst bool) {
	if at.IsZero() {
		s.remove(r)
		return false
	}
	r.due = at
	return s.put(r)
}
