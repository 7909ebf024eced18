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

// errNoToken means that a token is needed, and none was sent.
var errNoToken = fmt.Errorf("%w: send a token, as Authorization: Bearer", bridge.ErrToken)

// errNoTickets means that a ticket was sent, but this bridge makes none.
var errNoTickets = fmt.Errorf("%w: this bridge does not use tickets; its operator can set TAILWATER_AUTH_TICKET_SECRET", bridge.ErrToken)

// caller returns the sender of a request. An invalid token is an error even if none is needed, because its sender expects to be signed in. If
// there are several, the header wins, then the ticket, then the cookie.
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

// ownCaller asks the program for the sender of a request. A browser adds cookies to requests of pages at any port of this machine, so the
// program does not see those cookies.
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
	a.signIns.Do(func() { a.config.Log.Warn("the program refused a caller", "error", err) })
	return bridge.Caller{}, fmt.Errorf("%w: sign in, and come back", bridge.ErrToken)
}

// ofCookie returns the caller of a cookie. The bridge's own cookie holds a ticket, which is useless elsewhere. A program of the same host may
// have set a cookie with a token.
func (a *API) ofCookie(ctx context.Context, value string) (bridge.Caller, error) {
	if strings.Contains(value, ".") {
		return a.config.Auth.Token(ctx, value)
	}
	return a.config.Auth.Ticket(ctx, value)
}

// grant returns what a caller may do: what anyone may, plus what its token allows, minus what the token denies.
func (a *API) grant(caller bridge.Caller) bridge.Grant {
	return a.config.Anyone.With(caller.Grant)
}

// bearer returns the token of the header Authorization (RFC 6750, 2.1). Other schemes are for others, such as a proxy.
func bearer(r *http.Request) (token string, sent bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token), strings.EqualFold(scheme, "Bearer")
}

// sentToken reports whether a request has a token, valid or not.
func (a *API) sentToken(r *http.Request) bool {
	_, sent := bearer(r)
	_, err := r.Cookie(a.cookieName(r))
	return sent || r.URL.Query().Has("ticket") || a.config.Cookie != "" && err == nil
}

// challenge tells the client how to sign in (RFC 6750, 3), and the operator why a sign-in failed.
func (a *API) challenge(w http.ResponseWriter, r *http.Request, err error) {
	if a.sentToken(r) {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		a.signIns.Do(func() { a.config.Log.Warn("refused a token", "error", err) })
		return
	}
	w.Header().Set("WWW-Authenticate", "Bearer")
}

// cookieName returns the name of a request's cookie.
func (a *API) cookieName(r *http.Request) string {
	if a.config.Access.scheme(r) == "https" {
		return SecureCookie(a.config.Cookie)
	}
	return a.config.Cookie
}

// SecureCookie returns the name of a cookie for browsers that use TLS: with the prefix __Host-, unless the name has a special prefix already.
// Browsers accept such a cookie only from its own host, over TLS (RFC 6265bis, 4.1.3.2). Other cookies can be set by every host of the
// domain, which could sign a user in as somebody else.
func SecureCookie(name string) string {
	lower := strings.ToLower(name) // browsers ignore case
	for _, prefix := range []string{"__host-", "__secure-", "__http-"} {
		if strings.HasPrefix(lower, prefix) {
			return name
		}
	}
	return "__Host-" + name
}
