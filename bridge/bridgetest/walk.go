package bridgetest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// position is a parsed event id.
type position struct {
	epoch string
	seq   uint64
	time  string // empty if unknown
}

func parsePosition(id string) (position, bool) {
	fields := strings.Split(id, "-")
	if len(fields) < 2 || len(fields) > 3 || fields[0] == "" {
		return position{}, false
	}
	seq, err := strconv.ParseUint(fields[1], 10, 64)
	p := position{epoch: fields[0], seq: seq}
	if len(fields) == 3 {
		p.time = fields[2]
	}
	return p, err == nil
}

// is compares the times only if both are known.
func (p position) is(other position) bool {
	return p.epoch == other.epoch && p.seq == other.seq && (p.time == other.time || p.time == "" || other.time == "")
}

// unstored reports whether a position belongs to a process instead of a stream: its epoch has capitals. While a stream is missing for a
// moment, messages of the next stream may first be seen without it.
func (p position) unstored() bool { return strings.ToLower(p.epoch) != p.epoch }

// walk goes through the log of one client.
type walk struct {
	*check
	log *Log
	at  int // the present entry

	last     string   // the id that the client would send
	cursor   position // last, parsed
	opened   bool     // the connection's first event has arrived
	closed   bool     // its end was announced
	segments []*segment
}

// segment is what a client saw from its beginning, or a reset, to the next reset.
type segment struct {
	start position
	begun uint64 // when the client was told
	first int    // entry
	until uint64 // the sequence up to which the client was served
	life  int    // life of the stored messages seen; unsure before the first
	seen  map[*Message]bool
	gaps  []stretch
	later *Message // of the messages seen, the one whose publisher began last
}

// stretch is the range after < seq <= first.
type stretch struct{ after, first uint64 }

func (w *walk) run() {
	for i := range w.log.entries {
		w.at = i
		switch e := &w.log.entries[i]; e.kind {
		case entryConnected:
			w.opened, w.closed = false, false
			if e.id != w.last {
				w.broken("the client connects with the id %q, but had seen %q", e.id, w.last)
			}
		case entryEvent:
			w.event(e)
		case entryBroken:
			w.broken("%s", e.note)
		}
	}
}

func (w *walk) event(e *entry) {
	if w.closed {
		w.broken("an event after the one that said the connection ends")
	}
	if !w.opened && e.event.Type == "tailwater:close" && e.event.ID == "" {
		w.closed = true // a bridge that stops asks to come back later
		return
	}
	isOpening := slices.Contains([]string{"tailwater:open", "tailwater:gap", "tailwater:reset"}, e.event.Type)
	if !w.opened && !isOpening {
		w.broken("the connection begins with %s instead of open, gap or reset", e.event.Type)
	}
	at, isPosition := parsePosition(e.event.ID)
	if !isPosition {
		w.broken("%q is not an event id", e.event.ID)
		return
	}
	switch e.event.Type {
	case "tailwater:open":
		w.open(e, at)
	case "tailwater:gap":
		w.gap(e, at)
	case "tailwater:reset":
		w.reset(e, at)
	case "tailwater:synced":
		if at.epoch != w.cursor.epoch || at.seq < w.cursor.seq {
			w.broken("the id goes back from %s", w.last)
		}
	case "tailwater:close":
		w.closed = true
	case "tailwater:presence":
	default:
		w.message(e, at)
	}
	w.opened, w.last, w.cursor = true, e.event.ID, at
	if s := w.segment(); s != nil {
		s.until = at.seq
	}
}

func (w *walk) segment() *segment {
	if len(w.segments) == 0 {
		return nil
	}
	return w.segments[len(w.segments)-1]
}

func (w *walk) begin(e *entry, at position) {
	w.segments = append(w.segments, &segment{start: at, begun: e.tick, first: w.at, until: at.seq, life: unsure, seen: map[*Message]bool{}})
}

func (w *walk) open(e *entry, at position) {
	switch {
	case w.opened:
		w.broken("a second open on one connection")
	case w.last == "":
		w.begin(e, at)
	case !at.is(w.cursor):
		w.broken("an exact resume at %s, though the client brought %s", e.event.ID, w.last)
	}
}

