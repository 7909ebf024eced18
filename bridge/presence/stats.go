package presence

import "sync/atomic"

type counters struct {
	writes    atomic.Uint64
	bytes     atomic.Uint64
	conflicts atomic.Uint64
	failures  atomic.Uint64
	unlisted  atomic.Uint64
}

// Stats are counts of a Tracker since Open, and present values.
type Stats struct {
	Subjects  int    // with members on this bridge
	Members   int    // with a name, on this bridge, once for each subject
	Unnamed   int    // connections without a name, as above
	Writes    uint64 // to the bucket
	Bytes     uint64 // of them
	Conflicts uint64 // writes that failed because another bridge was faster
	Failures  uint64 // writes that NATS did not accept
	Unlisted  uint64 // connections that were not listed, because their accounts had too many
}

// Stats returns the counts.
func (t *Tracker) Stats() Stats {
	stats := Stats{
		Writes: t.stats.writes.Load(), Bytes: t.stats.bytes.Load(),
		Conflicts: t.stats.conflicts.Load(), Failures: t.stats.failures.Load(), Unlisted: t.stats.unlisted.Load(),
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	stats.Subjects = len(t.rooms)
	for _, r := range t.rooms {
		stats.Members += len(r.members)
		stats.Unnamed += r.unnamed
	}
	return stats
}
