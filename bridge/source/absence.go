package source

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// awayInterval is how often the log says that NATS is unreachable, or refuses the second connection.
const awayInterval = time.Minute

// absence logs how long NATS has been unreachable, and why. Its times are monotonic: a clock that is set changes nothing.
type absence struct {
	log     *slog.Logger
	servers func() string

	mu    sync.Mutex
	since time.Time // when the bridge was opened or NATS was lost; the zero value while NATS is connected
	lost  time.Time // when NATS was lost last
	said  time.Time // when the log said it last; the zero value for not yet
	err   error     // of the latest attempt to connect, or why NATS was lost
}

func newAbsence(log *slog.Logger, servers func() string) *absence {
	return &absence{log: log, servers: servers, since: time.Now()}
}

// begin is called when NATS was lost.
func (a *absence) begin(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	a.since, a.lost, a.said, a.err = now, now, now, err
	a.log.Warn("lost NATS; browsers stay connected, and where nothing is stored they get a gap when it is back", "servers", a.servers(), "error", err)
}

// failed is called when a dial has failed.
func (a *absence) failed(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if errors.Is(err, nats.ErrNoServers) {
		return // of the first dial; the next one says why
	}
	a.err = err
	a.sayFirst()
}

// sayFirst logs that NATS is unreachable at the start of the bridge, when nothing else has said it. The lock must be held.
func (a *absence) sayFirst() {
	if a.since.IsZero() || !a.said.IsZero() {
		return
	}
	a.said = time.Now()
	a.log.Warn("cannot connect to NATS yet", "servers", a.servers(), "error", a.err)
}

// remind logs a line if NATS is unreachable and awayInterval has passed since the last line. err is nats.go's last error: no handler is
// called with the error of a connection that fails after the dial, because of an unknown certificate for example.
func (a *absence) remind(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		a.err = err
	}
	if a.err != nil {
		a.sayFirst()
	}
	now := time.Now()
	if a.since.IsZero() || a.said.IsZero() || now.Sub(a.said) < awayInterval {
		return
	}
	a.said = now
	a.log.Warn("NATS is away; trying to connect", "servers", a.servers(), "for", now.Sub(a.since).Round(time.Second), "error", a.err)
}

// end is called when NATS is connected. It returns how long NATS was unreachable; 0 if the log has not said that it was.
func (a *absence) end() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	var away time.Duration
	if !a.since.IsZero() && !a.said.IsZero() {
		away = time.Since(a.since)
	}
	a.since, a.said, a.err = time.Time{}, time.Time{}, nil
	return away
}

// lastLost returns when NATS was lost last; the zero value for never.
func (a *absence) lastLost() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.lost
}
