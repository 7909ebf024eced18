package httpapi

import (
	"context"
	"net/http"
	"net/netip"

	"github.com/tailwater/tailwater/bridge"
)

// What a request can exceed.
const (
	limitConnections = "connections" // of the process
	limitAddress     = "address"     // connections of one address or network
	limitRate        = "rate"        // POSTs of one caller
	limitMemory      = "memory"      // what bodies hold, in all or of one caller
	limitReads       = "reads"       // GETs and HEADs of one address, in a second
)

// Places counts the connections that are open.
type Places interface {
	// Take takes a place for the answer to a request, for the client that the request comes from, and gives what frees it again, to
	// be called once. It gives nil where there is none: in all, or for that client.
	Take(ctx context.Context, client netip.Addr) (free func(), ofClient bool)
	// Told says that a request was answered, and that its socket is open only for the client to read that.
	Told(ctx context.Context)
}

// admit takes a place for a connection, and gives what frees it again; nil where there is none, where its address asks too often,
// or the API is draining.
func (a *API) admit(r *http.Request) (free func()) {
	if a.draining() {
		return nil
	}
	client := a.client(r)
	if !a.reads.allow(hashed(host(client))) {
		a.exceeded(r, limitReads, host(client))
		return nil
	}
	if a.config.Places == nil {
		return func() {}
	}
	free, ofClient := a.config.Places.Take(r.Context(), client)
	if free == nil {
		reason := limitConnections
		if ofClient {
			reason = limitAddress
		}
		a.exceeded(r, reason, host(client))
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
