package bridgetest

import (
	"sync"

	"github.com/tailwater/tailwater/bridge"
)

// Source is a bridge.Source of messages that a test makes, and that no stream holds. Its feeds begin at once, unless it is away.
type Source struct {
	At bridge.Position // of the last message; a test may set it before there is a feed

	mu     sync.Mutex
	feeds  map[*bridge.Feed]bool
	isAway bool
}

// NewSource returns a source without messages.
func NewSource() *Source {
	return &Source{At: bridge.Position{Epoch: "test", Time: 1}, feeds: map[*bridge.Feed]bool{}}
}

// Attach implements bridge.Source.
func (s *Source) Attach(feed *bridge.Feed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.feeds[feed] = true
	if !s.isAway {
		s.begin(feed)
	}
}

func (s *Source) begin(feed *bridge.Feed) { feed.Begin([]bridge.Part{{At: s.At}}) }

// Detach implements bridge.Source.
func (s *Source) Detach(feed *bridge.Feed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.feeds, feed)
}

// Leave makes feeds that come from now on wait for Come, as when NATS is away.
func (s *Source) Leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.isAway = true
}

// Come begins the feeds that came after Leave.
func (s *Source) Come() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.isAway = false
	for feed := range s.feeds {
		s.begin(feed)
	}
}

// Publish hands a message to the feeds of its subject, and returns its position.
func (s *Source) Publish(subject bridge.Subject, data []byte) bridge.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.At.Seq++
	s.At.Time++
	m := &bridge.Message{Subject: string(subject), Position: s.At, Data: data}
	for feed := range s.feeds {
		if bridge.FirstMatch(feed.Subjects(), m.Subject) != "" {
			feed.Append(m)
		}
	}
	return s.At
}

// Last returns the position of the last message.
func (s *Source) Last() bridge.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.At
}

// Feeds returns how many feeds there are.
func (s *Source) Feeds() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.feeds)
}
