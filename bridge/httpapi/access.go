package httpapi

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Access says by which names the API may be called, and from which other pages.
//
// The Host header is checked because a page of a stranger can let its own name point to this machine (DNS rebinding),
// and the Origin header because a browser sends requests of any page.
type Access struct {
	Hosts         []string // names that the Host header may bear, without port; none means any
	LoopbackHosts bool     // only names of this machine may stand there, whatever the port

	Origins         []string // origins besides the API's own, such as https://chat.example.com
	LoopbackOrigins bool     // pages that this machine serves over http or https, at any port, as well

	proxies []netip.Prefix // whose X-Forwarded-Proto is believed
}

// trustsCookies tells whether a cookie of a request, which check has let pass, is there because a page wanted to send it
// that may: a page of the bridge's own origin, or of one that the settings name. A browser adds cookies to what a page at any
// other port of this machine asks for as well.
func (a Access) trustsCookies(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	return origin == "" || a.namesOrigin(origin) || a.isOwnOrigin(origin, r)
}

// AllowsHost tells whether a Host header is one that the API answers to.
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

// namesOrigin tells whether an origin is named by the settings. Its pages may use what the browser knows of a caller, such
// as cookies; those of this machine at any port may not, because somebody else's program can have one.
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

// isOwnOrigin reports whether an origin is the one that a request was sent to. The scheme counts where this bridge knows it, unless
// the browser says that they are the same: it knows better than a chain of proxies.
func (a Access) isOwnOrigin(origin string, r *http.Request) bool {
	parsed, err := url.Parse(origin)
	if err != nil || parsed.Host == "" || !strings.EqualFold(parsed.Host, r.Host) {
		return false
	}
	scheme := a.scheme(r)
	return scheme == "" || parsed.Scheme == scheme || r.Header.Get("Sec-Fetch-Site") == "same-origin"
}

// hostname gives a Host header's name, without port, brackets and a last dot.
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
