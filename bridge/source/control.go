package source

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
)

// confirmTimeout is how long the server may take to answer before it is asked again.
const confirmTimeout = 5 * time.Second

// event is something that the control loop acts on. Whoever notices one signals it; several of a kind are one.
type event uint32

const (
	linkUp         event = 1 << iota // a connection to NATS is up
	feedWaits                        // a feed is to be placed, or can begin
	streamsChanged                   // feeds may have to be placed otherwise
	flowRefused                      // NATS has refused a subscription, or ended it
	roomFreed                        // a subscription has ended since the last that found no room
	tapStalled                       // NATS refuses the answers without which a consumer with flow control stops
	tapUnused                        // nobody takes from a tap
)

// signal wakes the control loop.
func (s *Source) signal(e event) {
	s.events.Or(uint32(e))
	select {
	case s.wake <- struct{}{}:
	default: // it is awake already, and looks again
	}
}

// control places feeds and starts them. It is the one that acts on what becomes of the connection: on each link it subscribes, renews taps, and
// proves what feeds take from subscriptions. NATS does not acknowledge subscriptions, but answers a ping after everything
// that was sent before it: one round trip proves all subscriptions made until then, and a thousand feeds opened at once
// wait for the same one.
func (s *Source) control() {
	again := time.NewTimer(0)
	defer again.Stop()
	for {
		select {
		case <-s.wake:
		case <-again.C:
		case <-s.alive.Done():
			return
		}
		if !s.conn.Link().IsUp() {
			continue // the next link wakes this again, and finds the events
		}
		s.round(event(s.events.Swap(0)))
		if wait := s.nextTry(); wait > 0 {
			again.Reset(wait)
		}
	}
}

// round looks at all that waits once. On a new link, and if streams have changed, it looks at every feed.
func (s *Source) round(happened event) {
	link := s.conn.Link()
	isNew := link != s.link
	if isNew {
		s.admission = admission{link: link, isRelieved: s.isRelieved, wait: s.wait, tryAt: s.tryAt}
	}
	if isNew || happened&tapStalled != 0 {
		s.renewTaps()
	}
	isChanged := s.listen(happened)
	var prepared []*attachment
	for _, a := range s.candidates(isNew || isChanged || happened&streamsChanged != 0) {
		if s.prepare(a, link) {
			prepared = append(prepared, a)
		}
	}
	s.stopUnused()
	isProof := slices.ContainsFunc(prepared, func(a *attachment) bool { return len(a.at.unstored) > 0 })
	if isProof && !s.prove() || s.conn.Link() != link || !s.areWithinLimit(isProof) {
		s.postpone(prepared)
		return
	}
	for _, a := range prepared {
		s.begin(a, link)
	}
}

// renewTaps makes every tap look after its consumer: what came between two connections is missing.
func (s *Source) renewTaps() {
	s.placing.Lock()
	defer s.placing.Unlock()
	for _, t := range s.taps {
		t.renew()
	}
}

// prove reports whether the server has seen all subscriptions that were made, and what it refused of them is noted.
func (s *Source) prove() bool { return s.roundTrip() && s.catchUp() }

// roundTrip reports whether the server has answered, and whatever it refused before that was noted.
func (s *Source) roundTrip() bool {
	ctx, cancel := context.WithTimeout(s.alive, confirmTimeout)
	defer cancel()
	return s.conn.RoundTrip(ctx)
}

// catchUp waits until all that has come so far was delivered. What an earlier connection still brought would otherwise
// stand behind the gap that speaks for the end of it. It reports false where the source is closed first.
func (s *Source) catchUp() bool {
	select {
	case s.incoming <- &nats.Msg{}: // without a subscription: no message, but a place among them
	case <-s.alive.Done():
		return false
	}
	select {
	case <-s.caughtUp:
		return true
	case <-s.alive.Done():
		return false
	}
}

// candidates takes the attachments that wait, or all.
func (s *Source) candidates(all bool) []*attachment {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.waiting
	s.waiting = nil
	if all {
		taken = slices.Collect(maps.Values(s.attached))
	}
	return taken
}

// postpone puts attachments back. If there is no connection, the next one wakes the control loop.
func (s *Source) postpone(candidates []*attachment) {
	s.await(candidates...)
	if len(candidates) > 0 {
		s.signal(feedWaits)
	}
}
