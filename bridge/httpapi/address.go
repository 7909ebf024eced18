package httpapi

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/tailwater/tailwater/bridge"
)

// nowhere stands for the address of a peer that has none, such as one on a Unix socket: they share what one may have.
const nowhere = "unknown"

// ipv6Host is how many bits of an IPv6 address are one host, for limits: whoever has one address has a network of 64 bits.
const ipv6Host = 64

// limited gives whom limits are for: who has signed in, wherever from; else the address that a request comes from.
func (a *API) limited(r *http.Request, caller bridge.Caller) string {
	if caller.Anonymous() {
		return a.address(r)
	}
	return "token of " + caller.Name // no address looks so
}

// account is whom limits are for, in a few bytes however long a name is.
func (a *API) account(r *http.Request, caller bridge.Caller) bridge.Account {
	return bridge.Account(hashed(a.limited(r, caller)))
}

// address gives where a request comes from: an IPv4 address, or an IPv6 network.
func (a *API) address(r *http.Request) string { return host(a.client(r)) }

// client gives the address that a request comes from; the zero value where it has none.
func (a *API) client(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return forwarded(r.Header.Values("X-Forwarded-For"), peer.Addr().Unmap().WithZone(""), a.config.Proxies)
}

// host gives the address, or the network of IPv6, that limits of callers take for one.
func host(client netip.Addr) string {
	if client.Is4() {
		return client.String()
	}
	network, err := client.Prefix(ipv6Host)
	if err != nil || !client.IsValid() {
		return nowhere
	}
	return network.String()
}

// forwarded goes through the proxies that are trusted, from the nearest on, to the address that the last of them saw. What
// stands before it was written by somebody else, and can be anything. So can what it wrote itself, if that is no address: then it is
// the proxy that counts.
func forwarded(headers []string, peer netip.Addr, proxies []netip.Prefix) netip.Addr {
	hops := strings.Split(strings.Join(headers, ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !isWithin(peer, proxies) {
			break
		}
		before, ok := parseHop(hop)
		if !ok {
			break
		}
		peer = before
	}
	return peer
}

func isWithin(address netip.Addr, networks []netip.Prefix) bool {
	return slices.ContainsFunc(networks, func(network netip.Prefix) bool { return network.Contains(address) })
}

// parseHop reads an address of X-Forwarded-For, which some proxies write with a port.
func parseHop(text string) (netip.Addr, bool) {
	text = strings.TrimSpace(text)
	if hop, err := netip.ParseAddrPort(text); err == nil {
		return hop.Addr().Unmap().WithZone(""), true
	}
	hop, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	return hop.Unmap().WithZone(""), err == nil
}
