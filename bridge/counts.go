package bridge

import (
	"slices"
	"sync/atomic"
)

// Counts counts events by kind.
type Counts map[string]*atomic.Uint64

// NewCounts returns the counts of all kinds that there are.
func NewCounts(kinds ...string) Counts {
	c := Counts{}
	for _, kind := range kinds {
		c[kind] = new(atomic.Uint64)
	}
	return c
}

// Add counts an event. It does not count kinds that there are not, such as "".
func (c Counts) Add(kind string) {
	if count := c[kind]; count != nil {
		count.Add(1)
	}
}

// Load returns the present counts.
func (c Counts) Load() map[string]uint64 {
	counts := map[string]uint64{}
	for kind, count := range c {
		counts[kind] = count.Load()
	}
	return counts
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
