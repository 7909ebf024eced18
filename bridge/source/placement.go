package source

import (
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/catalog"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// attachment is a feed and the origin of its messages, which is determined once. If the origin would have to change, the feed
// ends.
type attachment struct {
	feed *bridge.Feed
	at   *placement // nil until known
}

// placement is the origin of a feed's messages: branches of some taps, and subscriptions for subjects without a stream.
type placement struct {
	// proved is the link on which the subscriptions were proved to be in force. If it is not the present link, messages may be
	// missing, so none are delivered until the subscriptions are proved again, and a gap is announced. nil if the placement is
	// not in force yet.
	proved *js.Link

	// muted are flows that were out of force for a while on this link. Their messages are withheld from the feed until it begins
	// again, with a gap. nil for none.
	muted map[*flow]bool

	feed       *bridge.Feed
	stored     []*branch // in the order of the streams' names
	unstored   []bridge.Subject
	unreadable bool // streams hold some of unstored, and cannot be read
}

// takes reports whether a message from a subscription is for the feed: if the filter is the first that matches it, and no tap
// delivers it as well.
func (p *placement) takes(via bridge.Subject, subject string) bool {
	for _, branch := range p.stored {
		if bridge.FirstMatch(branch.filters, subject) != "" {
			return false
		}
	}
	return len(p.unstored) == 1 || bridge.FirstMatch(p.unstored, subject) == via
}

// isReady reports whether every tap of the placement is ready.
func (p *placement) isReady() bool {
	return !slices.ContainsFunc(p.stored, func(branch *branch) bool {
		ready, rolled := branch.tap.state()
		return !ready || rolled
	})
}

// prepare determines the origin of a feed's messages, and opens missing taps and subscriptions. If a feed would have to be placed
// differently, it ends. prepare returns false if the feed cannot begin now. If its table or a tap is not ready, the attachment
// waits until the control loop is woken; otherwise nothing is left to do.
func (s *Source) prepare(a *attachment, link *js.Link) bool {
	s.placing.Lock()
	defer s.placing.Unlock()
	if !s.isAttached(a) {
		return false
	}
	portions, known := s.table.Classify(a.feed.Subjects())
	if !known {
		s.await(a)
		return false
	}
	switch {
	case a.at == nil:
		a.at = s.openPlacement(a.feed, portions)
	case !s.fits(a.at, portions):
		a.feed.End()
		return false
	case s.isInForce(a.at, link):
		return false
	}
	if !a.at.isReady() {
		s.await(a)
		return false
	}
	return true
}

// isInForce reports whether all subscriptions of a placement are in force on the link, and its feed has begun.
func (s *Source) isInForce(p *placement, link *js.Link) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return p.proved == link && p.muted == nil || p.proved != nil && len(p.unstored) == 0
}

// fits reports whether a placement still has the right origin. placing must be held.
func (s *Source) fits(p *placement, portions []catalog.Portion) bool {
	none := catalog.Portion{}
	if last := len(portions) - 1; portions[last].Stream == nil {
		none, portions = portions[last], portions[:last]
	}
	return slices.Equal(p.unstored, none.Subjects) && p.unreadable == none.Unreadable && slices.EqualFunc(p.stored, portions, func(x *branch, y catalog.Portion) bool {
		return x.tap == s.tapOf(y.Stream) && slices.Equal(x.filters, y.Subjects)
	})
}

// deafOf returns the placement's flows that are not in force. The lock must be held.
func (s *Source) deafOf(p *placement) (deaf []*flow) {
	for _, filter := range p.unstored {
		if f := s.flows[filter]; f == nil || f.deaf {
			deaf = append(deaf, f)
		}
	}
	return deaf
}

// isMutedBy reports whether exactly these flows of the placement are out of force on the link.
func (p *placement) isMutedBy(flows []*flow, link *js.Link) bool {
	return p.proved == link && len(p.muted) == len(flows) &&
		!slices.ContainsFunc(flows, func(f *flow) bool { return !p.muted[f] })
}

// mute withholds a flow's messages from the feed until it begins again.
func (p *placement) mute(f *flow) {
	if p.muted == nil {
		p.muted = map[*flow]bool{}
	}
	p.muted[f] = true
}

// await adds attachments to those that wait.
func (s *Source) await(attachments ...*attachment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = append(s.waiting, attachments...)
}

func (s *Source) isAttached(a *attachment) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.attached[a.feed] == a
}

// openPlacement opens the taps and subscriptions of a feed. Their messages are not delivered yet. placing must be held.
func (s *Source) openPlacement(feed *bridge.Feed, portions []catalog.Portion) *placement {
	p := &placement{feed: feed}
	for _, portion := range portions {
		if portion.Stream == nil {
			p.unstored, p.unreadable = portion.Subjects, portion.Unreadable
			continue
		}
		t := s.tapOf(portion.Stream)
		if t == nil {
			t = s.newTap(portion.Stream)
			s.taps[t.name] = t
		}
		t.users++
		p.stored = append(p.stored, t.branch(feed, portion.Subjects))
	}
	for _, filter := range p.unstored {
		if err := s.join(p, filter); err != nil {
			// Only a closed connection returns an error: the bridge is stopping, or subscribeAll follows on another connection.
			s.log.Error("cannot subscribe", "error", err)
		}
	}
	return p
}

