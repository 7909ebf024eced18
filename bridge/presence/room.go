package presence

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

const (
	// smallRoom is the number of members up to which an address may bring any number of names.
	smallRoom = MaxNames / 2
	// namesEach is how many names an address may bring into a larger room.
	namesEach = MaxNames / 10
)

// room is this bridge's record of one subject. The tracker's lock guards it.
type room struct {
	subject   bridge.Subject
	isLimited bool // an account may bring only some names
	members   map[identity]*member
	names     map[bridge.Account]int // how many names without a token each account has brought
	unnamed   int                    // connections without a name, including those that left a moment ago
	leaving   []leave                // in the order of their time
	pardons   int                    // how many nameless ones of leaving have returned
	absent    int                    // how many of leaving have no name
	count     int                    // members on all bridges, as of the last write
	isShort   bool                   // the last write had to leave names out, though there was room: NATS accepts no longer value

	isChanged bool      // the bucket may not have the present members
	isWriting bool      // a goroutine is about to write them, or they wait for one
	next      time.Time // when the bucket may be written again
	fails     int       // writes in a row that did not succeed
	check     time.Time // when the bucket is compared with the present members

	scheduled int // the index in the schedule; -1 if it is not there
	due       time.Time
	by        bridge.Account // an account that has caused a change that is not yet written; 0 for the bridge itself
	turn      uint64         // in the backlog of rooms that wait to be written
	queued    int            // the index in that backlog; -1 if it is not there
}

// member is a named member that is present.
type member struct {
	Member
	account     bridge.Account // the first with this name
	connections int
	leaves      time.Time // when the member leaves, unless it returns; without meaning while there are connections
	isTold      bool      // the bucket lists the member
}

// who is a bridge.Visitor as its connection keeps it.
type who struct {
	identity // zero without a name
	account  bridge.Account
}

// leave is an ended connection. If the member has no other until that time, it has left.
type leave struct {
	at time.Time
	who
}

func newRoom(subject bridge.Subject, limited bool) *room {
	now := time.Now()
	return &room{
		subject: subject, isLimited: limited, members: map[identity]*member{}, names: map[bridge.Account]int{},
		scheduled: -1, queued: -1, next: now, check: now.Add(checkInterval),
	}
}

// enter adds a connection. It reports whether that changes the members.
func (r *room) enter(v bridge.Visitor, now time.Time) (w who, changed bool) {
	key := identify(v.Sub, v.Name)
	had := r.members[key]
	if v.Name == "" || had == nil && v.Sub == "" && !r.mayAddName(v.Account) {
		return who{account: v.Account}, r.enterUnnamed()
	}
	if had == nil {
		v.Name, v.Sub = strings.Clone(v.Name), strings.Clone(v.Sub) // the name may be a part of a whole URL
		key = identify(v.Sub, v.Name)
		named := bridge.PresenceMember{Name: v.Name, User: v.Sub != "", Since: now.UTC().Truncate(time.Millisecond)}
		had = &member{Member: Member{PresenceMember: named, Sub: v.Sub}, account: v.Account}
		r.members[key] = had
		r.countName(had, 1)
		changed = true
	}
	had.connections++
	return who{had.identity(), v.Account}, changed // with the strings of the member
}

// mayAddName reports whether an account may bring one more name without a token: in a small room always, otherwise only a few, so that a
// few addresses cannot push others off the list.
func (r *room) mayAddName(account bridge.Account) bool {
	return !r.isLimited || max(r.count, len(r.members)) < smallRoom || r.names[account] < namesEach
}

// countName adds to the names of the account that has brought a member's name.
func (r *room) countName(m *member, more int) {
	if m.Sub != "" {
		return
	}
	if r.names[m.account] += more; r.names[m.account] == 0 {
		delete(r.names, m.account)
	}
}

func (r *room) enterUnnamed() (changed bool) {
	if r.pardons < r.absent {
		r.pardons++
		return false
	}
	r.unnamed++
	return true
}

// exit removes a connection. If it was the member's last, the member leaves at that time, unless it returns.
func (r *room) exit(w who, at time.Time) {
	if w.identity == (identity{}) {
		r.absent++
	} else {
		had := r.members[w.identity]
		had.connections--
		had.leaves = at
	}
	index, _ := slices.BinarySearchFunc(r.leaving, at, func(l leave, at time.Time) int { return l.at.Compare(at) })
	r.leaving = slices.Insert(r.leaving, index, leave{at, w})
}

// depart removes those whose time has passed. It calls gone with the account of each, and whether that changes the members.
func (r *room) depart(now time.Time, gone func(_ bridge.Account, changed bool)) {
	for len(r.leaving) > 0 && !now.Before(r.leaving[0].at) {
		over := r.leaving[0]
		r.leaving = r.leaving[1:]
		gone(over.account, r.departOne(over))
	}
}

func (r *room) departOne(l leave) (changed bool) {
	if l.identity == (identity{}) {
		return r.departUnnamed()
	}
	had := r.members[l.identity]
	if had == nil || had.connections > 0 || !had.leaves.Equal(l.at) {
		return false
	}
	delete(r.members, l.identity)
	r.countName(had, -1)
	return true
}

func (r *room) departUnnamed() (changed bool) {
	r.absent--
	if r.pardons > 0 {
		r.pardons--
		return false
	}
	r.unnamed--
	return true
}

// isOver reports whether the room needs nothing more.
func (r *room) isOver() bool {
	return len(r.members) == 0 && r.unnamed == 0 && len(r.leaving) == 0 && !r.isChanged && !r.isWriting
}

// isMissing reports whether a new value does not have this bridge's members as they were written last, or has room for more of their names:
// members of other bridges have left, which were newer. A bridge whose own value had to be shortened does not judge by that: it would leave out
// what another has added, which would add it again, and so on.
func (r *room) isMissing(state *State, bridge string) bool {
	if r.isChanged || r.isWriting {
		return false
	}
	return state.Bridges[bridge] != Holding{len(r.members), r.unnamed} || !r.isShort && state.hasRoom(bridge, len(r.members))
}

// wakes returns when the room next needs attention; zero for never.
func (r *room) wakes() (at time.Time) {
	if len(r.leaving) > 0 {
		at = r.leaving[0].at
	}
	if r.isWriting {
		return at
	}
	next := r.check
	if r.isChanged {
		next = r.next
	}
	if at.IsZero() || next.Before(at) {
		at = next
	}
	return at
}

// snapshot is a bridge's record of a room at one moment.
type snapshot struct {
	here    map[identity]*member // by the keys that distinguish members in Presence
	newest  []*member            // MaxNames at most
	told    []bool               // for each of newest: the bucket lists it already
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

// apply writes a bridge's members into a state.
func (s *snapshot) apply(state *State, name string) {
	state.drop(name, func(key identity) bool { return s.here[key] != nil })
	for i, m := range s.newest {
		state.add(name, m.Member, s.told[i])
	}
	if len(s.here) > 0 || s.unnamed > 0 {
		state.Bridges[name] = Holding{len(s.here), s.unnamed}
	}
}
