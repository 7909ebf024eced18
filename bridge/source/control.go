package source

import (
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge/source/js"
)

// confirmTimeout is how long the server may take to answer before it is asked again.
const confirmTimeout = 5 * time.Second

// event is a reason for the control loop to act. Several signals of one event count as one.
type event uint32

const (
	roundDue       event = 1 << iota // a link is up, a feed waits or can begin, a subscription was refused, or no feed uses a tap any more
	streamsChanged                   // feeds may have to be placed differently
	limitRelieved                    // a subscription has ended, after others found no room
)

// control opens the placements of feeds, and starts feeds. It alone acts on events of the connection: on each link it subscribes,
// renews the taps, and proves the subscriptions of feeds. NATS does not acknowledge subscriptions, but answers a ping after everything sent before
// it. So one round trip proves all subscriptions made until then, and a thousand feeds opened at once share it.
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
			continue // the next link wakes control again, with these events
		}
		s.round(event(s.events.Swap(0)))
		if wait := s.nextTry(); wait > 0 {
			again.Reset(wait)
		}
	}
}

// round handles everything that waits, once. On a new link, or if streams have changed, it checks every feed.
func (s *Source) round(happened event) {
	link := s.conn.Link()
	isNew := link != s.link
	if isNew {
		s.admission = admission{link: link, relievedAt: s.relievedAt, wait: s.wait, tryAt: s.tryAt}
		if time.Since(s.relievedAt) > lastListen {
			s.relievedAt = time.Time{}
		} else {
			_, _ = s.table.List(s.alive, probeSubject) // before others take the room for answers to requests; the table notes the error
		}
		s.renewTaps()
	}
	isChanged := s.listen(happened)
	var prepared []*placement
	for _, p := range s.candidates(isNew || isChanged || happened&streamsChanged != 0) {
		if s.prepare(p, link) {
			prepared = append(prepared, p)
		}
	}
	s.stopUnused()
	isProof := slices.ContainsFunc(prepared, func(p *placement) bool { return len(p.unstored) > 0 })
	if isProof && !(s.within(s.conn.RoundTrip) && s.catchUp()) || s.conn.Link() != link || !s.areWithinLimit(isProof) {
		s.await(prepared...)
		s.signal(roundDue) // or the next link does
		return
	}
	for _, p := range prepared {
		s.begin(p, link)
	}
}

// renewTaps makes every tap renew its consumer: messages published between two connections are missing.
func (s *Source) renewTaps() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.taps {
		js.Wake(t.again)
	}
}

// catchUp waits until every message received so far was delivered. Otherwise messages of an earlier connection would follow the
// gap that announces its end. It returns false if the source is closed first.
func (s *Source) catchUp() bool {
	select {
	case s.incoming <- &nats.Msg{}: // no message: an empty one among them
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
