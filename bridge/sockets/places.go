package sockets

import (
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits is how many places there are.
type Limits struct {
	All  int // in all; 0 for any number
	Each int // of one IPv4 address or IPv6 network of 64 bits; four times as many of 56 bits, 16 times of 48; 0 for any number

	// Proxies are peers that stand for many clients. Their sockets count in all alone, and their requests for the client that
	// Take is told.
	Proxies []netip.Prefix

	Log *slog.Logger // of what is closed to make room; nil for none
}

// Places counts what clients hold, once: a socket holds a place from when it is accepted until it is closed, and of several
// requests on one socket (HTTP/2) that take a place, each but the first holds another.
//
// A socket waits while its client has something to do: to shake hands, to send a head or a body, to ask for something else. Where there is
// no room for another, the network with the most waiting sockets loses its oldest one, so a client that holds
// many loses its own first. If no socket waits, a few extra places remain, to tell new clients to come back.
type Places struct {
	limits    Limits
	logs      rate.Sometimes
	shortages rate.Sometimes // in the log, of descriptors
	slowed    rate.Sometimes // in the log, of who sends too much over TLS
	start     time.Time

	mu       sync.Mutex
	all      network // of which every other is a part
	networks map[networkKey]*network
	crowds   crowds // the widest networks, of those with a socket that waits
	flooded  debt   // of all that send more than quiet clients
	evicted  uint64
	refused  uint64
}

// Stats counts since NewPlaces. It is for metrics, not for decisions.
type Stats struct {
	Held    int    // places that are held: by sockets, and by requests that are not the first of their socket
	Waiting int    // sockets whose clients have asked for nothing, or have not yet sent all of it
	Taken   int    // requests that have a place
	Evicted uint64 // sockets that waited, and were closed to make room
	Refused uint64 // sockets for which there was no room
}

// NewPlaces gives places of which none is taken.
func NewPlaces(limits Limits) *Places {
	if limits.Log == nil {
		limits.Log = slog.New(slog.DiscardHandler)
	}
	p := &Places{
		limits:    limits,
		logs:      rate.Sometimes{First: 1, Interval: 10 * time.Second},
		shortages: rate.Sometimes{First: 1, Interval: 10 * time.Second},
		slowed:    rate.Sometimes{First: 1, Interval: 10 * time.Second},
		start:     time.Now(),
		networks:  map[networkKey]*network{},
	}
	p.all = network{places: p, limit: limits.All}
	return p
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

// exhausted logs that a connection cannot be accepted.
func (p *Places) exhausted(err error) {
	p.shortages.Do(func() {
		stats := p.Stats()
		p.limits.Log.Error("cannot accept connections: file descriptors have run out; allow this process more of them (ulimit -n, LimitNOFILE), or look what holds them", "error", err, "connections", stats.Held)
	})
}

// tell logs that places are scarce.
func (p *Places) tell() {
	p.logs.Do(func() {
		stats := p.Stats()
		p.limits.Log.Info("no place for another socket: the oldest that waits was closed, or else the new one", "places", stats.Held, "waiting", stats.Waiting, "closed_so_far", stats.Evicted, "refused_so_far", stats.Refused)
	})
}

// Stats returns the present counts.
func (p *Places) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{
		Held: p.all.held, Waiting: p.all.waiting.Len(), Taken: p.all.asked,
		Evicted: p.evicted, Refused: p.refused,
	}
}
