package history

import (
	"context"
	"sync"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// maxCounts is of how many filters it is remembered which of their subjects are full: callers choose the filters.
const maxCounts = 256

// counts remembers which subjects of a filter are full, by filters: to count them all costs a server time for each subject,
// and a filter with a wildcard is asked for at each page.
type counts struct {
	mu sync.Mutex
	of map[bridge.Subject]*count
}

func (c *counts) get(filter bridge.Subject) *count {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of[filter]
}

func (c *counts) put(filter bridge.Subject, found *count) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil || len(c.of) >= maxCounts {
		c.of = map[bridge.Subject]*count{}
	}
	c.of[filter] = found
}

// count is what was found when the messages of each subject of a filter were counted. It is not changed.
type count struct {
	limit uint64
	state jetstream.StreamState // just before
	full  []bridge.Subject      // those at the limit, up to one more than are looked at
	fulls uint64                // how many there were
	most  uint64                // messages that any other subject had

	lost uint64                // what lostOfFull gave
	asOf jetstream.StreamState // in this state
}

// isAsOf tells whether nothing has changed: a message that is stored raises the last sequence, and one that is removed
// lowers the number, which nothing else could raise again.
func (c *count) isAsOf(limit uint64, now jetstream.StreamState) bool {
	return c != nil && c.limit == limit && c.asOf.LastSeq == now.LastSeq && c.asOf.Msgs == now.Msgs
}

// holds tells whether no other subject can have become full: each of the messages stored since may be of any subject, but of
// one only. Where there are too many full ones to look at, as many must be left even if each message that is gone was one
// of them.
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

// isTooMuch tells whether more subjects were full than are looked at one by one.
func (c *count) isTooMuch() bool { return c.fulls > maxAtLimit }

// lostOfOne is lostOf for what the limit for each subject has removed of one subject: where it is full, it may have lost what
// is below its oldest message. info was asked for after the reading, with a count of it or without.
func (h *History) lostOfOne(ctx context.Context, subject bridge.Subject, limit uint64, info *jetstream.StreamInfo) (uint64, error) {
	if info.State.Subjects != nil {
		return h.oldestOfFull(ctx, newCount(limit, info.State, info.State.Subjects), info.State, true)
	}
	c, err := h.count(ctx, subject, limit, info.State)
	if err != nil {
		return 0, err
	}
	return h.oldestOfFull(ctx, c, info.State, true)
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

// count counts the messages of each subject of a filter. A server tells many of them in pages, each from an offset on, while
// subjects come and go: a page begins with the last subject of the one before, or an earlier one, or else is asked for again
// from further in front. What it brings of subjects that were counted is passed over.
func (h *History) count(ctx context.Context, filter bridge.Subject, limit uint64, now jetstream.StreamState) (*count, error) {
	c := newCount(limit, now, nil)
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
		offset-- // no further than to the last subject
	}
}

// reachesBack reports whether one of the subjects is not behind another.
func reachesBack(subjects map[string]uint64, behind string) bool {
	for subject := range subjects {
		if subject <= behind {
			return true
		}
	}
	return false
}

func newCount(limit uint64, state jetstream.StreamState, subjects map[string]uint64) *count {
	c := &count{limit: limit, state: state}
	c.state.Subjects = nil // there may be very many
	c.add(subjects, "")
	return c
}

// add counts the subjects that come behind another, and returns the last of all.
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
			c.full = append(c.full, bridge.Subject(subject))
		}
	}
	return last
}

// oldestOfFull gives the highest sequence below the oldest message of any full subject; the last there is where these are too
// many. Unless they were counted just now, some may be full no more, because messages were deleted.
func (h *History) oldestOfFull(ctx context.Context, c *count, now jetstream.StreamState, isNew bool) (uint64, error) {
	if c.isTooMuch() {
		return now.LastSeq, nil
	}
	var lost uint64
	for _, subject := range c.full {
		if !isNew {
			info, err := h.info(ctx, subject)
			if err != nil {
				return 0, err
			}
			if info.State.Subjects[string(subject)] < c.limit {
				continue
			}
		}
		oldest, err := h.get(ctx, js.MsgGet{Seq: 1, NextFor: subject})
		if err != nil {
			return 0, err
		}
		if oldest.Seq > 0 {
			lost = max(lost, oldest.Seq-1)
		}
	}
	return lost, nil
}
