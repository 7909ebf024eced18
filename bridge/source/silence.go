package source

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// tooSilent is how long JetStream may leave questions unanswered on a connection that is up, before another server is
	// tried. It takes up to nine seconds to elect a leader.
	tooSilent = 10 * time.Second
	// firstMove is how long a move has to help before the next; it doubles, up to lastMove: a stream that has lost its
	// servers answers nowhere, and each move is a gap to those who read what is not stored.
	firstMove = 10 * time.Second
	lastMove  = time.Hour
	// calm is how long nothing may be silent before silence is new.
	calm = time.Minute
	// awayInterval is how often the log says that NATS is away, or silent.
	awayInterval = 45 * time.Second
	watchTick    = time.Second
	// probeInterval is how often JetStream is asked for a sign of life while streams are read.
	probeInterval = 5 * time.Second
	probeSubject  = "tailwater.probe" // it need not exist
)

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

// silence knows since when questions were not answered, by the stream they were about.
type silence struct {
	mu    sync.Mutex
	since map[string]time.Time
}

func newSilence() *silence { return &silence{since: map[string]time.Time{}} }

// ask notes a question about a stream, or with "" about all of them. The function that it returns takes the error of the
// answer.
func (s *silence) ask(stream string) (answered func(error)) {
	asked := time.Now()
	return func(err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
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
			s.since[stream] = asked.Add(-tooSilent)
		}
	}
}

// isUnanswered reports whether a question has reached nobody who knows the answer.
func isUnanswered(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) || isNoQuorum(err)
}

// noQuorum is the code of the error that a server answers while it is cut off from the majority of its cluster.
const noQuorum = 10008

// isNoQuorum reports whether a server has found that it is cut off. It takes ten seconds for that, so that is silence enough.
func isNoQuorum(err error) bool {
	var refusal *jetstream.APIError
	return errors.As(err, &refusal) && refusal.ErrorCode == noQuorum
}

// forget is for a new connection.
func (s *silence) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.since)
}

// longest returns the longest silence there is; the zero value where there is none.
func (s *silence) longest() Silence {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found Silence
	for stream, since := range s.since {
		if d := time.Since(since); d > found.For {
			found = Silence{stream, d}
		}
	}
	return found
}

// watch leaves a server that does not answer although the connection to it is up, and tells while NATS is away.
func (s *Source) watch() {
	tick := time.NewTicker(watchTick)
	defer tick.Stop()
	away := time.NewTicker(awayInterval)
	defer away.Stop()
	var m moves
	for {
		select {
		case <-away.C:
			s.sayAway(s.alive)
		case <-tick.C:
			silent := s.silence.longest()
			if silent.For >= tooSilent && s.up.Load() && m.isDue() && s.canGain() {
				m.made()
				s.move(silent)
			}
		case <-s.alive.Done():
			return
		}
	}
}

// probe asks JetStream for a sign of life. Consumers give none: the heartbeats of one whose server is cut off from its cluster
// go on.
func (s *Source) probe() {
	tick := time.NewTicker(probeInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if s.up.Load() && s.stats.taps.Load() > 0 {
				_, _ = s.table.list(s.alive, probeSubject) // who asks notes the error
			}
		case <-s.alive.Done():
			return
		}
	}
}

// moves is when the next move may be.
type moves struct {
	last time.Time
	wait time.Duration
}

func (m *moves) isDue() bool { return time.Since(m.last) >= m.wait }

func (m *moves) made() {
	if time.Since(m.last) > m.wait+calm {
		m.wait = 0
	}
	m.last, m.wait = time.Now(), min(max(2*m.wait, firstMove), lastMove)
}

// canGain reports whether another connection may be better: there are other servers, or this one does not answer at all.
func (s *Source) canGain() bool {
	if len(s.conn.Servers()) > 1 {
		return true
	}
	ctx, cancel := context.WithTimeout(s.alive, 2*time.Second)
	defer cancel()
	return s.conn.FlushWithContext(ctx) != nil
}

// move connects to the next server.
func (s *Source) move(silent Silence) {
	s.log.Warn("NATS is connected, but "+silent.String()+" does not answer; another connection is tried",
		"silent for", silent.For.Round(time.Second).String(), "server", s.conn.ConnectedAddr())
	// Errors mean that the source is closed.
	_ = s.conn.ForceReconnect()
	_ = s.reads.ForceReconnect()
}
