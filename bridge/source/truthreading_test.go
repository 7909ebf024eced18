package source_test

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// reading is what one client was given.
type reading struct {
	*truthCase
	how     string
	filters []bridge.Subject
	at      uint64 // it is owed what lies above
	exactly bool   // its feed holds all, so that what a gap tells lies between its two positions

	opening  bridgetest.Event
	messages []message
	seqs     []uint64 // of the messages, as their ids say
	gaps     []gapTold
	broken   bool
}

// gapTold is a gap, and how many messages the client had then.
type gapTold struct {
	messages     int
	after, first uint64
}

func (c *truthCase) newReading(how string, filters []bridge.Subject, at uint64) *reading {
	c.read = true
	return &reading{truthCase: c, how: how, filters: filters, at: at}
}

// fail reports the first thing that is wrong.
func (r *reading) fail(format string, args ...any) {
	r.t.Helper()
	if !r.broken {
		r.broken = true
		r.t.Errorf("a client of %q, %s: %s\nit was given %+v, the messages %d, the gaps %+v, of %v",
			r.filters, r.how, fmt.Sprintf(format, args...), r.opening, r.seqs, r.gaps, r.truth)
	}
}

// take notes an event.
func (r *reading) take(event bridgetest.Event) {
	r.t.Helper()
	r.seen = append(r.seen, event.ID)
	if r.opening.Type == "" {
		r.opening = event
	}
	switch event.Type {
	case bridge.EventOpen, bridge.EventReset:
		if event != r.opening {
			r.fail("in the middle comes %+v", event)
		}
	case bridge.EventGap:
		var gap struct{ After, First string }
		if err := json.Unmarshal([]byte(event.Data), &gap); err != nil || gap.First != event.ID {
			r.fail("the gap %+v has not the id that it speaks of, %v", event, err)
		}
		r.gaps = append(r.gaps, gapTold{len(r.messages), r.seqOf(gap.After), r.seqOf(gap.First)})
	case bridge.EventSynced:
	default:
		m, err := parseMessage(event)
		if err != nil {
			r.fail("%v", err)
		}
		r.messages, r.seqs = append(r.messages, m), append(r.seqs, r.seqOf(event.ID))
	}
}

// seqOf gives the sequence of an id that the client was given: of this stream, in its present life.
func (r *reading) seqOf(id string) uint64 {
	r.t.Helper()
	at, err := bridge.ParseID(id)
	if err != nil || len(at) != 1 || at[0].Epoch != r.epoch {
		r.fail("it was given the id %q", id)
		return 0
	}
	return at[0].Seq
}

// readTo reads until the client has a message, 0 for none.
func (r *reading) readTo(from *client, seq uint64) {
	r.t.Helper()
	for seq > 0 && (len(r.seqs) == 0 || r.seqs[len(r.seqs)-1] < seq) {
		r.take(from.next())
	}
}

// readToSynced reads to the end of the replay.
func (r *reading) readToSynced(from *client) {
	r.t.Helper()
	for {
		event := from.next()
		r.take(event)
		if event.Type == bridge.EventSynced {
			return
		}
	}
}

// checkReset holds the first event against the reason for which the client's position is refused, "" for none.
func (r *reading) checkReset(refused string) {
	r.t.Helper()
	isReset := r.opening.Type == bridge.EventReset
	if isReset != (refused != "") || isReset && r.opening.Data != `{"reason":"`+refused+`"}` {
		r.fail("it begins with %+v, want the reset %q", r.opening, refused)
	}
}

// check holds what came against the truth: everything that is stored, once and in order, and what is owed and gone not in
// silence. It tells whether anything was missing that is owed, or that hides itself.
func (r *reading) check() (missing, hidden bool) {
	r.t.Helper()
	had := max(r.at, r.seqOf(r.opening.ID))
	if r.opening.Type == bridge.EventOpen && had != r.at {
		r.fail("it begins behind %d", had)
	}
	had = r.at
	for i, seq := range append(slices.Clone(r.seqs), uint64(len(r.all))+1) {
		if seq <= had {
			r.fail("message %d comes behind %d", seq, had)
			return missing, hidden
		}
		for _, m := range r.all[had : seq-1] {
			if bridge.FirstMatch(r.filters, m.subject) == "" {
				continue
			}
			isMissing := r.isOwed(m)
			if missing, hidden = missing || isMissing, hidden || m.hidden; m.stored {
				r.fail("message %d is stored, and did not come", m.seq)
			}
			if isMissing && i < len(r.seqs) && !r.wasTold(m.seq, i) {
				r.fail("message %d is missing, and it was not told before message %d", m.seq, seq)
			}
		}
		if i == len(r.seqs) {
			break
		}
		if m := r.all[seq-1]; m.subject != r.messages[i].Subject || m.data != r.messages[i].Data || bridge.FirstMatch(r.filters, m.subject) == "" {
			r.fail("for message %d it was given %+v", seq, r.messages[i])
		}
		had = seq
	}
	return missing, hidden
}

// wasTold tells whether it was told that a message is missing before it was given one more than so many. A reset tells
// that of all there ever was.
func (r *reading) wasTold(seq uint64, messages int) bool {
	return r.opening.Type == bridge.EventReset || slices.ContainsFunc(r.gaps, func(g gapTold) bool {
		return g.messages <= messages && (!r.exactly || g.after < seq && seq <= g.first)
	})
}
