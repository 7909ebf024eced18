package js

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// TooSilent is how long JetStream may leave questions unanswered on a connection that is up, before another server is tried. It takes
// up to nine seconds to elect a leader.
const TooSilent = 10 * time.Second

// Silence is a stream that leaves questions unanswered.
type Silence struct {
	Stream string // "" for JetStream itself
	For    time.Duration
}

// String names what is silent.
func (s Silence) String() string {
	if s.Stream == "" {
		return "JetStream"
	}
	return "the stream " + s.Stream
}

// silences are since when questions on a link were not answered, by the stream that they were about.
type silences struct {
	silent sync.Mutex
	since  map[string]time.Time
}

// Ask notes a question about a stream, or with "" about all of them. The function that it returns takes the error of the answer.
func (s *silences) Ask(stream string) (answered func(error)) {
	asked := time.Now()
	return func(err error) {
		s.silent.Lock()
		defer s.silent.Unlock()
		if !isUnanswered(err) {
			if !errors.Is(err, context.Canceled) && !errors.Is(err, nats.ErrDisconnected) {
				delete(s.since, stream)
			}
			return
		}
		if _, known := s.since[stream]; known {
			return
		}
		s.since[stream] = asked
		if isNoQuorum(err) {
			s.since[stream] = asked.Add(-TooSilent)
		}
	}
}

// isUnanswered reports whether a question has reached nobody who knows the answer.
func isUnanswered(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) || isNoQuorum(err)
}

// isNoQuorum reports whether a server has found that it is cut off from the majority of its cluster. It takes ten seconds for that, so
// that is silence enough.
func isNoQuorum(err error) bool { return Code(err) == CodeNoLeader }

// Longest returns the longest silence; the zero value if there is none.
func (s *silences) Longest() Silence {
	s.silent.Lock()
	defer s.silent.Unlock()
	var found Silence
	for stream, since := range s.since {
		if d := time.Since(since); d > found.For {
			found = Silence{stream, d}
		}
	}
	return found
}
