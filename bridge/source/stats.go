package source

import (
	"sync/atomic"
	"time"

	"github.com/tailwater/tailwater/bridge/source/js"
)

// Stats counts what happened since Open. It is for metrics, not for decisions.
type Stats struct {
	Connected     bool
	Lost          time.Time  // when the connection was lost last; the zero value for never
	Connects      uint64     // connections made
	Subscriptions int        // open now, beside the taps
	Deaf          int        // of those, subscriptions that NATS refuses
	Silence       js.Silence // the longest there is, on a connection that is up
	Taps          int        // streams that are read from now
	Messages      uint64     // received, and their payload bytes
	Bytes         uint64
	Waiting       int64  // bytes of messages that were received and are not delivered yet
	Dropped       uint64 // lost because they came faster than they were taken
	RefusedEvents uint64 // publishers' event names that no publisher may use
	BrokenHeaders uint64 // messages read whose headers cannot be decoded: delivered without them
}

type counters struct {
	connects, messages, bytes, dropped atomic.Uint64
	refusedEvents, brokenHeaders       atomic.Uint64
	taps                               atomic.Int64
}

// Stats counts.
func (s *Source) Stats() Stats {
	s.mu.Lock()
	subscriptions, deaf := len(s.flows), s.deaf
	s.mu.Unlock()
	lost := time.Time{}
	if at := s.lost.Load(); at != 0 {
		lost = time.Unix(0, at)
	}
	return Stats{
		Lost:          lost,
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
