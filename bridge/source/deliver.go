package source

import (
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
)

// deliver hands messages to feeds, one at a time, in the order in which NATS sent them.
func (s *Source) deliver() {
	for {
		select {
		case msg := <-s.incoming:
			s.deliverOne(msg)
		case <-s.stop:
			return
		}
	}
}

// deliverOne looks at nothing in a message that could steer it: a publisher may set any header, `Status` too.
func (s *Source) deliverOne(msg *nats.Msg) {
	s.stats.messages.Add(1)
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
	s.announceDrops(flow)
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

// announceDrops leaves a gap in the flow's feeds if nats.go had to drop messages of it. The count is of drops as they
// happen, so a gap may stand some messages before what is missing, but never after it. The lock must be held.
func (s *Source) announceDrops(f *flow) {
	dropped, err := f.sub.Dropped()
	if err != nil || dropped == f.dropped {
		return
	}
	s.stats.dropped.Add(uint64(dropped - f.dropped))
	f.dropped = dropped
	at := s.advance()
	for a := range f.feeds {
		a.feed.Lost(at, bridge.GapOverrun)
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
		case <-s.stop:
			return
		}
		connection := s.dials.Load()
		candidates := s.candidates(connection)
		if len(candidates) == 0 {
			continue
		}
		if err := s.conn.FlushTimeout(confirmTimeout); err != nil || s.dials.Load() != connection {
			s.postpone(candidates)
			continue
		}
		s.begin(candidates, connection)
	}
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
