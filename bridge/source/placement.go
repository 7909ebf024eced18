package source

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/tailwater/tailwater/bridge"
)

// attachment is a feed, where its messages come from, and where they are to come from.
type attachment struct {
	feed *bridge.Feed
	now  *placement // nil before the feed has begun
	next *placement // being prepared; may be now, to be proved on a new connection
}

// placement is where a feed's messages come from: a share of some taps, and subscriptions for what no stream holds.
type placement struct {
	feed     *bridge.Feed
	unstored []bridge.Subject
	crowded  bool     // streams hold some of these, beyond those that one feed reads from
	barred   bool     // streams hold some of these, and cannot be read
	stored   []*share // by the name of the stream

	// muted are flows that were not in force for a while, though the connection is the same: what they bring again is the
	// feed's only behind a gap. nil for none.
	muted map[*flow]bool

	// While sure is not the number of the present connection, messages of subscriptions may be missing, so none are
	// delivered: a gap is announced once they are in force again. 0 stands for a placement that is not yet in force.
	sure uint64
}

// takes reports whether a message that came in by a subscription is the feed's: by the first filter that brings it, and
// unless a tap brings it as well.
func (p *placement) takes(via bridge.Subject, subject string) bool {
	for _, share := range p.stored {
		if bridge.FirstMatch(share.filters, subject) != "" {
			return false
		}
	}
	return len(p.unstored) == 1 || bridge.FirstMatch(p.unstored, subject) == via
}

// like tells whether the other placement is the same in another object.
func (p *placement) like(other *placement) bool {
	return p != nil && p.crowded == other.crowded && p.barred == other.barred && slices.Equal(p.unstored, other.unstored) && slices.EqualFunc(p.stored, other.stored, func(x, y *share) bool {
		return x.tap == y.tap && slices.Equal(x.filters, y.filters)
	})
}

// ready tells whether the feed could begin, as far as taps go.
func (p *placement) ready() bool {
	return !slices.ContainsFunc(p.stored, func(share *share) bool {
		ready, rolled := share.tap.state()
		return !ready || rolled
	})
}

// prepare finds out where a feed's messages come from, and opens what is missing for it. It reports false where nothing
// is to be done, or not yet: then the attachment waits for what wakes confirm, the streams to be known or a tap to be ready.
func (s *Source) prepare(a *attachment, connection uint64) bool {
	s.placing.Lock()
	defer s.placing.Unlock()
	if !s.isAttached(a) {
		return false
	}
	wanted, known := s.classify(a.feed)
	if !known {
		s.await(a)
		return false
	}
	switch {
	case a.next.like(wanted):
		wanted = a.next
	case a.now.like(wanted):
		wanted = a.now
	}
	if a.next != wanted && a.now != wanted {
		s.open(wanted) // before the other is removed: what both need stays
	}
	if a.next != wanted && a.next != a.now {
		s.remove(a.next)
	}
	if wanted == a.now && s.isInForce(wanted, connection) {
		a.next = nil
		return false
	}
	a.next = wanted
	if !wanted.ready() {
		s.await(a)
		return false
	}
	return true
}

// isInForce reports whether all that a placement takes from subscriptions comes in on the connection.
func (s *Source) isInForce(p *placement, connection uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(p.unstored) == 0 || p.sure == connection && p.muted == nil
}

// deafOf returns those of a placement's flows that are not in force. The lock must be held.
func (s *Source) deafOf(p *placement) (deaf []*flow) {
	for _, filter := range p.unstored {
		if f := s.flows[filter]; f == nil || f.deaf {
			deaf = append(deaf, f)
		}
	}
	return deaf
}

// isMutedBy reports whether the placement is in force on the connection but for these flows.
func (p *placement) isMutedBy(flows []*flow, connection uint64) bool {
	return p.sure == connection && len(p.muted) == len(flows) &&
		!slices.ContainsFunc(flows, func(f *flow) bool { return !p.muted[f] })
}

// mute keeps what a flow brings from the feed until it begins again.
func (p *placement) mute(f *flow) {
	if p.muted == nil {
		p.muted = map[*flow]bool{}
	}
	p.muted[f] = true
}

// await puts attachments among those that wait.
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

// classify gives the placement that a feed should have, if the streams are known. placing must be held.
func (s *Source) classify(feed *bridge.Feed) (*placement, bool) {
	portions, known := s.table.classify(feed.Subjects())
	if !known {
		return nil, false
	}
	p := &placement{feed: feed}
	for _, portion := range portions {
		if portion.stream == nil {
			p.unstored, p.crowded, p.barred = portion.subjects, portion.crowded, portion.barred
		} else {
			p.stored = append(p.stored, &share{tap: s.tapOf(portion.stream), feed: feed, filters: portion.subjects})
		}
	}
	return p, true
}

// tapOf gives the tap of a stream, a new one if there is none or the one there is, is over. placing must be held.
func (s *Source) tapOf(of *stream) *tap {
	t := s.taps[of.name()]
	if t != nil {
		if _, rolled := t.state(); !rolled && t.log.epoch == of.epoch {
			t.update(of)
			return t
		}
	}
	t = s.newTap(of)
	s.taps[t.name] = t
	return t
}

// open lets what a placement needs come in. It is not yet delivered. placing must be held.
func (s *Source) open(p *placement) {
	for _, share := range p.stored {
		share.tap.users++
	}
	for _, filter := range p.unstored {
		if err := s.join(p, filter); err != nil {
			// Only a closed connection refuses; the bridge is stopping, and its browsers will come back to another.
			s.log.Error("cannot subscribe", "error", err)
		}
	}
}

