package source

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
)

// deliver hands messages to feeds, one at a time, in the order in which NATS sent them.
func (s *Source) deliver() {
	behind := false // whether messages may have been dropped since the buffer was last empty
	for {
		select {
		case msg := <-s.incoming:
			s.deliverOne(msg)
			switch waiting := len(s.incoming); {
			case waiting >= cap(s.incoming)-1: // it was full before this message was taken
				behind = true
			case waiting == 0 && behind:
				behind = false
				s.announceAllDrops()
			}
		case <-s.alive.Done():
			return
		}
	}
}

// deliverOne looks at nothing in a message that could steer it: a publisher may set any header, `Status` too.
func (s *Source) deliverOne(msg *nats.Msg) {
	taken := s.stats.messages.Add(1)
	s.stats.bytes.Add(uint64(len(msg.Data)))
	message := &bridge.Message{
		Subject: msg.Subject,
		Event:   s.eventName(msg),
		Header:  msg.Header,
		Data:    msg.Data,
	}
	connection := s.dials.Load()
	s.mu.Lock()
	defer s.mu.Unlock()
	flow, found := s.bySub[msg.Sub]
	if !found {
		return
	}
	if taken > flow.announced {
		s.announceDrops(flow)
	}
	message.Position = s.advance()
	for a := range flow.feeds {
		if a.sure == connection && a.feed.Takes(flow.filter, msg.Subject) {
			a.feed.Append(message)
		}
	}
}

// eventName gives the publisher's name for the event, or none where it is one that no publisher may use.
func (s *Source) eventName(msg *nats.Msg) string {
	name := msg.Header.Get(bridge.HeaderEvent)
	if name == "" {
		return ""
	}
	if err := bridge.CheckEventName(name); err != nil {
		s.stats.refusedEvents.Add(1)
		return ""
	}
	return name
}

// announceDrops leaves a gap in the flow's feeds if nats.go had to drop messages of it. The gap may stand some messages
// before what is missing, but never after it: what is dropped from now on comes after all that is waiting, so one gap
// speaks for as many messages, or a flood would be followed by a gap for each. The lock must be held.
func (s *Source) announceDrops(f *flow) {
	waiting := uint64(len(s.incoming)) // before Dropped: a message that comes in between is not one of them
	dropped, err := f.sub.Dropped()
	if err != nil || dropped == f.dropped {
		return
	}
	s.stats.dropped.Add(uint64(dropped - f.dropped))
	f.dropped = dropped
	f.announced = s.stats.messages.Load() + waiting
	at := s.advance()
	for a := range f.feeds {
		a.feed.Lost(at, bridge.GapOverrun)
	}
}

// announceAllDrops is for the flows whose last messages were dropped: none may follow for a long time.
func (s *Source) announceAllDrops() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, flow := range s.flows {
		s.announceDrops(flow)
	}
}

// becomeSure wakes confirm.
func (s *Source) becomeSure() {
	select {
	case s.unsure <- struct{}{}:
	default: // it is awake already, and looks again
	}
}

// confirm lets feeds begin. NATS does not acknowledge subscriptions, but answers a ping after everything that was sent
// before it: one round trip proves all subscriptions made until then, and a thousand feeds opened at once wait for the
// same one. Behind a reconnect every feed has to be proved again.
func (s *Source) confirm() {
	for {
		select {
		case <-s.unsure:
		case <-s.alive.Done():
			return
		}
		connection := s.dials.Load()
		candidates := s.candidates(connection)
		if len(candidates) == 0 {
			continue
		}
		if !s.roundTrip() || s.dials.Load() != connection {
			s.postpone(candidates)
			continue
		}
		s.begin(candidates, connection)
	}
}

// roundTrip reports whether the server has answered. Without a connection it does not wait for one: nats.go would put the
// question off until there is, and Close would have to wait as well.
func (s *Source) roundTrip() bool {
	if !s.conn.IsConnected() {
		return false
	}
	ctx, cancel := context.WithTimeout(s.alive, confirmTimeout)
	defer cancel()
	return s.conn.FlushWithContext(ctx) == nil
}

const confirmTimeout = 5 * time.Second

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
	if s.conn.IsConnected() {
		s.becomeSure()
	}
}

func (s *Source) begin(candidates []*attachment, connection uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.advance()
	for _, a := range candidates {
		if s.attached[a.feed] == a && a.sure != connection {
			a.sure = connection
			a.feed.Begin(at, bridge.GapDisconnected)
		}
	}
}
