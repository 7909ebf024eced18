package source

import (
	"maps"
	"slices"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

const (
	// firstListen and lastListen are the shortest and the longest wait before a refused subscription is tried again.
	firstListen = 2 * time.Second
	lastListen  = 30 * time.Second
)

// admission is the control loop's record of subscriptions that are not in force. Two kinds of refusal make a flow deaf. One names
// the subject; that flow is subscribed again from time to time. The other says that there are too many subscriptions, and names
// none, so any made since the last proof may be meant. These are all undone and queued, and as many are admitted again as there
// is room for.
type admission struct {
	link      *js.Link // for the next subscriptions
	overLimit uint64   // how many refusals for too many subscriptions were handled; after the first, new flows queue for room
	isProven  bool     // some subscriptions were proved on this link

	relievedAt time.Time // when another connection was made, to gain room; the zero value if that has helped, or was long ago
	wait       time.Duration
	tryAt      time.Time // the zero value if no flow is deaf
}

// listen subscribes again to refused subjects, if that is due. If it did, every feed must be checked.
func (s *Source) listen(happened event) (isChanged bool) {
	if s.link.Limited() != s.overLimit && !s.areWithinLimit(false) {
		return false
	}
	isDue := !s.tryAt.IsZero() && !s.tryAt.After(time.Now()) || !s.isProven
	if isDue {
		isChanged = s.askAgain()
	}
	s.mu.Lock()
	isWanted := len(s.starving) > 0 && (isDue || happened&limitRelieved != 0)
	s.mu.Unlock()
	if isWanted {
		s.admit()
	}
	return isChanged
}

// nextTry returns how long to wait until listen is due; 0 if no flow is deaf.
func (s *Source) nextTry() time.Duration {
	s.mu.Lock()
	deaf := s.deaf
	s.mu.Unlock()
	if deaf == 0 {
		s.wait, s.tryAt = 0, time.Time{}
		return 0
	}
	if now := time.Now(); !s.tryAt.After(now) {
		s.wait = min(max(2*s.wait, firstListen), lastListen)
		s.tryAt = now.Add(s.wait)
	}
	return max(time.Until(s.tryAt), time.Millisecond)
}

// deafen records that a subscription was refused, or has ended because a permission was withdrawn. Its readers get a gap, and
// another when the subscription is in force again.
func (s *Source) deafen(subject string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.flows[bridge.Subject(subject)]; f != nil && !f.deaf {
		s.mute(f)
		s.signal(roundDue)
	}
}

// mute takes a flow out of force. The lock must be held.
func (s *Source) mute(f *flow) {
	s.setDeaf(f, true)
	link, at := s.conn.Link(), s.advance()
	for _, p := range f.takers {
		if p.proved == link && !slices.Contains(p.muted, f) {
			p.feed.Deafen(at, bridge.GapDisconnected)
			p.muted = append(p.muted, f)
		}
	}
}

// hearAgain assumes that subscriptions refused on an earlier link are valid. nats.go makes them on the new one, which may refuse
// them again.
func (s *Source) hearAgain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.flows {
		if f.sub != nil {
			s.setDeaf(f, false)
		}
	}
}

// forgetRefusals tells feeds that NATS is away, and refuses them nothing for now.
func (s *Source) forgetRefusals() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for feed := range s.attached {
		feed.Refuse(false)
	}
}

// askAgain subscribes again to refused subjects, and reports whether there were any.
func (s *Source) askAgain() bool {
	s.placing.Lock()
	defer s.placing.Unlock()
	refused := s.flowsThat(func(f *flow) bool { return f.deaf && f.sub != nil })
	s.mu.Lock()
	s.fresh = append(s.fresh, refused...)
	s.mu.Unlock()
	s.subscribeAgain(refused)
	return len(refused) > 0
}

// areWithinLimit reports whether NATS has refused no subscription for being too many. If it has, the flows that may be meant
// queue for room. isProof means that a round trip has just proved all subscriptions.
func (s *Source) areWithinLimit(isProof bool) bool {
	refused := s.link.Limited()
	s.mu.Lock()
	suspects := slices.Clone(s.fresh)
	if refused == s.overLimit {
		if isProof {
			s.fresh = nil
		}
		s.mu.Unlock()
		if isProof && !s.isProven {
			s.isProven, s.relievedAt = true, time.Time{}
		}
		return true
	}
	isAnybody := !s.isProven && len(suspects) < len(s.flows)
	if isAnybody {
		suspects = slices.Collect(maps.Values(s.flows))
	}
	s.fresh = nil
	s.mu.Unlock()
	s.overLimit, s.isProven = refused, true
	if s.takeBack(suspects) {
		s.signal(limitRelieved)
	}
	if isAnybody && s.relievedAt.IsZero() {
		// nats.go has subscribed to everything again, in any order, including the subjects on which JetStream answers. On another
		// connection these come first.
		s.relievedAt, s.isProven = time.Now(), false
		s.conn.Renew()
	}
	s.signal(roundDue)
	return false
}

// takeBack makes flows queue for room, and reports whether any do.
func (s *Source) takeBack(flows []*flow) bool {
	s.placing.Lock()
	defer s.placing.Unlock()
	for _, f := range flows {
		s.unsubscribe(f)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var back []*flow
	for _, f := range flows {
		if s.flows[f.filter] == f && !slices.Contains(s.starving, f) {
			s.mute(f)
			back = append(back, f)
		}
	}
	s.starving = append(back, s.starving...)
	return len(back) > 0
}

// admit subscribes to queued flows until there is no more room: to one flow, then to twice as many after each success. If several
// find no room, they are tried one by one.
func (s *Source) admit() {
	s.admitting.Lock()
	defer s.admitting.Unlock()
	atOnce, growth := 1, 2
	for {
		batch := s.tryToAdmit(atOnce)
		if len(batch) == 0 {
			return
		}
		// nats.go reports a second refusal for too many subscriptions by the same error as the first; a barrier proves that it has reported all.
		hasAnswer := s.within(s.conn.RoundTrip) && s.within(s.conn.PassBarrier) && s.conn.Link() == s.link
		refused := s.link.Limited()
		if hasAnswer && refused == s.overLimit {
			s.signal(streamsChanged)
			atOnce *= growth
			continue
		}
		s.overLimit = refused
		s.takeBack(batch)
		if !hasAnswer || len(batch) == 1 {
			return
		}
		atOnce, growth = 1, 1
	}
}

// tryToAdmit removes the first flows from the queue, and subscribes to them.
func (s *Source) tryToAdmit(n int) []*flow {
	s.placing.Lock()
	defer s.placing.Unlock()
	s.mu.Lock()
	batch := slices.Clone(s.starving[:min(n, len(s.starving))])
	s.starving = slices.Delete(s.starving, 0, len(batch))
	s.mu.Unlock()
	s.subscribeAgain(batch)
	return batch
}