// join adds a placement to the flow of a filter, which it subscribes to where this is the first.
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
	if mustWait := s.isLimited(); mustWait {
		s.setDeaf(opened, true)
		s.starving = append(s.starving, opened)
		s.mu.Unlock()
		return nil
	}
	s.fresh = append(s.fresh, opened)
	s.mu.Unlock()
	return s.subscribe(opened)
}

// subscribe lets a flow take messages in. placing must be held.
func (s *Source) subscribe(f *flow) error {
	sub, err := s.conn.ChanSubscribe(string(f.filter), s.incoming)
	if err != nil {
		return fmt.Errorf("subscribe to %s: %w", f.filter, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f.sub, f.lost = sub, 0
	s.setDeaf(f, false)
	s.bySub[sub] = f
	return nil
}

// unsubscribe ends that. placing must be held.
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
	if err := sub.Unsubscribe(); err != nil && !s.conn.IsClosed() {
		s.log.Error("cannot unsubscribe", "subject", f.filter, "error", err)
	}
}

// remove ends what comes in by a placement, if it is one. placing must be held.
func (s *Source) remove(p *placement) {
	if p == nil {
		return
	}
	for _, share := range p.stored {
		t := share.tap
		t.mu.Lock()
		t.remove(share)
		t.mu.Unlock()
		if t.users--; t.users == 0 {
			t.stop()
			if s.taps[t.name] == t {
				delete(s.taps, t.name)
			}
		}
	}
	for _, unused := range s.leave(p) {
		s.unsubscribe(unused)
	}
}

// drop takes a placement from those that take from the flow.
func (f *flow) drop(p *placement) {
	if i := slices.Index(f.takers, p); i >= 0 {
		end := len(f.takers) - 1
		f.takers[i], f.takers[end] = f.takers[end], nil
		f.takers = f.takers[:end]
	}
}

// leave takes a placement from its flows, and gives those that nobody else takes from.
func (s *Source) leave(p *placement) (unused []*flow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.sure = 0
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

// forget drops a flow that nobody takes from. The lock must be held.
func (s *Source) forget(f *flow) {
	delete(s.flows, f.filter)
	s.setDeaf(f, false)
	isThis := func(other *flow) bool { return other == f }
	s.starving = slices.DeleteFunc(s.starving, isThis)
	s.fresh = slices.DeleteFunc(s.fresh, isThis)
	if f.sub != nil && len(s.starving) > 0 {
		s.hasRoom = true
		s.becomeSure()
	}
}

// begin puts what was prepared in force, and lets the feed begin, or go on from there.
func (s *Source) begin(a *attachment, connection uint64) {
	s.placing.Lock()
	defer s.placing.Unlock()
	p, before := a.next, a.now
	if p == nil || !s.isAttached(a) {
		return
	}
	if !s.switchTo(a, p, connection) {
		s.await(a)
		return
	}
	if a.now == p && before != p {
		s.remove(before)
	}
}

// switchTo lets the feed take from one placement instead of another, at one moment for all of its parts. It reports false
// if a tap is over meanwhile.
func (s *Source) switchTo(a *attachment, p *placement, connection uint64) bool {
	taps := tapsOf(p, a.now)
	for _, t := range taps {
		t.mu.Lock()
		defer t.mu.Unlock()
	}
	for _, share := range p.stored {
		if !share.tap.ready || share.tap.rolled {
			return false
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	deaf := s.deafOf(p)
	if len(p.stored) == 0 && len(deaf) == len(p.unstored) {
		return true // nothing would come, so readers are not told that the feed is open; listen tries again
	}
	if a.now == p && p.isMutedBy(deaf, connection) {
		return true // nothing has changed: another gap would be none
	}
	var parts []bridge.Part
	reason := bridge.GapDisconnected
	for _, share := range p.stored {
		last := share.tap.log.Last()
		part := bridge.Part{Subjects: share.filters, At: last, Log: share.tap.log}
		switch had := a.now.tapped(share.tap.name); {
		case had == nil || had == share.tap:
		case had.rolled:
			reason = bridge.ResetRolled
		default:
			reason = bridge.ResetRecreated
			part.From = bridge.Position{Epoch: last.Epoch}
		}
		parts = append(parts, part)
	}
	if len(p.unstored) > 0 {
		parts = append(parts, bridge.Part{Subjects: p.unstored, At: s.advance(), Crowded: p.crowded, Barred: p.barred, Deaf: len(deaf) > 0})
	}
	if a.now != p {
		if a.now != nil {
			for _, share := range a.now.stored {
				share.tap.remove(share)
			}
			a.now.sure = 0
		}
		for _, share := range p.stored {
			share.tap.add(share)
		}
	}
	p.sure, p.muted = connection, nil
	for _, f := range deaf {
		p.mute(f)
	}
	a.now, a.next = p, nil
	a.feed.Begin(parts, reason)
	return true
}

// tapped gives the tap of a stream that the placement has a share of.
func (p *placement) tapped(stream string) *tap {
	if p == nil {
		return nil
	}
	for _, share := range p.stored {
		if share.tap.name == stream {
			return share.tap
		}
	}
	return nil
}

// tapsOf gives all taps of placements, in an order that is always the same, so that their locks can be taken together.
func tapsOf(placements ...*placement) []*tap {
	var taps []*tap
	for _, p := range placements {
		if p == nil {
			continue
		}
		for _, share := range p.stored {
			if !slices.Contains(taps, share.tap) {
				taps = append(taps, share.tap)
			}
		}
	}
	slices.SortFunc(taps, func(x, y *tap) int { return cmp.Compare(x.number, y.number) })
	return taps
}
