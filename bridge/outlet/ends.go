package outlet

import (
	"math/rand/v2"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// ending is the reason why a connection ends.
type ending uint8

const (
	endClient ending = iota // the client or the network has disconnected
	endSlow                 // the client received nothing for the write timeout
	endRun                  // the connection has delivered the end of its run
	endAuth
	endAge
	endDrain
	endKick
)

var endings = []string{"client", "slow", "run", bridge.CloseAuth, bridge.CloseAge, bridge.CloseDrain, bridge.CloseKick}

// String returns the reason as statistics have it, and clients are told.
func (e ending) String() string { return endings[e] }

// whyEnd returns why the server ends a connection that is due, if not because its token has expired.
func (o *Outlet) whyEnd(isExpired bool) ending {
	switch {
	case isExpired:
		return endAuth
	case o.isDraining():
		return endDrain
	}
	return endAge
}

// clockLook is how often the clock is checked for the expiry of a token, because it may have been set.
const clockLook = time.Minute

// untilExpiry returns how long a connection's token is valid, or if that is longer, when to check again.
func untilExpiry(of *bridge.Lifetime, now time.Time) time.Duration {
	if of.Until.IsZero() {
		return clockLook
	}
	return min(clockLook, max(0, of.Until.Sub(now)))
}

// count counts connections and polls, and tells Drain when none is left.
func (o *Outlet) count(connections, polls int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open += connections
	o.polls += polls
	if o.open+o.polls == 0 && o.empty != nil {
		close(o.empty)
		o.empty = nil
	}
}

func (o *Outlet) closed(reason ending) {
	o.stats.ended.Add(reason.String())
	o.count(-1, 0)
}

func (o *Outlet) isDraining() bool {
	select {
	case <-o.draining:
		return true
	default:
		return false
	}
}

// drainDelay returns how long one connection stays while draining.
func (o *Outlet) drainDelay() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	return time.Duration(rand.Float64() * float64(max(0, time.Until(o.drainEnd))))
}

// stay returns when the client of a new connection is asked to reconnect: connections that began together end one after another.
func (o *Outlet) stay() time.Duration {
	if o.isDraining() {
		return 0
	}
	return time.Duration(float64(o.config.Age) * (0.8 + 0.4*rand.Float64()))
}

// retry returns when the client of an ending connection should reconnect.
func (o *Outlet) retry() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.drainEnd.IsZero() {
		return bridge.Spread(o.config.Retry)
	}
	return bridge.ReturnTo(time.Until(o.drainEnd), o.config.Retry, o.back)
}

func (o *Outlet) logSlow(client string, subjects []bridge.Subject) {
	o.slowLogs.Do(func() {
		o.config.Log.Warn("cut a client that received nothing", "for", o.config.WriteTimeout, "client", client, "subjects", subjects, "cut_so_far", o.stats.ended[endSlow.String()].Load())
	})
}
