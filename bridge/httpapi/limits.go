package httpapi

import (
	"context"
	"net/http"
	"net/netip"

	"github.com/tailwater/tailwater/bridge"
)

// The limits that a request can exceed.
const (
	limitConnections = "connections" // of the process
	limitAddress     = "address"     // connections of one address or network
	limitRate        = "rate"        // POSTs of one caller
	limitMemory      = "memory"      // memory of bodies, of all callers or of one
	limitRuns        = "runs"        // runs that one caller has open
	limitReads       = "reads"       // GETs and HEADs per second of one address
)

// Places counts open connections.
type Places interface {
	// Take reserves a place for the answer to a client's request, and returns a function that frees it, to be called once. It returns nil if
	// all places, or those of that client, are in use.
	Take(ctx context.Context, client netip.Addr) (free func(), ofClient bool)
	// Told says that the request was answered, and its socket is open only for the client to read the answer.
	Told(ctx context.Context)
}

// hold is what the answer to a request holds: its place, and what is given to it later. Whoever gets one defers release, so that not even a
// panic leaves something behind.
type hold struct {
	end    func()         // nil if the outlet has it
	reader *bridge.Reader // nil for none, or if the outlet has it
}

func (h *hold) release() {
	if h.reader != nil {
		h.reader.Close()
	}
	if h.end != nil {
		h.end()
	}
}

// also adds what ends before the rest.
func (h *hold) also(end func()) {
	rest := h.end
	h.end = func() {
		end()
		rest()
	}
}

// admit reserves a place for a connection; nil if there is none, the address sends too many requests, or the API is draining.
func (a *API) admit(r *http.Request) *hold {
	if a.isDraining() {
		return nil
	}
	client := a.client(r)
	if !a.reads.allow(hashed(host(client))) {
		a.exceeded(r, limitReads, host(client))
		return nil
	}
	free, ofClient := a.config.Places.Take(r.Context(), client)
	if free == nil {
		reason := limitConnections
		if ofClient {
			reason = limitAddress
		}
		a.exceeded(r, reason, host(client))
		return nil
	}
	return &hold{end: free}
}

// checkRate counts a POST, and refuses it if its caller has sent too many.
func (a *API) checkRate(w http.ResponseWriter, r *http.Request, caller bridge.Caller) error {
	limited := a.limitKey(r, caller)
	if a.rates.allow(hashed(limited)) {
		return nil
	}
	a.exceeded(r, limitRate, limited)
	setRetryAfter(w, a.rates.pause())
	return errRate
}

// exceeded counts and logs an exceeded limit. Behind a proxy that is not trusted, all clients count as one, which is easily overlooked.
func (a *API) exceeded(r *http.Request, reason, caller string) {
	a.stats.limited.Add(reason)
	a.logs.Do(func() {
		log := a.config.Log.With("limit", reason, "caller", caller)
		if len(a.config.Proxies) == 0 && r.Header.Get("X-Forwarded-For") != "" {
			log.Warn("a request through a proxy exceeded a limit; name the proxy in TAILWATER_HTTP_TRUSTED_PROXIES, or all its clients share the limits of one")
			return
		}
		log.Info("a request exceeded a limit")
	})
}
