package presence

import "time"

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
