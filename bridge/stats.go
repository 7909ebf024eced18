package bridge

import "sync/atomic"

// Stats is the present state of a hub, and what it has told clients since it began.
type Stats struct {
	Feeds   int // open, including those that linger
	Readers int

	// FrameBytes is the memory of feeds, PageBytes that of pages read from logs.
	FrameBytes, PageBytes int

	// Gaps counts gaps by reason. A gap of a whole feed counts once, for any number of readers; a gap of a single connection counts once for
	// that connection.
	Gaps map[string]uint64
	// Resets by reason.
	Resets map[string]uint64

	// Reads of logs for readers behind their feeds' memory: pages, their messages, and failed reads.
	ReplayPages, ReplayMessages, ReplayErrors uint64
}

// Stats returns the present state. It is for metrics, not for decisions.
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
