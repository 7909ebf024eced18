package source

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
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

// confirm subscribes and lets feeds begin. NATS does not acknowledge subscriptions, but answers a ping after everything
// that was sent before it: one round trip proves all subscriptions made until then, and a thousand feeds opened at once
// wait for the same one. Behind a reconnect every feed has to be proved again.
func (s *Source) confirm() {
	for {
		select {
		case <-s.unsure:
		case <-s.alive.Done():
			return
		}
		if !s.up.Load() {
			continue // the next connection wakes this again
		}
		connection := s.dials.Load()
		candidates := s.candidates(connection)
		if len(candidates) == 0 {
			continue
		}
		s.subscribe(candidates)
		if !s.roundTrip() || !s.catchUp() || s.dials.Load() != connection {
			s.postpone(candidates)
			continue
		}
		s.begin(candidates, connection)
	}
}

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

// candidates takes the attachments that are not sure of the connection.
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
	s.mu.Lock()
	s.waiting = append(s.waiting, candidates...)
	s.mu.Unlock()
	if s.up.Load() {
		s.becomeSure()
	}
}

// begin lets the feeds begin, but for those with a subject that NATS refuses: nothing would ever come, and their readers
// are not told that they are open. A new connection may be allowed more.
func (s *Source) begin(candidates []*attachment, connection uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.advance()
	for _, a := range candidates {
		if s.attached[a.feed] == a && a.sure != connection && !s.refused.anyOf(a.feed.Subjects(), connection) {
			a.sure = connection
			a.feed.Begin([]bridge.Part{{Subjects: a.feed.Subjects(), At: at}}, bridge.GapDisconnected)
		}
	}
}
