package source

import "github.com/tailwater/tailwater/bridge"

// Inject delivers a message to the feeds of this bridge that read its subject by a subscription, as if it had come from NATS. It is for
// what only this bridge knows.
func (s *Source) Inject(subject bridge.Subject, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	message := &bridge.Message{Subject: string(subject), Data: data, Position: s.advance()}
	for filter, flow := range s.flows {
		if !filter.Covers(subject) {
			continue
		}
		for _, p := range flow.takers {
			if p.proved != nil && p.takes(filter, message.Subject) {
				p.feed.Append(message)
			}
		}
	}
}
