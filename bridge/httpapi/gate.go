package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
)

// strictTransport makes browsers use TLS for half a year. It does not apply to other hosts of the domain.
const strictTransport = "max-age=15552000"

// check checks every request first. It refuses a request by its host, and one from a page of another origin that is not allowed, and sets the
// headers that every answer has.
//
// Browsers send Origin with requests that may change something and with those that scripts can read. For other requests they send Fetch
// Metadata: an image, a frame, or a fetch without CORS needs no permission to be sent. isLinkable reports whether a link from another site may
// lead to a request's URL; nil allows none.
//
// A request with neither header passes: it is from a program, from an old browser, or from a browser that uses plain HTTP and a name that is
// not this machine's.
func (a Access) check(r *http.Request, header http.Header, isLinkable func(*http.Request) bool) error {
	a.protect(r, header)
	if !a.AllowsHost(r.Host) {
		return fmt.Errorf("%w: %q", errHost, r.Host)
	}
	header.Set("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if origin != "" && a.allowsOrigin(origin) {
		a.open(origin, header)
		return nil
	}
	if origin != "" && !a.isOwnOrigin(origin, r) {
		return fmt.Errorf("%w: %q", errOrigin, origin)
	}
	switch site := r.Header.Get("Sec-Fetch-Site"); {
	case site == "" || site == "same-origin" || site == "none":
		return nil
	case !isLink(r):
		return fmt.Errorf("%w: another site sent the request", errOrigin)
	case isLinkable == nil || !isLinkable(r):
		return fmt.Errorf("%w: a link on another site leads here; type the address instead", errOrigin)
	}
	return nil
}

// protect sets the headers with which browsers keep pages of other origins away from an answer.
func (a Access) protect(r *http.Request, header http.Header) {
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	if r.TLS != nil && a.scheme(r) == "https" && isDomain(hostname(r.Host)) {
		header.Set("Strict-Transport-Security", strictTransport)
	}
}

// open sets the headers with which browsers allow pages of an origin to use an answer.
func (a Access) open(origin string, header http.Header) {
	header.Set("Access-Control-Allow-Origin", origin)
	header.Set("Access-Control-Expose-Headers", exposedHeaders)
	header.Set("Cross-Origin-Resource-Policy", "cross-origin")
	if a.namesOrigin(origin) {
		header.Set("Access-Control-Allow-Credentials", "true")
	}
}

// isLink reports whether a browser follows a link in a window of its own: not in a frame, and without the Origin that a form has. The first
// browsers with Fetch Metadata do not say the purpose.
func isLink(r *http.Request) bool {
	isRead := r.Method == http.MethodGet || r.Method == http.MethodHead
	use := r.Header.Get("Sec-Fetch-Dest")
	return isRead && r.Header.Get("Origin") == "" && r.Header.Get("Sec-Fetch-Mode") == "navigate" && (use == "document" || use == "")
}

// isDomain reports whether a name is neither an address nor a name of this machine. Browsers remember by name, not by port, to use TLS: that
// would block a developer's other servers.
func isDomain(name string) bool {
	_, err := netip.ParseAddr(name)
	return err != nil && !isLoopback(name)
}

// Gate serves next behind the same checks, on a listener without pages or event streams, for operators and their programs. Pages of other
// origins get nothing.
func (a Access) Gate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch err := a.check(r, w.Header(), nil); {
		case err == nil:
			next.ServeHTTP(w, r)
		case errors.Is(err, errHost):
			http.Error(w, "use a name of this machine for this listener, such as localhost", http.StatusMisdirectedRequest)
		default:
			http.Error(w, "pages of other origins may not use this listener; type its address, or call it from a program", http.StatusForbidden)
		}
	})
}
