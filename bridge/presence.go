package bridge

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// PresenceBucket is the NATS key-value bucket whose values are the members of subjects. The keys are the subjects.
const PresenceBucket = "tailwater_presence"

const presencePrefix = "$KV." + PresenceBucket + "."

// PresenceOf returns the subject whose messages are the members of a subject, or of the subjects that a filter matches.
func PresenceOf(s Subject) Subject { return presencePrefix + s }

// What a Presence says has happened since the one before.
const (
	PresenceJoin  = "join"
	PresenceLeave = "leave"
	PresenceState = "state" // members have joined and others have left, or nobody has
)

// Presence is who reads a subject, as the data of EventPresence and the value of PresenceBucket.
type Presence struct {
	Type    string           `json:"type,omitempty"` // PresenceJoin, PresenceLeave or PresenceState
	Subject string           `json:"subject"`
	Count   int              `json:"count"`            // members, with and without a name
	Members []PresenceMember `json:"members"`          // with a name, the longest here first; of more than 200, the newest
	Joined  []string         `json:"joined,omitempty"` // names of members that have joined with this change
	Left    []string         `json:"left,omitempty"`   // names of members that have left with this change
}

// PresenceMember is somebody who reads a subject, with any number of connections.
type PresenceMember struct {
	Name  string    `json:"name"`
	User  bool      `json:"user,omitempty"` // a token names the member; else anybody may have taken the name
	Since time.Time `json:"since"`
}

// asState returns who is there, without what has happened before.
func (p Presence) asState() Presence {
	p.Type, p.Joined, p.Left = PresenceState, nil, nil
	return p
}

// initially returns the framing of the newest values, with which a connection begins.
func (f Framing) initially() Framing {
	f.initial = f.Presence
	return f
}

// membersOf returns whose members a message holds, if they are to be told.
func (f Framing) membersOf(m *Message) (subject string, is bool) {
	if !f.Presence {
		return "", false
	}
	return strings.CutPrefix(m.Subject, presencePrefix)
}

// members encodes the value of a subject, without what only bridges need. The deletion of the key means that the last member has left.
func (f Framing) members(of string, m *Message) []byte {
	var members Presence
	if m.Deleted || json.Unmarshal(m.Data, &members) != nil {
		members = Presence{Type: PresenceLeave}
	}
	isKnown := slices.Contains([]string{PresenceJoin, PresenceLeave, PresenceState}, members.Type)
	if f.initial || !isKnown {
		members = members.asState()
	}
	members.Subject = of
	if members.Members == nil {
		members.Members = []PresenceMember{}
	}
	return f.control(EventPresence, members, m.Position.String())
}

// asked returns the subjects of a connection that its client named.
func (f Framing) asked(subjects []Subject) []Subject {
	if !f.Presence {
		return subjects
	}
	asked := make([]Subject, len(subjects))
	for i, s := range subjects {
		asked[i] = Subject(strings.TrimPrefix(string(s), presencePrefix))
	}
	slices.Sort(asked)
	return slices.Compact(asked)
}

// brief encodes again a frame with the members of a subject, without their names: for a client to which the frame is too large.
func (f Framing) brief(frame []byte, id ID) []byte {
	var members Presence
	if f.Format == Lines {
		var event object
		if json.Unmarshal(frame, &event) == nil && event.Data != nil {
			_ = json.Unmarshal([]byte(*event.Data), &members) // this package has encoded it, as below
		}
	} else {
		_, data, _ := bytes.Cut(frame, []byte("\ndata: "))
		data, _, _ = bytes.Cut(data, []byte("\n"))
		_ = json.Unmarshal(data, &members)
	}
	members.Members, members.Joined, members.Left = []PresenceMember{}, nil, nil
	return f.control(EventPresence, members, id.String())
}

// areMembers reports whether the messages on all of these subjects are members. None is not known to be.
func areMembers(subjects []Subject) bool {
	return len(subjects) > 0 && !slices.ContainsFunc(subjects, func(s Subject) bool { return !strings.HasPrefix(string(s), presencePrefix) })
}

// isMembersOnly reports whether the feed holds nothing but members.
func (f *Feed) isMembersOnly() bool { return f.key.framing.Presence && areMembers(f.subjects) }

// judgeMembers is judge for a part that holds members. Each value is complete, so no client misses anything. If the feed's memory holds
// what follows the client's position, the part continues exactly; otherwise the newest values follow. The store is not asked what a client
// has missed: a key that was deleted a while ago left nothing behind.
func (r *Reader) judgeMembers(part int, after ID) (verdict, bool) {
	p := &r.feed.parts[part]
	if at, has := after.in(p.At.Epoch); has && at.Seq >= p.floor.Seq && at.Seq <= p.end().Seq {
		v, known := r.judgeKnown(part, at, Since{})
		if !known {
			return v, false
		}
		if v.gap == "" && v.reset == "" {
			v.standing = r.repeatMembers(part, v.standing)
			return v, true
		}
	}
	begin, known := r.beginAt(part, Since{Kind: SinceLast})
	return verdict{standing: begin, isRenewed: len(r.resume.After) > 0 || r.resume.Malformed}, known
}

// repeatMembers returns where a connection starts that continues exactly: a new one starts with the values as of its position, because the
// position may be all that its client has kept. A poll is part of a longer exchange, and a connection that moves to another feed has been
// told.
func (r *Reader) repeatMembers(part int, at standing) standing {
	if r.feed.parts[part].Log == nil || r.resume.left != nil || r.resume.Sync {
		return at
	}
	return standing{Position: Position{Epoch: at.Epoch}, newest: at.Seq}
}

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
func (r *Reader) nobody(verdicts []verdict) (events [][]byte) {
	for i, v := range verdicts {
		if !v.isRenewed {
			continue
		}
		for _, s := range r.feed.parts[i].Subjects {
			of := strings.TrimPrefix(string(s), presencePrefix)
			events = append(events, r.feed.key.framing.control(EventPresence, Presence{Type: PresenceState, Subject: of, Members: []PresenceMember{}}, ""))
		}
	}
	return events
}

// ownMembers encodes who is there, if only this bridge knows it.
func (r *Reader) ownMembers() (events [][]byte) {
	f := r.feed
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
