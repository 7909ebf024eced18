package source

import (
	"maps"
	"slices"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/catalog"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// placement is a feed and the origin of its messages: branches of some taps, and flows for subjects without a stream. The origin is determined
// once. If it would have to change, the feed ends.
type placement struct {
	feed *bridge.Feed

	stored     []*branch // in the order of the streams' names; like unstored it belongs to the control loop, and none in both is an unknown origin
	unstored   []bridge.Subject
	flows      []*flow // of unstored
	unreadable bool    // streams hold some of unstored, and cannot be read

	// proved is the link on which the flows were proved to be in force. If it is not the present link, messages may be missing, so none are
	// delivered until the flows are proved again, and a gap is announced. nil if the placement is not in force yet. It is guarded by Source.mu,
	// like muted.
	proved *js.Link

	// muted are flows that were out of force for a while on this link. Their messages are withheld from the feed until it begins again, with a
	// gap.
	muted []*flow
}

// takes reports whether a message from a flow is for the feed now: if the flow's filter is the first that matches it, and no tap delivers it as
// well.
func (p *placement) takes(via *flow, subject string) bool {
	for _, branch := range p.stored {
		if bridge.FirstMatch(branch.filters, subject) != "" {
			return false
		}
	}
	return len(p.unstored) == 1 || bridge.FirstMatch(p.unstored, subject) == via.filter
}

// isReady reports whether every tap of the placement is ready.
func (p *placement) isReady() bool {
	return !slices.ContainsFunc(p.stored, func(branch *branch) bool {
		ready, rolled := branch.tap.state()
		return !ready || rolled
	})
}

// prepare determines the origin of a feed's messages, and opens missing taps and flows. If a feed would have to be placed differently, it ends.
// prepare returns false if the feed cannot begin now. If its table or a tap is not ready, the placement waits until the control loop is woken;
// otherwise nothing is left to do.
func (s *Source) prepare(p *placement, link *js.Link) bool {
	s.placing.Lock()
	defer s.placing.Unlock()
	if !s.isAttached(p) {
		return false
	}
	origins, known := s.table.Classify(p.feed.Subjects())
	if !known {
		s.await(p)
		return false
	}
	for _, portion := range origins.Stored {
		if t := s.tapOf(portion.Stream); t != nil {
			t.Update(&portion.Stream.Info.Config) // the present one
		}
	}
	switch {
	case len(p.stored)+len(p.unstored) == 0:
		s.place(p, origins)
	case !s.fits(p, origins):
		p.feed.End()
		return false
	case s.isInForce(p, link):
		return false
	}
	if !p.isReady() {
		s.await(p)
		return false
	}
	return true
}

// isInForce reports whether all flows of a placement are in force on the link, and its feed has begun.
func (s *Source) isInForce(p *placement, link *js.Link) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return p.proved == link && len(p.muted) == 0 || p.proved != nil && len(p.unstored) == 0
}

// fits reports whether a placement still has the right origin.
func (s *Source) fits(p *placement, o catalog.Origins) bool {
	return slices.Equal(p.unstored, o.Unstored) && p.unreadable == o.Unreadable && slices.EqualFunc(p.stored, o.Stored, func(x *branch, y catalog.Portion) bool {
		return x.tap == s.tapOf(y.Stream) && slices.Equal(x.filters, y.Subjects)
	})
}

// await adds placements to those that wait.
func (s *Source) await(placements ...*placement) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = append(s.waiting, placements...)
}

// candidates returns, and removes, the placements that wait; or returns all.
func (s *Source) candidates(all bool) []*placement {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.waiting
	s.waiting = nil
	if all {
		taken = slices.Collect(maps.Values(s.attached))
	}
	return taken
}

func (s *Source) isAttached(p *placement) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.attached[p.feed] == p
}

// place opens the taps and flows of a placement. Their messages are not delivered yet. placing must be held.
func (s *Source) place(p *placement, o catalog.Origins) {
	p.unstored, p.unreadable = o.Unstored, o.Unreadable
	for _, portion := range o.Stored {
		t := s.tapOf(portion.Stream)
		if t == nil {
			t = s.newTap(portion.Stream)
		}
		p.stored = append(p.stored, t.branch(p.feed, portion.Subjects))
	}
	for _, filter := range p.unstored {
		s.join(p, filter)
	}
}

// remove detaches a placement from its taps and flows. placing must be held.
func (s *Source) remove(p *placement) {
	for _, branch := range p.stored {
		if branch.remove() {
			s.signal(roundDue)
		}
	}
	s.leave(p)
}

// begin puts a prepared placement in force, and starts its feed, or continues it. Messages from taps are appended already, and count once the
// feed has begun.
func (s *Source) begin(p *placement, link *js.Link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.attached[p.feed] != p {
		return
	}
	deaf := slices.DeleteFunc(slices.Clone(p.flows), func(f *flow) bool { return !f.deaf })
	if len(p.stored) == 0 && len(deaf) == len(p.flows) {
		// Nothing would arrive, so readers are not told that the feed is open; listen tries again. Who waits for room is not refused: there
		// may be some at any moment.
		if !slices.ContainsFunc(deaf, func(f *flow) bool { return f.sub == nil }) && link.IsUp() { // see forgetRefusals
			p.feed.Refuse(true)
		}
		return
	}
	if p.proved == link && sameFlows(p.muted, deaf) {
		return // nothing has changed; no further gap is needed
	}
	var parts []bridge.Part
	for _, branch := range p.stored {
		parts = append(parts, bridge.Part{Subjects: branch.filters, At: branch.tap.Last(), Log: branch.tap})
	}
	if len(p.unstored) > 0 {
		parts = append(parts, bridge.Part{Subjects: p.unstored, At: s.advance(), Unreadable: p.unreadable, Deaf: len(deaf) > 0})
	}
	p.proved, p.muted = link, deaf
	p.feed.Begin(parts)
}

// sameFlows reports whether two lists have the same flows, in any order.
func sameFlows(x, y []*flow) bool {
	return len(x) == len(y) && !slices.ContainsFunc(x, func(f *flow) bool { return !slices.Contains(y, f) })
}
