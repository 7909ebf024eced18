package bridge

import "sync/atomic"

// Counts counts events by kind.
type Counts map[string]*atomic.Uint64

// NewCounts returns counts of these kinds, and no others.
func NewCounts(kinds ...string) Counts {
	c := Counts{}
	for _, kind := range kinds {
		c[kind] = new(atomic.Uint64)
	}
	return c
}

// Add counts an event. An unknown kind, such as "", is not counted.
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

// counters count what a hub has told clients.
type counters struct {
	gaps, resets Counts // by reason
	resumed      Counts // by result and reason, with a blank between

	replayPages, replayMessages, replaysDone, replaysLeft atomic.Uint64
}

func newCounters() counters {
	gaps := []string{GapRetention, GapOverrun, GapDisconnected}
	resets := []string{ResetMalformed, ResetUnknown, ResetRecreated, ResetRolled}
	resumed := []string{"exact "}
	for _, reason := range gaps {
		resumed = append(resumed, "gap "+reason)
	}
	for _, reason := range resets {
		resumed = append(resumed, "reset "+reason)
	}
	return counters{gaps: NewCounts(gaps...), resets: NewCounts(resets...), resumed: NewCounts(resumed...)}
}

// resume counts how a connection begins: one that brought a valid position, or is told that it cannot continue from what it brought.
func (c *counters) resume(isKnown bool, reset, gap string) {
	switch {
	case reset != "":
		c.resumed.Add("reset " + reset)
	case isKnown && gap != "":
		c.resumed.Add("gap " + gap)
	case isKnown:
		c.resumed.Add("exact ")
	}
}
