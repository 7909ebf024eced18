package bridge

import "sync/atomic"

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
