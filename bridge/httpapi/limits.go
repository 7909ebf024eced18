package httpapi

import (
	"net/http"

	"github.com/tailwater/tailwater/bridge"
)

// What a request can exceed.
const (
	limitConnections = "connections" // of the process
	limitAddress     = "address"     // connections of one address
	limitRate        = "rate"        // POSTs of one caller
	limitReads       = "reads"       // GETs and HEADs of one address, in a second
)

// admit takes a place for a connection, and gives what frees it again; nil where there is none, where its address asks too often,
// or the API is draining.
func (a *API) admit(r *http.Request) (free func()) {
	if a.draining() {
		return nil
	}
	address := a.address(r)
	if !a.reads.allow(hashed(address)) {
		a.exceeded(r, limitReads, address)
		return nil
	}
	free, reason := a.places.take(address, a.config.Limits)
	if free == nil {
		a.exceeded(r, reason, address)
	}
	return free
}

// checkRate counts a POST, and refuses it where its caller has sent too many.
func (a *API) checkRate(w http.ResponseWriter, r *http.Request, caller bridge.Caller) error {
	limited := a.limited(r, caller)
	if a.rates.allow(hashed(limited)) {
		return nil
	}
	a.exceeded(r, limitRate, limited)
	setRetryAfter(w, a.rates.pause())
	return errRate
}

// exceeded counts and logs who met a limit. Behind a proxy that is not trusted, all its clients are one: that is easily
// missed.
func (a *API) exceeded(r *http.Request, reason, caller string) {
	a.stats.limited(reason)
	a.logs.Do(func() {
		log := a.config.Log.With("limit", reason, "caller", caller)
		if len(a.config.Proxies) == 0 && r.Header.Get("X-Forwarded-For") != "" {
			log.Warn("a limit was met, by a request that came through a proxy; name the proxy in TAILWATER_HTTP_TRUSTED_PROXIES, or all its clients share what one may have")
			return
		}
		log.Info("a limit was met")
	})
}