func (w *walk) gap(e *entry, at position) {
	var data struct{ After, First, Reason string }
	if err := json.Unmarshal([]byte(e.event.Data), &data); err != nil {
		w.broken("the data of a gap: %v", err)
		return
	}
	if !slices.Contains(w.rules.Gaps, data.Reason) {
		w.broken("a gap (%s) where nothing was lost", data.Reason)
	}
	if data.First != e.event.ID {
		w.broken("a gap up to %s has the id %s", data.First, e.event.ID)
	}
	if w.last == "" { // the client had to wait for NATS
		w.begin(e, at)
		return
	}
	after, isPosition := parsePosition(data.After)
	// On an open connection the bridge may know that these subjects had no messages for a while after the client's position. If there
	// were any, they are still owed.
	isLater := w.opened && after.epoch == w.cursor.epoch && after.seq > w.cursor.seq
	switch {
	case !isPosition || !after.is(w.cursor) && !isLater:
		w.broken("a gap after another position: %q, though the client had seen %s", data.After, w.last)
	case after.epoch != at.epoch:
		w.begin(e, at)
	case at.seq <= after.seq:
		w.broken("a gap of nothing")
	default:
		w.segment().gaps = append(w.segment().gaps, stretch{after.seq, at.seq})
	}
}

func (w *walk) reset(e *entry, at position) {
	var data struct{ Reason string }
	if err := json.Unmarshal([]byte(e.event.Data), &data); err != nil {
		w.broken("the data of a reset: %v", err)
	}
	if !slices.Contains(w.rules.Resets, data.Reason) {
		w.broken("a reset (%s) without a cause", data.Reason)
	}
	w.begin(e, at)
}

func (w *walk) message(e *entry, at position) {
	if at.epoch != w.cursor.epoch || at.seq <= w.cursor.seq {
		w.broken("the id does not grow: it was %s", w.last)
	}
	s := w.segment()
	if s == nil || e.event.Type == "tailwater:delete" {
		return
	}
	m := w.find(e, at)
	if m == nil {
		w.broken("nobody has published this")
		return
	}
	w.mayShow(s, m, at)
	w.live(s, m, at)
	s.seen[m] = true
	if s.later == nil || m.begun > s.later.begun {
		s.later = m
	}
}

// mayShow checks that this client may see this message, once, here.
func (w *walk) mayShow(s *segment, m *Message, at position) {
	if m.refused {
		w.broken("the publisher was told that the message is refused")
	}
	if s.seen[m] {
		w.broken("the message for the second time")
	}
	if !matches(w.log.Subjects, m.Subject) {
		w.broken("a message on %s, which the client does not read", m.Subject)
	}
	if m.seq != 0 && m.life != unsure && m.seq != at.seq && !at.unstored() {
		w.broken("the publisher was told that the message has the sequence %d", m.seq)
	}
	if s.later != nil && m.acknowledged > 0 && m.acknowledged < s.later.begun {
		w.broken("out of order: it was acknowledged before %q was published", s.later.Data)
	}
}

// live determines which life the client follows, and compares each message's id with what other clients saw.
func (w *walk) live(s *segment, m *Message, at position) {
	if m.life == unsure || m.acknowledged == 0 || at.unstored() {
		return
	}
	if other, seen := m.positions[at.epoch]; seen && !other.is(at) {
		w.broken("another client has seen the same message at %d-%s", other.seq, other.time)
	}
	m.positions[at.epoch] = at
	if s.begun < w.ledger.disturbed(m.life) {
		w.broken("the client was not told before this that the stream was created again or restored")
	}
	// A restored stream still holds earlier messages; the latest message seen decides.
	s.life = max(s.life, m.life)
}

// find returns the message of an event.
func (w *walk) find(e *entry, at position) *Message {
	event, data := e.event.Type, e.event.Data
	var object struct {
		Subject, ID, Event, Data string
		Base64                   []byte `json:"data_base64"`
	}
	if w.log.JSON {
		if err := json.Unmarshal([]byte(data), &object); err != nil {
			w.broken("the data is not a JSON object: %v", err)
			return nil
		}
		if object.ID != e.event.ID {
			w.broken("the object's id %q is not the event's", object.ID)
		}
		event, data = object.Event, object.Data+string(object.Base64)
	} else if event == "tailwater:binary" {
		decoded, err := base64.StdEncoding.DecodeString(data)
		if err != nil {
			w.broken("the data is not base64: %v", err)
		}
		event, data = "", string(decoded)
	}
	if event == "message" {
		event = ""
	}
	m := w.ledger.byKey[key(event, data)]
	if m == nil {
		if m = w.unnamed[at.seq]; m == nil {
			return nil
		}
	}
	if w.log.JSON && object.Subject != m.Subject {
		w.broken("this was published on %s", m.Subject)
	}
	return m
}

func (w *walk) broken(format string, arguments ...any) {
	if len(w.violations) == most {
		return
	}
	w.violations = append(w.violations, Violation{log: w.log, at: w.at, Text: fmt.Sprintf(format, arguments...)})
}
