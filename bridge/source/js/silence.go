package js

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// TooSilent is how long JetStream may leave requests unanswered on a connection that is up, before another server is tried. The
// election of a leader takes up to nine seconds.
const TooSilent = 10 * time.Second

// Silence is a stream that leaves questions unanswered.
type Silence struct {
	Stream string // "" for JetStream itself
	For    time.Duration
}

// String returns the name of what is silent.
func (s Silence) String() string {
	if s.Stream == "" {
		return "JetStream"
	}
	return "the stream " + s.Stream
}

// silences records since when requests on a link have had no answer, by stream.
type silences struct {
	silent sync.Mutex
	since  map[string]time.Time
}

// Ask records a request about a stream; "" stands for all streams. The returned function must be called with the error of the
// answer.
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

// isUnanswered reports whether no server that knows the answer has received the request.
func isUnanswered(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, ErrSilent) || isNoQuorum(err)
}

// isNoQuorum reports whether a server has found itself cut off from the majority of its cluster. It notices that after ten
// seconds, so this counts as a silence of TooSilent.
func isNoQuorum(err error) bool { return Code(err) == CodeNoLeader }

// Longest returns the longest present silence; the zero value if there is none.
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

// standstill is how long a connection may take to bring anything, after it was asked.
const standstill = 2 * time.Second

// Answers waits for the answer to a ping, which comes after all that the server has sent before it. If it takes longer than standstill, caughtUp
// is false, and isAlive tells whether other things have arrived meanwhile: on a slow link, the answer comes behind them.
func (c *Conn) Answers(ctx context.Context) (caughtUp, isAlive bool) {
	before := c.arrived.Load()
	ctx, cancel := context.WithTimeout(ctx, standstill)
	defer cancel()
	if c.NATS().FlushWithContext(ctx) == nil {
		return true, true
	}
	return false, c.arrived.Load() != before
}

// mayCome reports whether what is awaited may still come, although it is late: it was sent before the answer to a ping, and hasCome by then, or
// stands behind other things on a slow link.
func (c *Conn) mayCome(ctx context.Context, hasCome func() bool) bool {
	caughtUp, isAlive := c.Answers(ctx)
	return isAlive && (!caughtUp || hasCome())
}
