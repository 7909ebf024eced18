package httpapi

import (
	"net/http"
	"sync/atomic"

	"github.com/tailwater/tailwater/bridge"
)

// Stats are counters since New. They are for metrics, not for decisions.
type Stats struct {
	// Publishes are all POSTs by result: accepted, refused (because of the request), unavailable (503), failed (another status from 500 on).
	Publishes map[string]uint64
	// Refused counts requests other than POST that were answered with a problem.
	Refused uint64
	// TurnedAway counts connections asked to come back later: no room or too many requests, the bridge was stopping, or tokens could not be
	// checked.
	TurnedAway uint64
	// Limited counts requests that exceeded a limit: connections, connections of one address, the rate of POSTs or of GETs and HEADs, open
	// runs, or memory for bodies.
	Limited map[string]uint64

	// Routes counts requests by route.
	Routes []RouteStats

	// Panics counts panics of handlers: bugs of this program.
	Panics uint64

	// Memory is the memory of bodies.
	Memory bridge.BudgetStats
}

type counters struct {
	posts                       bridge.Counts // by result
	limited                     bridge.Counts // by limit
	refused, turnedAway, panics atomic.Uint64
}

// The results of POSTs.
const (
	postAccepted    = "accepted"
	postRefused     = "refused"
	postUnavailable = "unavailable"
	postFailed      = "failed"
)

func newCounters() counters {
	return counters{
		posts:   bridge.NewCounts(postAccepted, postRefused, postUnavailable, postFailed),
		limited: bridge.NewCounts(limitConnections, limitAddress, limitRate, limitReads, limitMemory, limitRuns),
	}
}

func (c *counters) refuse(method string, status int) {
	switch {
	case method != http.MethodPost:
		c.refused.Add(1)
	case status == http.StatusServiceUnavailable:
		c.posts.Add(postUnavailable)
	case status >= http.StatusInternalServerError:
		c.posts.Add(postFailed)
	default:
		c.posts.Add(postRefused)
	}
}

// Stats returns the present counts.
func (a *API) Stats() Stats {
	return Stats{
		Publishes:  a.stats.posts.Load(),
		Refused:    a.stats.refused.Load(),
		TurnedAway: a.stats.turnedAway.Load(),
		Limited:    a.stats.limited.Load(),
		Routes:     a.traffic.stats(),
		Memory:     a.budget.Stats(),
		Panics:     a.stats.panics.Load(),
	}
}
