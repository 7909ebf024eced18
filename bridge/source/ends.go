package source

import (
	"context"
	"errors"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// ends are the newest messages of some concrete subjects, as one direct get tells them: one request, where the leader would have to
// be asked about each subject. They are known as far as whoever was asked had all that counts.
type ends struct {
	known  bool
	none   bool // it says that there is nothing on any of them, but not as of when
	newest map[bridge.Subject]entry
	of     map[bridge.Subject]bool // the subjects that were asked for
}

// ends asks for the newest message of each subject that is concrete. They are known as of upTo at least.
func (h *history) ends(ctx context.Context, subjects []bridge.Subject, upTo uint64) ends {
	e := ends{newest: map[bridge.Subject]entry{}, of: map[bridge.Subject]bool{}}
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
	// An error means that the subjects are asked for one by one.
	b, err := h.batchOnce(ctx, batchGet{MultiLast: asked, Batch: pageMessages, MaxBytes: pageBytes})
	if err != nil || b.pending > 0 {
		return ends{}
	}
	e.none = b.upTo == 0
	e.known = b.upTo >= upTo && !e.none
	for _, found := range b.found {
		e.newest[bridge.Subject(found.subject)] = found
	}
	return e
}

// last returns the sequence of the newest message on a subject, 0 for none, and whether that is known.
func (e ends) last(subject bridge.Subject) (seq uint64, known bool) {
	return e.newest[subject].seq, e.known && e.of[subject]
}

// extent returns the oldest and the newest message on the subjects, and a sequence up to which there is nothing else. Sequences
// are 0 where there is none.
func (h *history) extent(ctx context.Context, subjects []bridge.Subject) (first, last entry, upTo uint64, err error) {
	info, err := h.info(ctx, "") // before: all that is stored up to here is found
	if err != nil {
		return entry{}, entry{}, 0, err
	}
	upTo = info.State.LastSeq
	ends := h.ends(ctx, subjects, upTo)
	found := make([][2]entry, len(subjects))
	errs := make([]error, len(subjects))
	places := make([]int, len(subjects))
	for i := range places {
		places[i] = i
	}
	each(places, func(i int) { found[i][0], found[i][1], errs[i] = h.extentOf(ctx, subjects[i], ends) })
	if err := errors.Join(errs...); err != nil {
		return entry{}, entry{}, 0, err
	}
	for _, of := range found {
		if oldest := of[0]; oldest.seq != 0 && (first.seq == 0 || oldest.seq < first.seq) {
			first = oldest
		}
		if newest := of[1]; newest.seq > last.seq {
			last = newest
		}
	}
	return first, last, upTo, nil
}

// extentOf is extent for one subject.
func (h *history) extentOf(ctx context.Context, subject bridge.Subject, ends ends) (oldest, newest entry, err error) {
	last, known := ends.last(subject)
	if known && last == 0 {
		return entry{}, entry{}, nil
	}
	at, err := h.get(ctx, js.MsgGet{Seq: 1, NextFor: subject})
	if err != nil || at.Seq == 0 {
		return entry{}, entry{}, err
	}
	oldest = entryAt(at)
	if known {
		return oldest, ends.newest[subject], nil
	}
	if at, err = h.get(ctx, js.MsgGet{LastFor: subject}); err != nil || at.Seq == 0 {
		return entry{}, entry{}, err
	}
	return oldest, entryAt(at), nil
}
