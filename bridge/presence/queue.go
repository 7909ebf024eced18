package presence

import "container/heap"

// queue is a heap of rooms. A room is at most once in each queue.
type queue struct {
	rooms    []*room
	isBefore func(a, b *room) bool
	place    func(r *room) *int // where a room keeps its place in this queue; -1 if it is not there
}

// put adds a room, or moves it to its place after a change. It reports whether the room is the first.
func (q *queue) put(r *room) (isFirst bool) {
	if place := *q.place(r); place >= 0 {
		heap.Fix(q, place)
	} else {
		heap.Push(q, r)
	}
	return *q.place(r) == 0
}

func (q *queue) remove(r *room) {
	if place := *q.place(r); place >= 0 {
		heap.Remove(q, place)
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
	*q.place(q.rooms[a]), *q.place(q.rooms[b]) = a, b
}

func (q *queue) Push(added any) {
	r := added.(*room)
	*q.place(r) = len(q.rooms)
	q.rooms = append(q.rooms, r)
}

func (q *queue) Pop() any {
	last := len(q.rooms) - 1
	r := q.rooms[last]
	q.rooms[last] = nil
	q.rooms, *q.place(r) = q.rooms[:last], -1
	return r
}
