package embed

import (
	"errors"
	"time"
)

const (
	// firstPause is how long a store must have been broken before the server is started anew. It doubles with each attempt.
	firstPause = 2 * time.Second
	// mostAttempts is how often the server is started anew in a row.
	mostAttempts = 4
	// calm is how long a store must be well for an attempt to have helped.
	calm = 5 * time.Minute
)

// attempts is how often a server was started anew in a row.
type attempts struct {
	made int
	last time.Time // or when the store was found broken
}

// isDue reports whether another may be made.
func (a *attempts) isDue(now time.Time) bool {
	if a.last.IsZero() {
		a.last = now
	}
	return now.Sub(a.last) >= firstPause<<a.made
}

// areSpent reports whether another would help no more than those before.
func (a *attempts) areSpent() bool { return a.made == mostAttempts }

func (a *attempts) note(now time.Time) { a.made, a.last = a.made+1, now }

// rest is for a store that is well.
func (a *attempts) rest(now time.Time) {
	if now.Sub(a.last) >= calm {
		*a = attempts{}
	}
}

// errNotRunning is what connections meet meanwhile.
var errNotRunning = errors.New("the embedded NATS server is being started anew")

// startAnew puts another server in the place of the one that runs, with the same files, listeners and sign-in. It logs what came of it.
// Connections of this process come back to it by themselves; they find it only when it is known to have all streams.
func (s *Server) startAnew(why string) {
	s.changing.Lock()
	defer s.changing.Unlock()
	began := time.Now()
	s.log.Warn("starting the embedded NATS server anew; browsers are held", "reason", why)
	if old := s.running.Load(); old != nil {
		s.note(old)
		s.reason.Store(&why)
		s.running.Store(nil)
		shutDown(old.Server)
	}
	running, err := startWhole(s.options.Clone(), s.log)
	if err != nil {
		s.log.Error("the embedded NATS server could not be started anew; it is tried again", "error", err)
		reason := err.Error()
		s.reason.Store(&reason)
		return
	}
	s.takeStock(running, s.ledger, nil)
	s.running.Store(running)
	s.restarts.Add(1)
	s.log.Info("the embedded NATS server was started anew", "took", time.Since(began).Round(time.Millisecond))
}
