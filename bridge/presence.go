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

// membersOf returns whose members the messages on a subject hold, if they are to be told.
func (f Framing) membersOf(subject string) (of string, is bool) {
	of, is = strings.CutPrefix(subject, presencePrefix)
	return of, is && f.Presence
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
	var data []byte
	if f.Format == Lines {
		var event struct{ Data string }
		_ = json.Unmarshal(frame, &event) // this package has encoded it, as below
		data = []byte(event.Data)
	} else {
		_, data, _ = bytes.Cut(frame, []byte("\ndata: "))
		data, _, _ = bytes.Cut(data, []byte("\n"))
	}
	var members Presence
	_ = json.Unmarshal(data, &members)
	members.Members, members.Joined, members.Left = []PresenceMember{}, nil, nil
	return f.control(EventPresence, members, id.String())
}

// areMembers reports whether the messages on all of these subjects are members, which become presence events. None is not known to be.
func (f *Feed) areMembers(subjects []Subject) bool {
	return f.key.framing.Presence && len(subjects) > 0 && !slices.ContainsFunc(subjects, func(s Subject) bool { return !strings.HasPrefix(string(s), presencePrefix) })
}
