package bridge

import "strings"

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
	for how, count := range h.counters.resumed.Load() {
		result, reason, _ := strings.Cut(how, " ")
		s.Resumes = append(s.Resumes, Resumes{result, reason, count})
	}
	s.ReplaysDone, s.ReplaysLeft = h.counters.replaysDone.Load(), h.counters.replaysLeft.Load()
	s.ReplayPages = h.counters.replayPages.Load()
	s.ReplayMessages = h.counters.replayMessages.Load()
	s.ReplayErrors = h.replays.failures.Load()
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
