package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

const (
	// firstListen and lastListen are how long a subscription that NATS has refused waits until it is tried again.
	firstListen = 2 * time.Second
	lastListen  = 30 * time.Second
)

// admission is what the control loop knows of subscriptions that are not in force. Two kinds of refusal leave a flow deaf. One names
// the subject; that flow is subscribed again from time to time. The other says that there are too many subscriptions, and
// names none: of those made since the last proof it is not known which it was. They are all taken back, and join the
// queue of those that wait for room, from which as many are admitted as there is room for.
type admission struct {
	link      *js.Link // that the next are of
	overLimit uint64   // how many refusals for too many subscriptions were acted on
	isLimited bool     // there were some: new flows queue for room
	isProven  bool     // subscriptions were proved

	isRelieved bool // there was a reconnect to make room
	wait       time.Duration
	tryAt      time.Time // the zero value while nothing is deaf
}

// listen tries again to subscribe to what was refused. It reports whether it did: then every feed is to be looked at.
func (s *Source) listen(happened event) (isChanged bool) {
	if s.link.Limited() != s.overLimit && !s.areWithinLimit(false) {
		return false
	}
	isDue := !s.tryAt.IsZero() && !s.tryAt.After(time.Now()) || !s.isProven
	if isDue {
		isChanged = s.askAgain()
	}
	s.mu.Lock()
	isWanted := len(s.starving) > 0 && (isDue || happened&roomFreed != 0)
	s.mu.Unlock()
	if isWanted {
		s.admit()
	}
	return isChanged
}

// nextTry returns how long to wait until listen is due; 0 while nothing is deaf.
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

// deafen takes note that a subscription was refused, or has ended because a permission was taken away: who reads by it is
// told a gap, and another when it is in force again.
func (s *Source) deafen(subject string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.flows[bridge.Subject(subject)]
	if f == nil || f.deaf {
		return
	}
	s.mute(f)
	s.signal(flowRefused)
}

// mute takes a flow out of force. The lock must be held.
func (s *Source) mute(f *flow) {
	if f.deaf {
		return
	}
	s.setDeaf(f, true)
	link, at := s.conn.Link(), s.advance()
	for _, p := range f.takers {
		if p.proved == link && !p.muted[f] {
			p.feed.Deafen(at, bridge.GapDisconnected)
			p.mute(f)
		}
	}
}

func (s *Source) setDeaf(f *flow, deaf bool) {
	switch {
	case deaf && !f.deaf:
		s.deaf++
	case !deaf && f.deaf:
		s.deaf--
	}
	f.deaf = deaf
}

// hearAgain takes subscriptions for valid that an earlier connection has refused: nats.go makes them on the new one, which
// will refuse them if it does.
func (s *Source) hearAgain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.flows {
		if f.sub != nil {
			s.setDeaf(f, false)
		}
	}
}

// askAgain subscribes anew to what was refused by its subject, and reports whether there was any.
func (s *Source) askAgain() bool {
	s.placing.Lock()
	defer s.placing.Unlock()
	var refused []*flow
	s.mu.Lock()
	for _, f := range s.flows {
		if f.deaf && f.sub != nil {
			refused = append(refused, f)
		}
	}
	s.fresh = append(s.fresh, refused...)
	s.mu.Unlock()
	for _, f := range refused {
		s.unsubscribe(f)
		if err := s.subscribe(f); err != nil {
			s.log.Error("cannot subscribe", "error", err)
		}
	}
	return len(refused) > 0
}

// areWithinLimit reports whether NATS has not refused a subscription because there were too many. If it has, those that may
// be concerned queue for room. isProof says that a round trip has just proved all that were made.
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
			s.isProven, s.isRelieved = true, false
		}
		return true
	}
	isAnybody := !s.isProven && len(suspects) < len(s.flows)
	if isAnybody {
		suspects = slices.Collect(maps.Values(s.flows))
	}
	s.fresh = nil
	s.mu.Unlock()
	s.overLimit, s.isLimited, s.isProven = refused, true, true
	if s.takeBack(suspects) {
		s.signal(roomFreed)
	}
	if isAnybody && !s.isRelieved {
		// nats.go has made all subscriptions anew, in any order, among them those by which JetStream answers.
		s.isRelieved, s.isProven = true, false
		_ = s.conn.ForceReconnect() // a connection that is closed needs none
	}
	s.signal(flowRefused)
	return false
}

// takeBack makes flows queue for room, and reports whether there were any.
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

// admit subscribes to what waits for room, until there is none: to one flow, and to twice as many each time that succeeds.
// Where several find no room, they are tried one by one.
func (s *Source) admit() {
	s.admitting.Lock()
	defer s.admitting.Unlock()
	atOnce, growth := 1, 2
	for {
		batch := s.tryToAdmit(atOnce)
		if len(batch) == 0 {
			return
		}
		hasAnswer := s.roundTrip() && s.isToldAll() && s.conn.Link() == s.link
		refused := s.link.Limited()
		if hasAnswer && refused == s.overLimit {
			s.signal(streamsChanged)
			atOnce *= growth
			continue
		}
		if refused != s.overLimit {
			s.overLimit, s.isLimited = refused, true
		}
		s.takeBack(batch)
		if !hasAnswer || len(batch) == 1 {
			return
		}
		atOnce, growth = 1, 1
	}
}

// tryToAdmit subscribes to the first flows that wait for room, and takes them from the queue.
func (s *Source) tryToAdmit(n int) []*flow {
	s.placing.Lock()
	defer s.placing.Unlock()
	s.mu.Lock()
	batch := slices.Clone(s.starving[:min(n, len(s.starving))])
	s.starving = slices.Delete(s.starving, 0, len(batch))
	s.mu.Unlock()
	for _, f := range batch {
		if err := s.subscribe(f); err != nil {
			s.log.Error("cannot subscribe", "error", err)
		}
	}
	return batch
}

// isToldAll reports whether every refusal that the last round trip brought is noted. nats.go tells a second refusal for too
// many subscriptions by the same error as the first, so noted cannot tell them apart.
func (s *Source) isToldAll() bool {
	ctx, cancel := context.WithTimeout(s.alive, confirmTimeout)
	defer cancel()
	return s.conn.Marked(ctx)
}

// errNoRoom: NATS allows no more subscriptions.
var errNoRoom = errors.New("NATS allows no more subscriptions to this bridge")

// proveInbox returns an error if NATS has refused the subscription that a consumer delivers to. It is called when the
// server has answered a question that was sent behind the subscription. asked and overLimit are from before it.
func (s *Source) proveInbox(ctx context.Context, inbox string, asked js.Moment, overLimit uint64) error {
	if !s.conn.Noted(ctx) || overLimit > 0 && !s.conn.Marked(ctx) {
		return cmp.Or(context.Cause(ctx), nats.ErrDisconnected)
	}
	switch {
	case asked.SubscribeRefused(inbox):
		return fmt.Errorf("subscribe to the inbox of a consumer: %w", bridge.ErrRefused)
	case asked.Limited() != overLimit:
		return fmt.Errorf("subscribe to the inbox of a consumer: %w", errNoRoom)
	}
	return nil
}
