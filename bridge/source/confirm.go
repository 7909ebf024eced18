package source

import (
	"context"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
)

// confirmTimeout is how long the server may take to answer before it is asked again.
const confirmTimeout = 5 * time.Second

// becomeSure wakes confirm.
func (s *Source) becomeSure() {
	select {
	case s.unsure <- struct{}{}:
	default: // it is awake already, and looks again
	}
}

// confirm places feeds and lets them begin. NATS does not acknowledge subscriptions, but answers a ping after everything
// that was sent before it: one round trip proves all subscriptions made until then, and a thousand feeds opened at once
// wait for the same one. Behind a reconnect every feed with subscriptions has to be proved again.
func (s *Source) confirm() {
	again := time.NewTimer(0)
	defer again.Stop()
	for {
		select {
		case <-s.unsure:
		case <-again.C:
		case <-s.alive.Done():
			return
		}
		if !s.up.Load() {
			continue // the next connection wakes this again
		}
		s.round()
		if wait := s.nextTry(); wait > 0 {
			again.Reset(wait)
		}
	}
}

// round looks at all that waits once.
func (s *Source) round() {
	connection := s.dials.Load()
	s.renewTaps(connection)
	s.listen(connection)
	var prepared []*attachment
	for _, a := range s.candidates(connection) {
		if s.prepare(a, connection) {
			prepared = append(prepared, a)
		}
	}
	s.stopUnused()
	isProof := slices.ContainsFunc(prepared, func(a *attachment) bool { return len(a.at.unstored) > 0 })
	if isProof && !s.prove() || s.dials.Load() != connection || !s.areWithinLimit(connection, isProof) {
		s.postpone(prepared)
		return
	}
	for _, a := range prepared {
		s.begin(a, connection)
	}
}

// renewTaps lets every tap look after its consumer, once for each connection: what came between two of them is missing.
func (s *Source) renewTaps(connection uint64) {
	s.placing.Lock()
	defer s.placing.Unlock()
	if s.renewed == connection && !s.stalled.Swap(false) {
		return
	}
	s.renewed = connection
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
	return s.conn.FlushWithContext(ctx) == nil && s.refused.noted(ctx, s.conn)
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

// candidates takes the attachments that wait; all of them behind a new connection, or where streams have changed.
func (s *Source) candidates(connection uint64) []*attachment {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.waiting
	s.waiting = nil
	if s.sureOf == connection {
		return taken
	}
	s.sureOf = connection
	taken = taken[:0]
	for _, a := range s.attached {
		taken = append(taken, a)
	}
	return taken
}

// postpone puts attachments back. While there is no connection nothing is to be done: the next one wakes confirm.
func (s *Source) postpone(candidates []*attachment) {
	s.await(candidates...)
	if len(candidates) > 0 && s.up.Load() {
		s.becomeSure()
	}
}
