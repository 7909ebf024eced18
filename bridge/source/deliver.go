package source

import (
	"slices"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
)

// deliver hands messages to feeds, one at a time, in the order in which NATS sent them.
func (s *Source) deliver() {
	var batch []*nats.Msg
	for {
		select {
		case <-s.intake.ready:
		case <-s.alive.Done():
			return
		}
		batch = s.intake.all(batch)
		for i, msg := range batch {
			batch[i] = nil // its memory is free once it was delivered, also if nothing follows
			switch {
			case msg == nil:
				s.announceLost()
				continue
			case msg.Sub == nil:
				s.caughtUp <- struct{}{}
			default:
				s.deliverOne(msg)
			}
			s.intake.held.Add(-cost(msg)) // there is room for others
		}
	}
}

func (s *Source) deliverOne(msg *nats.Msg) {
	s.stats.messages.Add(1)
	s.stats.bytes.Add(uint64(len(msg.Data)))
	message := s.unstored.Receive(msg, bridge.Position{})
	link := s.conn.Link()
	s.mu.Lock()
	defer s.mu.Unlock()
	flow, found := s.bySub[msg.Sub]
	if !found {
		return
	}
	message.Position = s.advance()
	for _, p := range flow.takers {
		if p.proved == link && !slices.Contains(p.muted, flow) && p.takes(flow, msg.Subject) {
			p.feed.Append(message)
		}
	}
}

// announceLost leaves a gap in the feeds of every flow that has lost messages since the last call. The gap may come a few
// messages early, never late.
func (s *Source) announceLost() {
	overBudget := s.intake.lostSoFar()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, flow := range s.flows {
		if flow.sub == nil {
			continue
		}
		lost := overBudget[flow.sub]
		if dropped, err := flow.sub.Dropped(); err == nil {
			lost += dropped
		}
		if lost == flow.lost {
			continue
		}
		s.stats.dropped.Add(uint64(lost - flow.lost))
		flow.lost = lost
		at := s.advance()
		for _, p := range flow.takers {
			if p.proved != nil {
				p.feed.Lost(at, bridge.GapOverrun)
			}
		}
	}
}
