package catalog

import (
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// A stream that was deleted: feeds wait for a moment, and then read its subjects by subscription.

// deletedWait is how long a deleted stream is waited for, because often another one is made at once. Feeds that changed to
// subscriptions in between would be told twice, and could deliver twice what is published just then.
const deletedWait = time.Second

// missed is a stream that is gone.
type missed struct {
	*Stream
	until time.Time
}

// miss records the streams that are gone. The lock must be held.
func (t *Table) miss(before, after *Streams) {
	if before == nil || after.absence.why != "" {
		return
	}
	for _, stream := range before.streams {
		name := stream.Name()
		if _, known := t.missed[name]; known || after.Get(name) != nil {
			continue
		}
		t.missed[name] = missed{stream, time.Now().Add(deletedWait)}
	}
}

// isMissed reports whether a stream that is waited for held a filter. The lock must be held.
func (t *Table) isMissed(filter bridge.Subject) bool {
	for _, gone := range t.missed {
		if gone.covers(filter) {
			return true
		}
	}
	return false
}

// giveUp ends the waiting for streams that has lasted long enough, and returns those that were read and are gone. The lock must be held.
func (t *Table) giveUp(now time.Time) (gone []*Stream, next time.Duration, ended bool) {
	next = tableInterval
	for name, was := range t.missed {
		if remaining := was.until.Sub(now); remaining > 0 {
			next = min(next, remaining)
			continue
		}
		delete(t.missed, name)
		ended = true
		if t.used[name] && t.now.Get(name) == nil {
			delete(t.used, name)
			gone = append(gone, was.Stream)
		}
	}
	return gone, next, ended
}
