package live

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/auth"
	"github.com/tailwater/tailwater/bridge/httpapi"
	"github.com/tailwater/tailwater/bridge/outlet"
	"github.com/tailwater/tailwater/bridge/presence"
	"github.com/tailwater/tailwater/bridge/runs"
	"github.com/tailwater/tailwater/bridge/sockets"
	"github.com/tailwater/tailwater/bridge/source"
)

// errLost means that the bridge will never be ready again.
var errLost = errors.New("the connection to NATS has ended for good")

// Ready returns why browsers should not be sent here yet: NATS has not been reached, or revoked tokens are unknown. nil means that they
// may. A later loss of NATS does not count: all bridges would lose it, and the load balancer would turn every browser away.
func (b *Bridge) Ready() error {
	select {
	case <-b.done:
		return errLost
	default:
	}
	if b.source.Stats().Connects == 0 {
		return errors.New("NATS has not been reached yet")
	}
	if b.auth == nil || b.auth.Ready() {
		return nil
	}
	if problem := b.auth.Problem(); problem != "" {
		return fmt.Errorf("no token can be checked: %s", problem)
	}
	return errors.New("revocations have not been read from NATS yet")
}

// Problems returns what does not work as configured, although messages are carried: a history that cannot be kept, an unhealthy bucket of
// revoked tokens, subjects that NATS refuses, a store that does not answer.
func (b *Bridge) Problems() []string {
	var all []string
	if problem, _ := b.source.HistoryProblem(); problem != "" {
		all = append(all, problem)
	}
	if b.auth != nil && b.auth.Problem() != "" {
		all = append(all, b.auth.Problem())
	}
	stats := b.source.Stats()
	if stats.Deaf > 0 {
		all = append(all, fmt.Sprintf("NATS refuses %d subjects, and their readers wait", stats.Deaf))
	}
	if silent := stats.Silence; silent.For >= time.Second {
		all = append(all, fmt.Sprintf("%s has not answered for %v", silent, silent.For.Round(time.Second)))
	}
	return all
}

// ErrNotKept means that the history cannot be kept as the options ask. AwaitHistory returns errors that wrap it.
var ErrNotKept = source.ErrNotKept

// AwaitHistory waits until NATS has answered whether Options.History can be kept.
func (b *Bridge) AwaitHistory(ctx context.Context) error { return b.source.AwaitHistory(ctx) }

// Stats are the counters of a bridge's parts. They are for metrics, not for decisions.
type Stats struct {
	Connections outlet.Stats  // of browsers
	Sockets     sockets.Stats // of the listeners given to Listen, and requests on other listeners
	Requests    httpapi.Stats
	Feeds       bridge.Stats
	NATS        source.Stats
	Presence    presence.Stats
	Runs        runs.Stats
	Memory      map[string]Memory // frames, pages, bodies, intake
	Tokens      TokenStats
}

// TokenStats is how fresh is what tokens are checked with; the zero value if none are accepted.
type TokenStats struct {
	auth.Stats
	// RevocationsAt is up to when revocations are known: until now, or while NATS is unreachable, until it was lost. The zero value means
	// that they have not been read.
	RevocationsAt time.Time
}

func (b *Bridge) tokenStats() TokenStats {
	if b.auth == nil {
		return TokenStats{}
	}
	s := TokenStats{Stats: b.auth.Stats()}
	from, _ := b.keeper()
	switch nats := from.Stats(); {
	case !s.IsReady:
	case nats.Connected:
		s.RevocationsAt = time.Now()
	default:
		s.RevocationsAt = nats.Lost
	}
	return s
}

// Survey looks at all open connections, and returns the slowest and the oldest of them, so many each.
func (b *Bridge) Survey(ctx context.Context, most int) outlet.Survey {
	return b.outlet.Survey(ctx, most)
}

// Memory is how many bytes a part holds, and may hold.
type Memory struct{ Held, Limit int64 }

// Stats returns the present counts.
func (b *Bridge) Stats() Stats {
	s := Stats{
		Connections: b.outlet.Stats(), Sockets: b.places.Stats(), Requests: b.api.Stats(), Feeds: b.hub.Stats(), NATS: b.source.Stats(),
	}
	if b.presence != nil {
		s.Presence = b.presence.Stats()
	}
	if b.runs != nil {
		s.Runs = b.runs.Stats()
	}
	s.Tokens = b.tokenStats()
	shares := b.divide()
	s.Memory = map[string]Memory{
		"frames": {int64(s.Feeds.FrameBytes), shares.frames}, "pages": {int64(s.Feeds.PageBytes), shares.pages},
		"bodies": {s.Requests.Memory.Held, shares.bodies}, "intake": {s.NATS.Waiting, shares.intake},
	}
	return s
}

// shares are the shares of Limits.Memory in bytes, and the intake, which is added to it.
type shares struct {
	frames int64 // of the newest messages of all feeds
	pages  int64 // of history
	bodies int64 // of requests
	intake int64 // messages received from NATS and not yet in a feed
}

func (b *Bridge) divide() shares {
	quarter := b.options.Limits.Memory / 4
	return shares{frames: quarter, pages: quarter, bodies: 2 * quarter, intake: quarter}
}

// feeds returns the limits of the hub.
func (s shares) feeds() bridge.Memory {
	memory := bridge.DefaultMemory
	memory.Total, memory.Pages = int(s.frames), int(s.pages)
	return memory
}

// ReadKeySet reads Tokens.JWKS again, and returns how many keys it holds. After an error the earlier keys stay valid.
func (b *Bridge) ReadKeySet(ctx context.Context) (keys int, err error) {
	if b.auth == nil {
		return 0, nil
	}
	return b.auth.ReadKeySet(ctx)
}
