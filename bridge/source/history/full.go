package history

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// count is the result of counting the messages of each subject of a filter. It is immutable.
type count struct {
	limit uint64
	state jetstream.StreamState // just before the count
	full  map[string]uint64     // the messages of each subject at the limit: of one more than are checked one by one, at most
	fulls uint64                // how many subjects were at the limit
	most  uint64                // the highest number of messages on any other subject

	lost uint64                // the last result of lostOfFull
	asOf jetstream.StreamState // the state for which lost is valid
}

// isAsOf reports whether nothing has changed: storing a message raises the last sequence, and removing one lowers the number of
// messages, which nothing else could raise again.
func (c *count) isAsOf(limit uint64, now jetstream.StreamState) bool {
	return c != nil && c.limit == limit && c.asOf.LastSeq == now.LastSeq && c.asOf.Msgs == now.Msgs
}

// holds reports whether no other subject can have become full. Any of the messages stored since may be on any subject, but only
// on one. If more subjects were full than are checked one by one, that must still be true even if every removed message was on
// one of them.
func (c *count) holds(limit uint64, now jetstream.StreamState) bool {
	if c == nil || c.limit != limit || now.LastSeq < c.state.LastSeq {
		return false
	}
	stored := now.LastSeq - c.state.LastSeq
	if c.isTooMuch() {
		gone := c.state.Msgs + stored - min(now.Msgs, c.state.Msgs+stored)
		return c.fulls > maxAtLimit+gone
	}
	return c.most+stored < limit
}

// isTooMuch reports whether more subjects were full than are checked one by one.
func (c *count) isTooMuch() bool { return c.fulls > maxAtLimit }

// lostOfOne returns what the limit per subject has removed of one subject: if the subject is full, messages below its oldest may
// be lost. counts are the messages of each subject, as they were read after the page. Without them, lostOfOne asks.
func (h *History) lostOfOne(ctx context.Context, subject bridge.Subject, limit uint64, counts map[string]uint64) (uint64, error) {
	if counts == nil {
		info, err := h.info(ctx, subject)
		if err != nil {
			return 0, err
		}
		counts = info.State.Subjects
	}
	if counts[string(subject)] < limit {
		return 0, nil
	}
	oldest, err := h.get(ctx, js.MsgGet{Seq: 1, NextFor: subject})
	return max(1, oldest.Seq) - 1, err
}

// lostOfFull is lostOfOne for a filter with a wildcard.
func (h *History) lostOfFull(ctx context.Context, filter bridge.Subject, limit uint64, now jetstream.StreamState) (uint64, error) {
	known := h.counts.get(filter)
	if known.isAsOf(limit, now) {
		return known.lost, nil
	}
	isNew := !known.holds(limit, now)
	if isNew {
		var err error
		if known, err = h.count(ctx, filter, limit, now); err != nil {
			return 0, err
		}
	}
	lost, err := h.oldestOfFull(ctx, known, now, isNew)
	if err != nil {
		return 0, err
	}
	found := *known
	found.lost, found.asOf = lost, now
	h.counts.put(filter, &found)
	return lost, nil
}

// count counts the messages of each subject of a filter. If there are many subjects, a server returns them in pages, each from an
// offset on, while subjects appear and disappear. So a page must begin with the last subject of the previous one, or an earlier
// one; otherwise it is read again from a lower offset. Subjects that are already counted are skipped.
func (h *History) count(ctx context.Context, filter bridge.Subject, limit uint64, now jetstream.StreamState) (*count, error) {
	c := &count{limit: limit, state: now, full: map[string]uint64{}}
	last, offset, back := "", 0, 1
	for {
		info, total, err := h.infoFrom(ctx, filter, offset)
		if err != nil {
			return nil, err
		}
		subjects := info.State.Subjects
		if offset > 0 && !reachesBack(subjects, last) {
			back = max(2*back, len(subjects))
			offset = max(0, offset-back)
			continue
		}
		last = c.add(subjects, last)
		if offset += len(subjects); len(subjects) == 0 || offset >= total {
			return c, nil
		}
		offset-- // at least back to the last subject
	}
}

// reachesBack reports whether the page begins at or before a subject.
func reachesBack(subjects map[string]uint64, behind string) bool {
	for subject := range subjects {
		if subject <= behind {
			return true
		}
	}
	return false
}

// add counts the subjects that follow a given one, and returns the last of all.
func (c *count) add(subjects map[string]uint64, behind string) (last string) {
	last = behind
	for subject, n := range subjects {
		if subject <= behind {
			continue
		}
		last = max(last, subject)
		switch {
		case n < c.limit:
			c.most = max(c.most, n)
		case c.isTooMuch():
			c.fulls++
		default:
			c.fulls++
			c.full[subject] = n
		}
	}
	return last
}

// oldestOfFull returns the highest sequence below the oldest message of any full subject; the stream's last sequence if too many
// are full. Unless they were counted just now, some may not be full any more, because messages were deleted.
func (h *History) oldestOfFull(ctx context.Context, c *count, now jetstream.StreamState, isNew bool) (uint64, error) {
	if c.isTooMuch() {
		return now.LastSeq, nil
	}
	var counts map[string]uint64
	if isNew {
		counts = c.full
	}
	var lost uint64
	for subject := range c.full {
		below, err := h.lostOfOne(ctx, bridge.Subject(subject), c.limit, counts)
		if err != nil {
			return 0, err
		}
		lost = max(lost, below)
	}
	return lost, nil
}
