package source

import (
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// Stats are counts since Open, and present values. They are for metrics, not for decisions.
type Stats struct {
	Connected     bool
	Lost          time.Time  // when the connection was lost last; the zero value for never
	Connects      uint64     // connections made
	Subscriptions int        // open now, without the taps
	Deaf          int        // subscriptions that NATS refuses
	Silence       js.Silence // the longest one, on a connection that is up
	Taps          int        // streams that are read now
	TapsWaiting   int        // of these, cannot be read yet
	TapLag        TapLag     // of the tap that is furthest behind
	Messages      uint64     // received; Bytes are those of their payloads
	Bytes         uint64
	Waiting       int64  // bytes received and not delivered yet
	Dropped       uint64 // messages lost because they arrived faster than they were delivered
	RefusedEvents uint64 // publishers' event names that are reserved
	BrokenHeaders uint64 // messages delivered without their headers, which could not be decoded

	Errors    map[string]uint64 // of the connections to NATS, by kind
	LastError time.Time         // the zero value for none
}

// TapLag is how far a tap is behind its stream.
type TapLag struct {
	Messages uint64        // at least so many wait on the server, or here
	Time     time.Duration // the next of them was stored at most so long ago; 0 if none waits
}

// The kinds of errors.
const (
	errorLost    = "lost"    // the connection was lost
	errorConnect = "connect" // a connection could not be made
	errorRefused = "refused" // NATS refused a subject
	errorLimit   = "limit"   // NATS allows no more subscriptions
	errorDropped = "dropped" // messages arrived faster than they were received
	errorOther   = "other"   // the log has it
)

// failures counts errors by kind.
type failures struct {
	last   atomic.Int64 // when, in nanoseconds of Unix time
	counts bridge.Counts
}

func newFailures() failures {
	return failures{counts: bridge.NewCounts(errorLost, errorConnect, errorRefused, errorLimit, errorDropped, errorOther)}
}

func (f *failures) note(kind string) {
	f.last.Store(time.Now().UnixNano())
	f.counts.Add(kind)
}

func (f *failures) lastAt() time.Time {
	if at := f.last.Load(); at != 0 {
		return time.Unix(0, at)
	}
	return time.Time{}
}

type counters struct {
	connects, messages, bytes, dropped atomic.Uint64
	refusedEvents, brokenHeaders       atomic.Uint64
}

// Stats returns the counts.
func (s *Source) Stats() Stats {
	s.mu.Lock()
	subscriptions, deaf := len(s.flows), s.deaf
	taps := slices.Collect(maps.Values(s.taps))
	s.mu.Unlock()
	waiting, lag := lagOf(taps)
	return Stats{
		Lost:          s.absence.lastLost(),
		Connected:     s.conn.Link().IsUp(),
		Connects:      s.stats.connects.Load(),
		Subscriptions: subscriptions,
		Deaf:          deaf,
		Silence:       s.conn.Link().Longest(),
		Taps:          len(taps),
		TapsWaiting:   waiting,
		TapLag:        lag,
		Errors:        s.errors.counts.Load(),
		LastError:     s.errors.lastAt(),
		Messages:      s.stats.messages.Load(),
		Bytes:         s.stats.bytes.Load(),
		Waiting:       s.intake.held.Load(),
		Dropped:       s.stats.dropped.Load(),
		RefusedEvents: s.stats.refusedEvents.Load(),
		BrokenHeaders: s.stats.brokenHeaders.Load(),
	}
}

// lagOf returns how many taps wait, and the lag of the one that is furthest behind.
func lagOf(taps []*tap) (waiting int, most TapLag) {
	for _, t := range taps {
		if ready, _ := t.state(); !ready {
			waiting++
			continue
		}
		lag := t.lag()
		most.Messages, most.Time = max(most.Messages, lag.Messages), max(most.Time, lag.Time)
	}
	return waiting, most
}

// lag returns how far the tap is behind its stream, as of its last message.
func (t *tap) lag() TapLag {
	t.mu.Lock()
	from := t.consumer
	t.mu.Unlock()
	waits := t.pending.Load()
	if from != nil {
		waits = max(waits, uint64(from.Waiting()))
	}
	last := t.Last().Time
	if waits == 0 || last == 0 {
		return TapLag{Messages: waits}
	}
	return TapLag{Messages: waits, Time: max(0, time.Since(time.Unix(0, last)))}
}
