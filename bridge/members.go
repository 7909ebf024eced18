package bridge

import (
	"strings"
	"time"
)

// How connections begin and continue that read members.

// isMembersOnly reports whether the feed holds nothing but members.
func (f *Feed) isMembersOnly() bool { return f.areMembers(f.subjects) }

// mayMiss reports whether a client may have missed messages of a position that the feed has no part for. Of members it has not: if they
// are read at all, their newest values follow.
func (r *Reader) mayMiss(at Position) bool {
	f := r.feed
	if _, left := r.resume.leftAt(at.Epoch); left != nil && left.isMembers {
		return false
	}
	return f.of(at) < 0 && !sameLog(at.Epoch, presenceEpoch) && !f.isMembersOnly()
}

// presenceEpoch is an epoch of the bucket's stream, whichever.
var presenceEpoch = Epoch("KV_"+PresenceBucket, time.Time{})

// nobody encodes, for subjects whose newest values follow, that nobody is there: a client that comes back may know of members that have
// left meanwhile. Of a filter, it says that of all its subjects.
func (f *Feed) nobody(verdicts []verdict) (events [][]byte) {
	for i, v := range verdicts {
		if !v.isRenewed {
			continue
		}
		for _, s := range f.parts[i].Subjects {
			of := strings.TrimPrefix(string(s), presencePrefix)
			events = append(events, f.key.framing.control(EventPresence, Presence{Type: PresenceState, Subject: of, Members: []PresenceMember{}}, ""))
		}
	}
	return events
}

// ownMembers encodes who is there, if only this bridge knows it.
func (f *Feed) ownMembers() (events [][]byte) {
	if !f.key.framing.Presence || f.hub.members == nil {
		return nil
	}
	for _, s := range f.subjects {
		of, isMembers := strings.CutPrefix(string(s), presencePrefix)
		if !isMembers {
			continue
		}
		for _, members := range f.hub.members(Subject(of)) {
			events = append(events, f.key.framing.control(EventPresence, members.asState(), ""))
		}
	}
	return events
}

// KeepMembers makes the hub tell the members of subjects that no stream holds, with EventPresence, at the beginning of a connection.
// members returns those of a subject, or of all that a filter matches; none if a stream holds them. It must not wait for anything. It is
// called before the first Read with Framing.Presence, if at all.
func (h *Hub) KeepMembers(members func(Subject) []Presence) { h.members = members }
