package embed

import (
	"errors"
	"time"
)

const (
	// firstPause is how long a store must have been broken before the server is restarted. It doubles with each attempt.
	firstPause = 2 * time.Second
	// mostAttempts is how many restarts in a row are tried.
	mostAttempts = 4
	// mostForgiven is how many restarts a row has at most after a cause from outside.
	mostForgiven = 2
	// calm is how long a store must be healthy before the row of restarts ends.
	calm = 5 * time.Minute
)

// attempts counts the restarts of a server in a row.
type attempts struct {
	made int
	last time.Time // the last restart, or when the store was found broken
}

// step is what to do about a broken store.
type step uint8

const (
	wait step = iota
	restart
	giveUp
)

// next returns the next step against a broken store, and counts it. A cause from outside of the server ends the row of restarts, which may
// have helped; but pauses stay long.
func (a *attempts) next(now time.Time, cause error) step {
	if a.last.IsZero() {
		a.last = now
	}
	switch {
	case cause != nil:
		a.made = min(a.made, mostForgiven)
		return wait
	case a.made == mostAttempts:
		return giveUp
	case now.Sub(a.last) < firstPause<<a.made:
		return wait
	}
	a.made++
	return restart
}

// rest ends the row of restarts when the store has been healthy for long enough.
func (a *attempts) rest(now time.Time) {
	if now.Sub(a.last) >= calm {
		*a = attempts{}
	}
}

// errNotRunning is what connections get during a restart.
var errNotRunning = errors.New("the embedded NATS server is being restarted")

// startAnew replaces the running server by a new one with the same files, listeners and sign-in, and logs the outcome.
// Connections of this process reconnect by themselves, when the new server is known to have all streams.
func (s *Server) startAnew(why string) {
	s.changing.Lock()
	defer s.changing.Unlock()
	began := time.Now()
	s.log.Warn("restarting the embedded NATS server; browsers stay connected", "reason", why)
	if old := s.running.Load(); old != nil {
		s.note(old)
		s.reason.Store(&why)
		s.running.Store(nil)
		shutDown(old.Server)
	}
	running, err := startWhole(s.options.Clone(), s.log) // a server changes its options
	if err != nil {
		s.log.Error("the embedded NATS server could not be restarted; trying again", "error", err)
		reason := err.Error()
		s.reason.Store(&reason)
		return
	}
	s.takeStock(running, *s.inventory.Load(), nil)
	s.running.Store(running)
	s.restarts.Add(1)
	s.log.Info("the embedded NATS server was restarted", "took", time.Since(began).Round(time.Millisecond))
}
