package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/tailwater/tailwater/bridge"
)

// errNoToken: a token is needed, and none was sent.
var errNoToken = fmt.Errorf("%w: send a token, as Authorization: Bearer", bridge.ErrToken)

// errNoTickets: a ticket was sent, and this bridge makes none.
var errNoTickets = fmt.Errorf("%w: this bridge has no tickets; its operator can set TAILWATER_AUTH_TICKET_SECRET", bridge.ErrToken)

// caller gives who sent a request. A token that is no good is an error even where nobody would need one: its sender
// believes to be signed in. Of several the header counts, then the ticket, then the cookie.
func (a *API) caller(r *http.Request, query url.Values) (bridge.Caller, error) {
	if a.config.Caller != nil {
		return a.ownCaller(r)
	}
	if a.config.Auth == nil {
		return bridge.Caller{}, nil
	}
	if token, sent := bearer(r); sent {
		return a.config.Auth.Token(r.Context(), token)
	}
	if query.Has("ticket") {
		if !a.config.Auth.Tickets() {
			return bridge.Caller{}, errNoTickets
		}
		return a.config.Auth.Ticket(r.Context(), query.Get("ticket"))
	}
	if a.config.Cookie != "" && a.config.Access.trustsCookies(r) {
		if cookie, err := r.Cookie(a.cookieName(r)); err == nil && cookie.Value != "" {
			return a.ofCookie(r.Context(), cookie.Value)
		}
	}
	return bridge.Caller{}, nil
}

// ownCaller asks the program who sent a request. A browser adds cookies to what the pages of this machine ask for at any port, so the
// program does not see them there.
func (a *API) ownCaller(r *http.Request) (bridge.Caller, error) {
	if !a.config.Access.trustsCookies(r) {
		r = r.Clone(r.Context())
		r.Header.Del("Cookie")
	}
	caller, err := a.config.Caller(r)
	switch {
	case err == nil:
		return caller, nil
	case errors.Is(err, bridge.ErrToken), errors.Is(err, bridge.ErrNoVerdict), errors.Is(err, bridge.ErrForbidden):
		return bridge.Caller{}, err
	}
	a.signIns.Do(func() { a.config.Log.Warn("the program refuses a caller", "error", err) })
	return bridge.Caller{}, fmt.Errorf("%w: sign in, and come back", bridge.ErrToken)
}

// ofCookie gives who a cookie is for. The bridge's own holds a ticket, which is of no use elsewhere; a program of the same host
// may have set one to a token itself.
func (a *API) ofCookie(ctx context.Context, value string) (bridge.Caller, error) {
	if strings.Contains(value, ".") {
		return a.config.Auth.Token(ctx, value)
	}
	return a.config.Auth.Ticket(ctx, value)
}

// grant gives what a caller may do: what everyone may, and what its token allows, but nothing that the token denies.
func (a *API) grant(caller bridge.Caller) bridge.Grant {
	if caller.Anonymous() && a.config.Caller == nil {
		return a.config.Anonymous
	}
	return a.config.Anonymous.With(caller.Grant)
}

// bearer gives the token of the header Authorization (RFC 6750, 2.1). Other schemes are somebody else's, such as a proxy's.
func bearer(r *http.Request) (token string, sent bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token), strings.EqualFold(scheme, "Bearer")
}

// sentToken tells whether a request brought a token, of whatever worth.
func (a *API) sentToken(r *http.Request) bool {
	_, sent := bearer(r)
	_, err := r.Cookie(a.cookieName(r))
	return sent || r.URL.Query().Has("ticket") || a.config.Cookie != "" && err == nil
}

// challenge tells the client how to sign in (RFC 6750, 3), and the operator why somebody could not.
func (a *API) challenge(w http.ResponseWriter, r *http.Request, err error) {
	if a.sentToken(r) {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		a.signIns.Do(func() { a.config.Log.Warn("refused a token", "error", err) })
		return
	}
	w.Header().Set("WWW-Authenticate", "Bearer")
}