// tapOf returns the tap of a stream; nil if there is none, or it is over. placing must be held.
func (s *Source) tapOf(of *catalog.Stream) *tap {
	t := s.taps[of.Name()]
	if t == nil || t.stream.Last().Epoch != of.Epoch {
		return nil
	}
	if _, rolled := t.state(); rolled {
		return nil
	}
	t.update(of)
	return t
}

// join adds a placement to the flow of a filter. The first one subscribes.
func (s *Source) join(p *placement, filter bridge.Subject) error {
	s.mu.Lock()
	known, found := s.flows[filter]
	if found {
		known.takers = append(known.takers, p)
	}
	s.mu.Unlock()
	if found {
		return nil
	}
	opened := &flow{filter: filter, takers: []*placement{p}}
	s.mu.Lock()
	s.flows[filter] = opened
	if s.isLimited && s.link == s.conn.Link() {
		s.setDeaf(opened, true)
		s.starving = append(s.starving, opened)
		s.mu.Unlock()
		return nil
	}
	s.fresh = append(s.fresh, opened)
	s.mu.Unlock()
	return s.subscribe(opened)
}

// subscribe makes the subscription of a flow. placing must be held.
func (s *Source) subscribe(f *flow) error {
	s.mu.Lock()
	s.setDeaf(f, false) // first: the refusal may arrive before the call returns
	s.mu.Unlock()
	sub, err := s.conn.ChanSubscribe(string(f.filter), s.incoming)
	if err != nil {
		return fmt.Errorf("subscribe to %s: %w", f.filter, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f.sub, f.lost = sub, 0
	s.bySub[sub] = f
	return nil
}

// subscribeAll makes the subscriptions of all flows on a connection that replaces another.
func (s *Source) subscribeAll() error {
	s.placing.Lock()
	defer s.placing.Unlock()
	s.mu.Lock()
	var all []*flow
	for _, f := range s.flows {
		if !slices.Contains(s.starving, f) {
			all = append(all, f)
		}
	}
	s.mu.Unlock()
	for _, f := range all {
		s.unsubscribe(f)
		if err := s.subscribe(f); err != nil {
			return err
		}
	}
	return nil
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

// remove detaches a placement from its taps and flows. placing must be held.
func (s *Source) remove(p *placement) {
	for _, branch := range p.stored {
		t := branch.tap
		t.remove(branch)
		if t.users--; t.users > 0 {
			continue
		}
		if s.taps[t.name] != t {
			t.stop()
		}
		s.signal(tapUnused)
	}
	for _, unused := range s.leave(p) {
		s.unsubscribe(unused)
	}
}

// stopUnused stops the taps that no feed uses. It is called after all waiting feeds were placed, because the readers of an ended
// feed may be about to read the same stream again.
func (s *Source) stopUnused() {
	s.placing.Lock()
	defer s.placing.Unlock()
	for name, t := range s.taps {
		if t.users == 0 {
			t.stop()
			delete(s.taps, name)
		}
	}
}

// drop removes a placement from the flow's takers.
func (f *flow) drop(p *placement) {
	if i := slices.Index(f.takers, p); i >= 0 {
		end := len(f.takers) - 1
		f.takers[i], f.takers[end] = f.takers[end], nil
		f.takers = f.takers[:end]
	}
}

// leave removes a placement from its flows, and returns the flows without other takers.
func (s *Source) leave(p *placement) (unused []*flow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.proved = nil
	for _, filter := range p.unstored {
		flow, found := s.flows[filter]
		if !found {
			continue
		}
		flow.drop(p)
		if len(flow.takers) == 0 {
			s.forget(flow)
			unused = append(unused, flow)
		}
	}
	return unused
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

// begin puts a prepared placement in force, and starts its feed, or continues it.
func (s *Source) begin(a *attachment, link *js.Link) {
	s.placing.Lock()
	defer s.placing.Unlock()
	switch {
	case !s.isAttached(a):
	case a.at.isReady():
		s.enforce(a.at, link)
	default:
		s.await(a)
	}
}

// enforce starts the delivery of a placement to its feed. Messages from taps are appended already, and count once the feed has
// begun.
func (s *Source) enforce(p *placement, link *js.Link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	deaf := s.deafOf(p)
	if len(p.stored) == 0 && len(deaf) == len(p.unstored) {
		// Nothing would arrive, so readers are not told that the feed is open; listen tries again. Who waits for room is not refused: there
		// may be some at any moment.
		if !slices.ContainsFunc(deaf, func(f *flow) bool { return f == nil || f.sub == nil }) && link.IsUp() { // see forgetRefusals
			p.feed.Refuse(true)
		}
		return
	}
	if p.isMutedBy(deaf, link) {
		return // nothing has changed; no further gap is needed
	}
	var parts []bridge.Part
	for _, branch := range p.stored {
		parts = append(parts, bridge.Part{Subjects: branch.filters, At: branch.tap.stream.Last(), Log: branch.tap.stream})
	}
	if len(p.unstored) > 0 {
		parts = append(parts, bridge.Part{Subjects: p.unstored, At: s.advance(), Unreadable: p.unreadable, Deaf: len(deaf) > 0})
	}
	p.proved, p.muted = link, nil
	for _, f := range deaf {
		p.mute(f)
	}
	p.feed.Begin(parts)
}
