package bridge

import (
	"slices"
	"sync/atomic"
)

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

	// Resumes counts connections that brought a position, by how they continued.
	Resumes []Resumes
	// ReplaysDone counts replays that clients have received to the end, ReplaysLeft those whose clients left before.
	ReplaysDone, ReplaysLeft uint64

	// Reads of logs for readers behind their feeds' memory: pages, their messages, and failed reads.
	ReplayPages, ReplayMessages, ReplayErrors uint64
}

// Stats returns the present state. It is for metrics, not for decisions.
func (h *Hub) Stats() Stats {
	s := Stats{Gaps: h.counters.gaps.Load(), Resets: h.counters.resets.Load()}
	for i, how := range resumptions {
		how.Count = h.counters.resumed[i].Load()
		s.Resumes = append(s.Resumes, how)
	}
	s.ReplaysDone, s.ReplaysLeft = h.counters.replaysDone.Load(), h.counters.replaysLeft.Load()
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

// Resumes counts connections that continued in one way.
type Resumes struct {
	Result string // exact, gap or reset
	Reason string // of a gap or a reset
	Count  uint64
}

// resumptions are all ways to continue.
var resumptions = [...]Resumes{
	{Result: "exact"},
	{Result: "gap", Reason: GapRetention},
	{Result: "gap", Reason: GapOverrun},
	{Result: "gap", Reason: GapDisconnected},
	{Result: "reset", Reason: ResetMalformed},
	{Result: "reset", Reason: ResetUnknown},
	{Result: "reset", Reason: ResetRecreated},
	{Result: "reset", Reason: ResetRolled},
}

type counters struct {
	gaps, resets Counts // by reason
	resumed      [len(resumptions)]atomic.Uint64

	replayPages, replayMessages, replayErrors, replaysDone, replaysLeft atomic.Uint64
}

func newCounters() counters {
	return counters{
		gaps:   NewCounts(GapRetention, GapOverrun, GapDisconnected),
		resets: NewCounts(ResetMalformed, ResetUnknown, ResetRecreated, ResetRolled),
	}
}

// reset counts a reset.
func (c *counters) reset(reason string) { c.resets.Add(reason) }

// resume counts how a connection begins: one that brought a valid position, or is told that it cannot continue from what it brought.
func (c *counters) resume(isKnown bool, reset, gap string) {
	how := Resumes{Result: "exact"}
	switch {
	case reset != "":
		how = Resumes{Result: "reset", Reason: reset}
	case !isKnown:
		return
	case gap != "":
		how = Resumes{Result: "gap", Reason: gap}
	}
	if i := slices.Index(resumptions[:], how); i >= 0 {
		c.resumed[i].Add(1)
	}
}
