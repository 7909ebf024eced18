package httpapi

import (
	"net/http"
	"sync/atomic"

	"github.com/tailwater/tailwater/bridge"
)

// Stats are counters since New. They are for metrics, not for decisions.
type Stats struct {
	// Publishes by result: accepted, refused (because of the request), unavailable (because of NATS), failed (a bug).
	Publishes map[string]uint64
	// Refused counts requests other than POST that were answered with a problem.
	Refused uint64
	// TurnedAway counts connections asked to come back later: too many at once, or the bridge was stopping.
	TurnedAway uint64
	// Limited counts requests that exceeded a limit: connections, connections of one address, the rate of POSTs or of GETs and HEADs, open
	// runs, or memory for bodies.
	Limited map[string]uint64

	// Routes counts requests by route.
	Routes []RouteStats

	// Panics counts panics of handlers: bugs of this program.
	Panics uint64

	// Memory is the memory of bodies.
	Memory bridge.LedgerStats
}

type counters struct {
	accepted, rejected, unavailable, failed, refused, turnedAway atomic.Uint64
	connections, address, rate, reads, memory, runs              atomic.Uint64 // exceeded limits
	panics                                                       atomic.Uint64
}

func (c *counters) limited(reason string) {
	switch reason {
	case limitConnections:
		c.connections.Add(1)
	case limitAddress:
		c.address.Add(1)
	case limitMemory:
		c.memory.Add(1)
	case limitReads:
		c.reads.Add(1)
	case limitRuns:
		c.runs.Add(1)
	default:
		c.rate.Add(1)
	}
}

func (c *counters) refuse(method string, status int) {
	switch {
	case method != http.MethodPost:
		c.refused.Add(1)
	case status == http.StatusServiceUnavailable:
		c.unavailable.Add(1)
	case status >= http.StatusInternalServerError:
		c.failed.Add(1)
	default:
		c.rejected.Add(1)
	}
}

// Stats returns the present counts.
func (a *API) Stats() Stats {
	return Stats{
		Publishes: map[string]uint64{
			"accepted":    a.stats.accepted.Load(),
			"refused":     a.stats.rejected.Load(),
			"unavailable": a.stats.unavailable.Load(),
			"failed":      a.stats.failed.Load(),
		},
		Refused:    a.stats.refused.Load(),
		TurnedAway: a.stats.turnedAway.Load(),
		Limited: map[string]uint64{
			limitConnections: a.stats.connections.Load(),
			limitAddress:     a.stats.address.Load(),
			limitRate:        a.stats.rate.Load(),
			limitReads:       a.stats.reads.Load(),
			limitMemory:      a.stats.memory.Load(),
			limitRuns:        a.stats.runs.Load(),
		},
		Routes: a.traffic.stats(),
		Memory: a.ledger.Stats(),
		Panics: a.stats.panics.Load(),
	}
}
