package httpapi

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Access says under which host names the API may be used, and from which other pages.
//
// The Host header is checked because any web page can make its own name point to this machine (DNS rebinding), and the Origin header
// because a browser sends requests for any page.
type Access struct {
	Hosts         []string // names allowed in the Host header, without port; empty allows any
	LoopbackHosts bool     // only names of this machine are allowed, at any port

	Origins         []string // allowed origins beside the API's own, such as https://chat.example.com
	LoopbackOrigins bool     // also pages that this machine serves over http or https, at any port

	proxies []netip.Prefix // whose X-Forwarded-Proto is trusted
}

// trustsCookies reports whether the cookies of a request that check has passed can be trusted: the page is of the bridge's own origin, or of
// one in the settings. A browser also adds cookies to requests of pages at any other port of this machine.
func (a Access) trustsCookies(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	return origin == "" || a.namesOrigin(origin) || a.isOwnOrigin(origin, r)
}

// AllowsHost reports whether the API answers to a Host header.
func (a Access) AllowsHost(host string) bool {
	name := hostname(host)
	switch {
	case a.LoopbackHosts:
		return isLoopback(name)
	case len(a.Hosts) == 0:
		return true
	}
	return slices.ContainsFunc(a.Hosts, func(allowed string) bool { return strings.EqualFold(allowed, name) })
}

// namesOrigin reports whether the settings name an origin. Its pages may use what the browser knows about a caller, such as cookies. Pages
// of this machine at any port may not, because the program behind a port may be anybody's.
func (a Access) namesOrigin(origin string) bool {
	return slices.ContainsFunc(a.Origins, func(allowed string) bool { return strings.EqualFold(allowed, origin) })
}

func (a Access) allowsOrigin(origin string) bool {
	if a.namesOrigin(origin) {
		return true
	}
	parsed, err := url.Parse(origin)
	return a.LoopbackOrigins && err == nil && (parsed.Scheme == "http" || parsed.Scheme == "https") && isLoopback(parsed.Hostname())
}

// isOwnOrigin reports whether an origin is the one that a request was sent to. The scheme counts if this bridge knows it, unless the browser
// says that both are the same: the browser knows better than a chain of proxies.
func (a Access) isOwnOrigin(origin string, r *http.Request) bool {
	parsed, err := url.Parse(origin)
	if err != nil || parsed.Host == "" || !strings.EqualFold(parsed.Host, r.Host) {
		return false
	}
	scheme := a.scheme(r)
	return scheme == "" || parsed.Scheme == scheme || r.Header.Get("Sec-Fetch-Site") == "same-origin"
}

// scheme returns http or https, as in the URL of the browser; "" if unknown, because there may be a proxy that is not trusted.
func (a Access) scheme(r *http.Request) string {
	first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",") // the browser's own, if there are several proxies
	proto := strings.ToLower(strings.TrimSpace(first))
	switch {
	case (proto == "http" || proto == "https") && isWithin(peerOf(r), a.proxies):
		return proto
	case r.TLS != nil:
		return "https"
	}
	return ""
}

// hostname returns the name of a Host header, without port, brackets and a last dot.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.TrimSuffix(strings.Trim(host, "[]"), ".")
}

func isLoopback(name string) bool {
	if address, err := netip.ParseAddr(name); err == nil {
		return address.Unmap().IsLoopback()
	}
	name = strings.ToLower(name)
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}
