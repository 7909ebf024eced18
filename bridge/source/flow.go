package source

import (
	"errors"
	"slices"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
)

// flow is one subscription, and the placements that share it. It is deaf while NATS does not deliver it, because of a refusal or a limit:
// placements cannot begin on it, and those that had begun mute it (placement.muted).
type flow struct {
	filter bridge.Subject
	sub    *nats.Subscription // nil if there was no room for it
	deaf   bool
	lost   int // how many lost messages were announced
	takers []*placement
}

// join adds a placement to the flow of a filter. The first one subscribes. placing must be held.
func (s *Source) join(p *placement, filter bridge.Subject) {
	s.mu.Lock()
	f, isOpen := s.flows[filter]
	if !isOpen {
		f = &flow{filter: filter}
		s.flows[filter] = f
	}
	f.takers = append(f.takers, p)
	p.flows = append(p.flows, f)
	hasRoom := s.overLimit == 0 || s.link != s.conn.Link()
	switch {
	case isOpen:
	case hasRoom:
		s.fresh = append(s.fresh, f)
	default:
		s.setDeaf(f, true)
		s.starving = append(s.starving, f)
	}
	s.mu.Unlock()
	if !isOpen && hasRoom {
		s.subscribe(f)
	}
}

// subscribe makes the subscription of a flow. placing must be held.
func (s *Source) subscribe(f *flow) {
	s.mu.Lock()
	s.setDeaf(f, false) // first: the refusal may arrive before the call returns
	s.mu.Unlock()
	sub, err := s.conn.NATS().ChanSubscribe(string(f.filter), s.incoming)
	if err != nil {
		if !errors.Is(err, nats.ErrConnectionClosed) { // then the bridge is stopping, or subscribeAll follows on another connection
			s.log.Error("cannot subscribe", "subject", f.filter, "error", err)
		}
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f.sub, f.lost = sub, 0
	s.bySub[sub] = f
}

// subscribeAgain makes other subscriptions for flows. placing must be held.
func (s *Source) subscribeAgain(flows []*flow) {
	for _, f := range flows {
		s.unsubscribe(f)
		s.subscribe(f)
	}
}

// subscribeAll makes the subscriptions of all flows on a connection that replaces another.
func (s *Source) subscribeAll() error {
	s.placing.Lock()
	defer s.placing.Unlock()
	s.subscribeAgain(s.flowsThat(func(f *flow) bool { return !slices.Contains(s.starving, f) }))
	return nil
}

// flowsThat returns the flows that a test accepts. It holds the lock during the test.
func (s *Source) flowsThat(accept func(*flow) bool) (found []*flow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.flows {
		if accept(f) {
			found = append(found, f)
		}
	}
	return found
}

// unsubscribe ends the subscription of a flow. placing must be held.
func (s *Source) unsubscribe(f *flow) {
	s.mu.Lock()
	sub := f.sub
	if f.sub = nil; sub != nil {
		delete(s.bySub, sub)
		s.intake.forget(sub)
	}
	s.mu.Unlock()
	if sub == nil {
		return
	}
	if err := sub.Unsubscribe(); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
		s.log.Error("cannot unsubscribe", "subject", f.filter, "error", err)
	}
}

// leave removes a placement from its flows, and ends those without other takers. placing must be held.
func (s *Source) leave(p *placement) {
	s.mu.Lock()
	p.proved = nil
	var unused []*flow
	for _, f := range p.flows {
		f.takers = slices.DeleteFunc(f.takers, func(other *placement) bool { return other == p })
		if len(f.takers) == 0 {
			s.forget(f)
			unused = append(unused, f)
		}
	}
	s.mu.Unlock()
	for _, f := range unused {
		s.unsubscribe(f)
	}
}

// forget removes a flow without takers. The lock must be held.
func (s *Source) forget(f *flow) {
	delete(s.flows, f.filter)
	s.setDeaf(f, false)
	isThis := func(other *flow) bool { return other == f }
	s.starving = slices.DeleteFunc(s.starving, isThis)
	s.fresh = slices.DeleteFunc(s.fresh, isThis)
	if f.sub != nil && len(s.starving) > 0 {
		s.signal(limitRelieved)
	}
}

// setDeaf records whether a flow is out of force. The lock must be held.
func (s *Source) setDeaf(f *flow, deaf bool) {
	switch {
	case deaf && !f.deaf:
		s.deaf++
	case !deaf && f.deaf:
		s.deaf--
	}
	f.deaf = deaf
}
