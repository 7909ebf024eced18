package presence

import (
	"maps"

	"github.com/tailwater/tailwater/bridge"
)

// line has the rooms that wait to be written, ordered by their turns. A write takes a turn of an account that caused it, and an account's turns
// are one behind the other: an account with many rooms delays its own, and no other's by more than a few writes.
type line struct {
	queue
	now  uint64                    // the turn of the last room that left the line for its turn
	last map[bridge.Account]uint64 // each account's last turn; those before now mean nothing
}

func newLine() line {
	return line{
		queue: queue{
			isBefore: func(a, b *room) bool { return a.turn < b.turn },
			index:    func(r *room) *int { return &r.queued },
		},
		last: map[bridge.Account]uint64{},
	}
}

// spareTurns is how many turns that mean nothing are kept.
const spareTurns = 64

// blame records that an account has caused a change of a room. If several have, the room is written at the earliest of their turns.
func (l *line) blame(r *room, by bridge.Account) {
	switch turn := l.after(by); {
	case r.queued < 0 && (!r.isChanged || turn < l.after(r.by)):
		r.by = by
	case r.queued >= 0 && turn < r.turn:
		r.turn, l.last[by] = turn, turn
		l.put(r)
	}
}

// after returns the turn that an account would get now.
func (l *line) after(account bridge.Account) uint64 { return max(l.now, l.last[account]) + 1 }

// add puts a room into the line.
func (l *line) add(r *room) {
	r.turn = l.after(r.by)
	l.last[r.by] = r.turn
	l.put(r)
}

// next removes the room whose turn it is.
func (l *line) next() *room {
	r := l.first()
	l.remove(r)
	l.now = r.turn
	if len(l.last) > 2*len(l.rooms)+spareTurns {
		maps.DeleteFunc(l.last, func(_ bridge.Account, turn uint64) bool { return turn <= l.now })
	}
	return r
}

// change marks a room to be written, because of an account; 0 for the bridge itself. The lock must be held.
func (t *Tracker) change(r *room, by bridge.Account) {
	t.waiting.blame(r, by)
	r.isChanged = true
}
