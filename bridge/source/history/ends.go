package history

import (
	"context"
	"errors"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// ends are the newest messages of some concrete subjects, returned by one direct get. The leader would have to be asked about
// each subject. They count only if the replica had everything that matters.
type ends struct {
	known  bool
	none   bool // no message on any subject, but as of an unknown sequence
	newest map[bridge.Subject]js.Entry
	of     map[bridge.Subject]bool // the requested subjects
}

// ends asks for the newest message of each concrete subject, as of upTo or later.
func (h *History) ends(ctx context.Context, subjects []bridge.Subject, upTo uint64) ends {
	e := ends{newest: map[bridge.Subject]js.Entry{}, of: map[bridge.Subject]bool{}}
	var asked []bridge.Subject
	for _, subject := range subjects {
		if !subject.Wild() {
			asked = append(asked, subject)
			e.of[subject] = true
		}
	}
	if len(asked) < 2 || !h.canGet() {
		return ends{}
	}
	// After an error each subject is asked for by itself.
	b, err := h.batchOnce(ctx, js.BatchGet{MultiLast: asked})
	if err != nil || b.Pending > 0 {
		return ends{}
	}
	e.none = b.UpTo == 0
	e.known = b.UpTo >= upTo && !e.none
	for _, found := range b.Found {
		e.newest[bridge.Subject(found.Subject)] = found
	}
	return e
}

// last returns the sequence of the newest message on a subject, 0 for none, and whether that is known.
func (e ends) last(subject bridge.Subject) (seq uint64, known bool) {
	return e.newest[subject].Seq, e.known && e.of[subject]
}

// Extent returns the oldest and the newest message on the subjects, and a sequence up to which there are no others. A sequence is
// 0 if there is no message.
func (h *History) Extent(ctx context.Context, subjects []bridge.Subject) (first, last js.Entry, upTo uint64, err error) {
	info, err := h.info(ctx, "") // first: everything stored up to here is found
	if err != nil {
		return js.Entry{}, js.Entry{}, 0, err
	}
	upTo = info.State.LastSeq
	ends := h.ends(ctx, subjects, upTo)
	found := make([][2]js.Entry, len(subjects))
	errs := make([]error, len(subjects))
	js.Each(len(subjects), func(i int) { found[i][0], found[i][1], errs[i] = h.extentOf(ctx, subjects[i], ends) })
	if err := errors.Join(errs...); err != nil {
		return js.Entry{}, js.Entry{}, 0, err
	}
	for _, of := range found {
		if oldest := of[0]; oldest.Seq != 0 && (first.Seq == 0 || oldest.Seq < first.Seq) {
			first = oldest
		}
		if newest := of[1]; newest.Seq > last.Seq {
			last = newest
		}
	}
	return first, last, upTo, nil
}

// End returns a position at or behind the newest message on the subjects; the zero value if there is none above the sequence after. The leader is
// asked once if there is none on a single subject. It is not asked for the newest message, which may be large, and which a caller who has
// everything would make it send again and again.
func (h *History) End(ctx context.Context, subjects []bridge.Subject, after uint64) (bridge.Position, error) {
	if len(subjects) == 1 && after > 0 {
		next, err := h.get(ctx, js.MsgGet{Seq: after + 1, NextFor: subjects[0]})
		if err != nil || next.Seq == 0 {
			return bridge.Position{}, err
		}
	}
	info, err := h.info(ctx, "")
	if err != nil || info.State.LastSeq <= after {
		return bridge.Position{}, err
	}
	return bridge.Position{Epoch: h.epoch, Seq: info.State.LastSeq, Time: info.State.LastTime.UnixNano()}, nil
}

// extentOf is Extent for one subject.
func (h *History) extentOf(ctx context.Context, subject bridge.Subject, ends ends) (oldest, newest js.Entry, err error) {
	last, known := ends.last(subject)
	if known && last == 0 {
		return js.Entry{}, js.Entry{}, nil
	}
	oldest, err = h.get(ctx, js.MsgGet{Seq: 1, NextFor: subject})
	if err != nil || oldest.Seq == 0 {
		return js.Entry{}, js.Entry{}, err
	}
	if known {
		return oldest, ends.newest[subject], nil
	}
	if newest, err = h.get(ctx, js.MsgGet{LastFor: subject}); err != nil || newest.Seq == 0 {
		return js.Entry{}, js.Entry{}, err
	}
	return oldest, newest, nil
}
