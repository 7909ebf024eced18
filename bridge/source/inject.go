package source

import "github.com/tailwater/tailwater/bridge"

// Inject delivers a message to the feeds of this bridge that subscribe to its subject, as if NATS had sent it. It is for
// information that only this bridge has.
func (s *Source) Inject(subject bridge.Subject, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	message := &bridge.Message{Subject: string(subject), Data: data, Position: s.advance()}
	for filter, flow := range s.flows {
		if !filter.Covers(subject) {
			continue
		}
		for _, p := range flow.takers {
			if p.proved != nil && p.takes(flow, message.Subject) {
				p.feed.Append(message)
			}
		}
	}
}
