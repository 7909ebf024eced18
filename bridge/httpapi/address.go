package httpapi

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/tailwater/tailwater/bridge"
)

// nowhere stands for a peer without an address, such as one on a Unix socket. All such peers share one limit.
const nowhere = "unknown"

// ipv6Host is how many bits of an IPv6 address count as one host, for limits: a host has a network of 64 bits.
const ipv6Host = 64

// limitKey returns the key of a request's limits: the caller's name if signed in, from any address, otherwise the address.
func (a *API) limitKey(r *http.Request, caller bridge.Caller) string {
	if caller.Anonymous() {
		return a.address(r)
	}
	return "token of " + caller.Name // no address has this form
}

// account is the same key in a few bytes, however long the name is.
func (a *API) account(r *http.Request, caller bridge.Caller) bridge.Account {
	return bridge.Account(hashed(a.limitKey(r, caller)))
}

// address returns where a request comes from: an IPv4 address, or an IPv6 network.
func (a *API) address(r *http.Request) string { return host(a.client(r)) }

// client returns the address that a request comes from; the zero value if it has none.
func (a *API) client(r *http.Request) netip.Addr {
	return forwarded(r.Header.Values("X-Forwarded-For"), peerOf(r), a.config.Proxies)
}

// peerOf returns the address of a request's connection, which may be a proxy's; the zero value if it has none.
func peerOf(r *http.Request) netip.Addr {
	peer, _ := netip.ParseAddrPort(r.RemoteAddr)
	return peer.Addr().Unmap().WithZone("")
}

// host returns the address, or the IPv6 network, that limits count as one.
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

// forwarded follows the trusted proxies from the nearest on, and returns the address that the last of them saw. Addresses before that were
// written by somebody else, and can be anything. If the last proxy did not write an address, the proxy's own address counts.
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

// parseHop parses an address of X-Forwarded-For. Some proxies add a port.
func parseHop(text string) (netip.Addr, bool) {
	text = strings.TrimSpace(text)
	if hop, err := netip.ParseAddrPort(text); err == nil {
		return hop.Addr().Unmap().WithZone(""), true
	}
	hop, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	return hop.Unmap().WithZone(""), err == nil
}
