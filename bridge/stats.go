package bridge

import "sync/atomic"

// Stats is what a hub has at this moment, and what it has told clients since it began.
type Stats struct {
	Feeds   int // open, those that linger included
	Readers int

	// FrameBytes is what the feeds hold, and PageBytes what was read from logs and is kept.
	FrameBytes, PageBytes int

	// Gaps by reason. A gap that happens to a feed counts once, whoever reads it; one that a single connection meets
	// counts for it.
	Gaps map[string]uint64
	// Resets by reason.
	Resets map[string]uint64

	// What was read from logs for readers behind their feeds' memory: stretches, their messages, and reads that failed.
	ReplayPages, ReplayMessages, ReplayErrors uint64
}

// Stats counts. It is for metrics, not for decisions.
func (h *Hub) Stats() Stats {
	s := Stats{
		Gaps: map[string]uint64{
			GapRetention:    h.counters.retention.Load(),
			GapOverrun:      h.counters.overrun.Load(),
			GapDisconnected: h.counters.disconnected.Load(),
		},
		Resets: map[string]uint64{
			ResetMalformed: h.counters.malformed.Load(),
			ResetUnknown:   h.counters.unknown.Load(),
			ResetRecreated: h.counters.recreated.Load(),
			ResetRolled:    h.counters.rolled.Load(),
		},
	}
	s.ReplayPages = h.counters.replayPages.Load()
	s.ReplayMessages = h.counters.replayMessages.Load()
	s.ReplayErrors = h.counters.replayErrors.Load()
	s.PageBytes = h.replays.held()
	h.mu.Lock()
	defer h.mu.Unlock()
	s.Feeds = len(h.feeds)
	for feed := range h.retired {
		s.Readers += feed.readers
	}
	for _, feed := range h.feeds {
		s.Readers += feed.readers
		feed.mu.Lock()
		s.FrameBytes += feed.held()
		feed.mu.Unlock()
	}
	return s
}

type counters struct {
	retention, overrun, disconnected      atomic.Uint64 // gaps
	malformed, unknown, recreated, rolled atomic.Uint64 // resets

	replayPages, replayMessages, replayErrors atomic.Uint64
}

func (c *counters) gap(reason string) {
	switch reason {
	case GapRetention:
		c.retention.Add(1)
	case GapOverrun:
		c.overrun.Add(1)
	case GapDisconnected:
		c.disconnected.Add(1)
	}
}

func (c *counters) reset(reason string) {
	switch reason {
	case ResetMalformed:
		c.malformed.Add(1)
	case ResetUnknown:
		c.unknown.Add(1)
	case ResetRecreated:
		c.recreated.Add(1)
	case ResetRolled:
		c.rolled.Add(1)
	}
}
