package presence

import (
	"container/heap"
	"time"
)

// schedule has the rooms that need attention, ordered by time.
type schedule struct{ rooms []*room }

// put plans a room, zero for never. It reports whether the room is due first.
func (s *schedule) put(r *room, at time.Time) (isFirst bool) {
	if at.IsZero() {
		s.remove(r)
		return false
	}
	r.due = at
	if r.place < 0 {
		heap.Push(s, r)
	} else {
		heap.Fix(s, r.place)
	}
	return r.place == 0
}

func (s *schedule) remove(r *room) {
	if r.place >= 0 {
		heap.Remove(s, r.place)
	}
}

// first returns the room that is due first, nil for none.
func (s *schedule) first() *room {
	if len(s.rooms) == 0 {
		return nil
	}
	return s.rooms[0]
}

// Len implements heap.Interface, as do the methods below.
func (s *schedule) Len() int           { return len(s.rooms) }
func (s *schedule) Less(a, b int) bool { return s.rooms[a].due.Before(s.rooms[b].due) }

func (s *schedule) Swap(a, b int) {
	s.rooms[a], s.rooms[b] = s.rooms[b], s.rooms[a]
	s.rooms[a].place, s.rooms[b].place = a, b
}

func (s *schedule) Push(added any) {
	r := added.(*room)
	r.place = len(s.rooms)
	s.rooms = append(s.rooms, r)
}

func (s *schedule) Pop() any {
	last := len(s.rooms) - 1
	r := s.rooms[last]
	s.rooms[last] = nil
	s.rooms, r.place = s.rooms[:last], -1
	return r
}
