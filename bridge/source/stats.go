package source

import (
	"sync/atomic"
	"time"

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
	Messages      uint64     // received; Bytes are those of their payloads
	Bytes         uint64
	Waiting       int64  // bytes received and not delivered yet
	Dropped       uint64 // messages lost because they arrived faster than they were delivered
	RefusedEvents uint64 // publishers' event names that are reserved
	BrokenHeaders uint64 // messages delivered without their headers, which could not be decoded
}

type counters struct {
	connects, messages, bytes, dropped atomic.Uint64
	refusedEvents, brokenHeaders       atomic.Uint64
	taps                               atomic.Int64
}

// Stats returns the counts.
func (s *Source) Stats() Stats {
	s.mu.Lock()
	subscriptions, deaf := len(s.flows), s.deaf
	s.mu.Unlock()
	return Stats{
		Lost:          s.absence.lastLost(),
		Connected:     s.conn.Link().IsUp(),
		Connects:      s.stats.connects.Load(),
		Subscriptions: subscriptions,
		Deaf:          deaf,
		Silence:       s.conn.Link().Longest(),
		Taps:          int(s.stats.taps.Load()),
		Messages:      s.stats.messages.Load(),
		Bytes:         s.stats.bytes.Load(),
		Waiting:       s.intake.held.Load(),
		Dropped:       s.stats.dropped.Load(),
		RefusedEvents: s.stats.refusedEvents.Load(),
		BrokenHeaders: s.stats.brokenHeaders.Load(),
	}
}
