package presence

import (
	"slices"
	"strings"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// room returns the room of a subject. The lock must be held.
func (t *Tracker) room(subject bridge.Subject) *room {
	r := t.rooms[subject]
	if r == nil {
		r = newRoom(subject, t.config.Most > 0)
		t.rooms[subject] = r
	}
	return r
}

// admit counts places in rooms for an account, unless the account has too many. The lock must be held.
func (t *Tracker) admit(account bridge.Account, places int) bool {
	if t.config.Most > 0 && t.held[account]+places > t.config.Most {
		t.stats.unlisted.Add(1)
		return false
	}
	t.held[account] += places
	return true
}

// free undoes admit for one place. The lock must be held.
func (t *Tracker) free(account bridge.Account) {
	if t.held[account]--; t.held[account] <= 0 {
		delete(t.held, account)
	}
}

// plan puts a room into the schedule. The lock must be held.
func (t *Tracker) plan(r *room) {
	if r.isOver() {
		t.schedule.remove(r)
		delete(t.rooms, r.subject)
		return
	}
	if t.schedule.plan(r, r.wakes()) {
		t.more.Wake()
	}
}

// rewrite marks every room to be written again, because the bucket may have lost its content. The lock must be held.
func (t *Tracker) rewrite(now time.Time) {
	for _, r := range t.rooms {
		t.change(r, 0)
		r.next, r.fails = now, 0
		t.plan(r)
	}
}

// Covers reports whether the members of a subject are kept.
func (t *Tracker) Covers(subject bridge.Subject) bool {
	return !subject.Wild() && !strings.HasPrefix(string(subject), leasePrefix) &&
		slices.ContainsFunc(t.config.Subjects, func(f bridge.Subject) bool { return f.Covers(subject) })
}
