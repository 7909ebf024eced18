package sockets

import (
	"container/heap"
	"container/list"
	"math"
	"net"
	"net/netip"
	"slices"
	"time"
)

// network counts the places of an address or a network, or of all.
type network struct {
	places *Places
	key    networkKey
	within *network // the next larger one that counts them as well; nil for all
	limit  int      // how many places it may have; 0 for any number

	held    int       // places: of sockets, and of requests that are not the first of their socket
	asked   int       // requests that took a place, for clients of this network
	served  int       // requests of HTTP/2 that are being served, with a place or without
	kept    int       // how many networks in it, and itself, still owe what was sent
	owed    *owed     // nil until somebody in it sends over TLS
	waiting list.List // the *place of each socket that waits, the oldest first
	index   int       // among the crowds, where it is one of the widest and has a socket that waits
}

// networkKey tells networks apart. A proxy's sockets are counted apart from its own requests. It is small, because many clients have a network
// each, or three.
type networkKey struct {
	address [16]byte // IPv4 as in IPv6
	bits    uint8
	isProxy bool
}

func keyOf(network netip.Prefix, isProxy bool) networkKey {
	return networkKey{network.Addr().As16(), uint8(network.Bits()), isProxy}
}

// String returns the network as addresses are written.
func (k networkKey) String() string {
	return netip.PrefixFrom(netip.AddrFrom16(k.address).Unmap(), int(k.bits)).String()
}

// Beyond their limit, networks have a few places for sockets, on which clients are told that it is reached.
const (
	leastSpare = 8
	spareShare = 8 // of the limit
	mostSpare  = 1024
)

func spare(limit int) int { return min(leastSpare+limit/spareShare, mostSpare) }

// PlacesFor returns how many places there can be in all, where there are to be at most so many sockets; one at least.
func PlacesFor(sockets int) int {
	places := max((sockets-leastSpare)*spareShare/(spareShare+1), sockets-mostSpare, 1)
	for places > 1 && places+spare(places) > sockets {
		places--
	}
	return places
}

// most is how many places may be held. Sockets that wait may fill what busy ones leave free. A few more places are always there for them, so that
// newcomers can be told that there is no room.
func (n *network) most() int {
	if n.limit == 0 {
		return math.MaxInt
	}
	few := spare(n.limit)
	busy := n.held - n.waiting.Len()
	return min(n.limit+few, max(n.limit, busy+few))
}

func (n *network) hold(more int) {
	for ; n != nil; n = n.within {
		n.held += more
	}
}

func (n *network) ask(more int) {
	for ; n != nil; n = n.within {
		n.asked += more
	}
}

// full returns the first network, from this on, that has no place for a further request; nil if there is none.
func (n *network) full() *network {
	for ; n != nil; n = n.within {
		if n.limit > 0 && n.asked >= n.limit {
			return n
		}
	}
	return nil
}

// servedTimes is how many requests of HTTP/2 may be served at once for each place of a network: event streams have places, and beside them there
// are posts, and answers that wait for their clients. Each holds some 20 KiB, and costs its client thirteen bytes.
const servedTimes = 4

// serve counts a request of HTTP/2 until it is counted with -1. It reports false, and counts nothing, if there are too many.
func (n *network) serve(more int) bool {
	for of := n; of != nil && more > 0; of = of.within {
		if most := of.mostServed(); most > 0 && of.served >= most {
			return false
		}
	}
	for ; n != nil; n = n.within {
		n.served += more
	}
	return true
}

// mostServed returns how many requests of HTTP/2 may be served at once, 0 for any number. Of all clients, few need more than their places.
func (n *network) mostServed() int {
	if n.limit == 0 || n.within != nil {
		return servedTimes * n.limit
	}
	return n.limit + servedTimes*spare(n.limit)
}

// oldest returns the socket that has waited longest, nil if none waits.
func (n *network) oldest() *place {
	if first := n.waiting.Front(); first != nil {
		return first.Value.(*place)
	}
	return nil
}

// The widths of IPv6 networks that are counted, the widest first, and how many times the limit of an address they have. Whoever has
// one address has 64 bits of them, and often more: providers give 56 or 48 bits to one customer.
var widths = []struct{ bits, times int }{{48, 16}, {56, 4}, {64, 1}}

// ofClient returns the network of an address, whose requests and sockets it counts.
func (p *Places) ofClient(address netip.Addr) *network {
	if !address.Is6() || address.Is4In6() {
		whole, _ := address.Unmap().Prefix(32) // the zero value for what has no address
		return p.networkOf(&p.all, keyOf(whole, false), p.limits.Each)
	}
	n := &p.all
	for _, width := range widths {
		prefix, _ := address.Prefix(width.bits) // every IPv6 address has one
		n = p.networkOf(n, keyOf(prefix, false), p.limits.Each*width.times)
	}
	return n
}

// ofPeer returns the network that counts a peer's sockets.
func (p *Places) ofPeer(address netip.Addr) *network {
	if !p.isProxy(address) {
		return p.ofClient(address)
	}
	whole, _ := address.Prefix(address.BitLen())
	return p.networkOf(&p.all, keyOf(whole, true), 0)
}

func addressOf(peer net.Addr) netip.Addr {
	if peer, ok := peer.(*net.TCPAddr); ok {
		return peer.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

func (p *Places) isProxy(address netip.Addr) bool {
	return slices.ContainsFunc(p.limits.Proxies, func(network netip.Prefix) bool { return network.Contains(address) })
}

func (p *Places) networkOf(within *network, key networkKey, limit int) *network {
	n, known := p.networks[key]
	if !known {
		n = &network{places: p, key: key, within: within, limit: limit, index: -1}
		p.networks[key] = n
	}
	return n
}

// now returns the time since the places were made.
func (p *Places) now() time.Duration { return time.Since(p.start) }

// crowds is a heap of the widest networks that have sockets which wait. The first has the most of them, and of several, the one whose
// oldest has waited longest.
type crowds []*network

// oldest returns the socket to close first, nil if none waits.
func (c crowds) oldest() *place {
	if len(c) == 0 {
		return nil
	}
	return c[0].oldest()
}

// waitersChanged is called when other sockets of the network wait than before.
func (n *network) waitersChanged() {
	c := &n.places.crowds
	switch {
	case n.within != &n.places.all: // none of the widest
	case n.waiting.Len() == 0:
		if n.index >= 0 {
			heap.Remove(c, n.index)
		}
	case n.index < 0:
		heap.Push(c, n)
	default:
		heap.Fix(c, n.index)
	}
}

// Len implements heap.Interface, as do those that follow.
func (c crowds) Len() int { return len(c) }

func (c crowds) Less(i, j int) bool {
	a, b := c[i], c[j]
	if a.waiting.Len() != b.waiting.Len() {
		return a.waiting.Len() > b.waiting.Len()
	}
	return a.oldest().waits.since < b.oldest().waits.since
}

func (c crowds) Swap(i, j int) {
	c[i], c[j] = c[j], c[i]
	c[i].index, c[j].index = i, j
}

// Push implements heap.Interface.
func (c *crowds) Push(n any) {
	n.(*network).index = len(*c)
	*c = append(*c, n.(*network))
}

// Pop implements heap.Interface.
func (c *crowds) Pop() any {
	last := len(*c) - 1
	n := (*c)[last]
	n.index = -1
	(*c)[last] = nil
	*c = (*c)[:last]
	return n
}
