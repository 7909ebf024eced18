package presence

import (
	"maps"

	"github.com/tailwater/tailwater/bridge"
)

// backlog has the rooms that wait to be written, ordered by their turns. A write takes a turn of an account that caused it, and an account's turns
// are one behind the other: an account with many rooms delays its own, and no other's by more than a few writes.
type backlog struct {
	queue
	now  uint64                    // the turn of the last room that left the backlog for its turn
	last map[bridge.Account]uint64 // each account's last turn; those before now mean nothing
}

func newBacklog() backlog {
	return backlog{
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
func (b *backlog) blame(r *room, by bridge.Account) {
	switch turn := b.after(by); {
	case r.queued < 0 && (!r.isChanged || turn < b.after(r.by)):
		r.by = by
	case r.queued >= 0 && turn < r.turn:
		r.turn, b.last[by] = turn, turn
		b.put(r)
	}
}

// after returns the turn that an account would get now.
func (b *backlog) after(account bridge.Account) uint64 { return max(b.now, b.last[account]) + 1 }

// add puts a room into the backlog.
func (b *backlog) add(r *room) {
	r.turn = b.after(r.by)
	b.last[r.by] = r.turn
	b.put(r)
}

// next removes the room whose turn it is.
func (b *backlog) next() *room {
	r := b.first()
	b.remove(r)
	b.now = r.turn
	if len(b.last) > 2*len(b.rooms)+spareTurns {
		maps.DeleteFunc(b.last, func(_ bridge.Account, turn uint64) bool { return turn <= b.now })
	}
	return r
}

// change marks a room to be written, because of an account; 0 for the bridge itself. The lock must be held.
func (t *Tracker) change(r *room, by bridge.Account) {
	t.waiting.blame(r, by)
	r.isChanged = true
}
