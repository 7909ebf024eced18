package presence

import (
	"maps"
	"slices"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// room is what this bridge has of one subject. The tracker's lock guards it.
type room struct {
	subject bridge.Subject
	members map[identity]*member
	unnamed int     // connections without a name, and those that left a moment ago
	leaving []leave // in the order in which they are over
	pardons int     // how many of leaving, without a name, came back
	absent  int     // how many of leaving have no name
	count   int     // members on all bridges, as of the last write

	isChanged bool      // the bucket does not yet say what is here, as far as is known
	isWriting bool      // a goroutine is about to say so
	next      time.Time // when the bucket may be written again
	fails     int       // writes in a row that did not succeed

	place int // in the schedule; -1 if it is not there
	due   time.Time
}

// member is somebody with a name who is here.
type member struct {
	Member
	connections int
	leaves      time.Time // when the member has left, if nobody comes back; of no meaning while there are connections
	isTold      bool      // the bucket has said that the member is here
}

// leave is a last connection that has ended. If nobody comes back until then, the member has left.
type leave struct {
	at  time.Time
	who identity // zero for a connection without a name
}

func newRoom(subject bridge.Subject) *room {
	return &room{subject: subject, members: map[identity]*member{}, place: -1, next: time.Now()}
}

// enter adds a connection. It reports whether that changes who is here.
func (r *room) enter(w who, now time.Time) bool {
	if w.name == "" {
		if r.pardons < r.absent {
			r.pardons++
			return false
		}
		r.unnamed++
		return true
	}
	key := identify(w.sub, w.name)
	if had := r.members[key]; had != nil {
		had.connections++
		return false
	}
	named := bridge.PresenceMember{Name: w.name, User: w.sub != "", Since: now.UTC().Truncate(time.Millisecond)}
	r.members[key] = &member{Member: Member{PresenceMember: named, Sub: w.sub}, connections: 1}
	return true
}

// exit removes a connection. If it was the member's last, the member leaves at that time, unless it comes back.
func (r *room) exit(w who, at time.Time) {
	if w.name == "" {
		r.absent++
		r.leaving = append(r.leaving, leave{at: at})
		return
	}
	key := identify(w.sub, w.name)
	had := r.members[key]
	had.connections--
	if had.connections == 0 {
		had.leaves = at
		r.leaving = append(r.leaving, leave{at, key})
	}
}

// depart removes those whose time is over. It reports whether that changes who is here.
func (r *room) depart(now time.Time) (changed bool) {
	for len(r.leaving) > 0 && !now.Before(r.leaving[0].at) {
		over := r.leaving[0]
		r.leaving = r.leaving[1:]
		if over.who == (identity{}) {
			r.absent--
			if r.pardons > 0 {
				r.pardons--
				continue
			}
			r.unnamed--
			changed = true
		} else if had := r.members[over.who]; had != nil && had.connections == 0 && had.leaves.Equal(over.at) {
			delete(r.members, over.who)
			changed = true
		}
	}
	return changed
}

// isOver reports whether nothing is left to do for the room.
func (r *room) isOver() bool {
	return len(r.members) == 0 && r.unnamed == 0 && len(r.leaving) == 0 && !r.isChanged && !r.isWriting
}

// wakes returns when the room has something to do; zero for never.
func (r *room) wakes() (at time.Time) {
	if len(r.leaving) > 0 {
		at = r.leaving[0].at
	}
	if r.isChanged && !r.isWriting && (at.IsZero() || r.next.Before(at)) {
		at = r.next
	}
	return at
}

// snapshot is what a bridge has of a room at a moment.
type snapshot struct {
	here    map[identity]*member // by what Presence tells members apart
	newest  []*member            // MaxNames at most
	told    []bool               // of newest: the bucket has said so already
	unnamed int
}

func (r *room) snapshot() snapshot {
	s := snapshot{here: maps.Clone(r.members), unnamed: r.unnamed}
	s.newest = slices.SortedFunc(maps.Values(s.here), func(a, b *member) int { return a.Since.Compare(b.Since) })
	s.newest = newest(s.newest)
	for _, m := range s.newest {
		s.told = append(s.told, m.isTold)
	}
	return s
}

// apply makes a state say what a bridge has.
func (s *snapshot) apply(state *State, name string) {
	state.drop(name, func(key identity) bool { return s.here[key] != nil })
	for i, m := range s.newest {
		state.add(name, m.Member, s.told[i])
	}
	if len(s.here) > 0 || s.unnamed > 0 {
		state.Bridges[name] = Share{len(s.here), s.unnamed}
	}
}
