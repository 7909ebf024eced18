package sockets

import (
	"container/heap"
	"container/list"
	"math"
	"net/netip"
	"sort"
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
	index   int       // in Places.crowds; below 0 if it is not in it
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
	return max(1, sort.Search(sockets, func(places int) bool { return places+spare(places) > sockets })-1)
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

// owe counts bytes that were read, for a network and each that it is part of, and returns how long to wait before the next are read, and
// whether less is to be read then. Fewer than none take back what was counted.
func (n *network) owe(bytes int) (wait time.Duration, isShort bool) {
	p := n.places
	p.mu.Lock()
	key, held, now, counted := n.key, n.held, p.now(), float64(bytes)
	for ; n != &p.all; n = n.within {
		if n.owed == nil {
			n.owed = &owed{}
		}
		beyond, longer := n.owed.owe(counted, n.paced(), now)
		wait = max(wait, longer)
		if n.within == &p.all {
			together, isNear := n.owed.flood(&p.flooded, counted, float64(max(p.limits.Each, leastPaced)), now)
			wait, isShort = max(wait, together), isShort || isNear
		}
		isShort = isShort || beyond > -n.paced()*paceBurst/2
	}
	p.mu.Unlock()
	if wait > toldWait {
		p.slowed.Do(func() {
			p.limits.Log.Info("an address sends more over TLS than it may beside the bodies of requests; its connections are read from more slowly", "address", key.String(), "connections", held)
		})
	}
	return wait, isShort
}

// paced returns for how many connections the network may send.
func (n *network) paced() float64 { return float64(max(n.limit, leastPaced)) }

// forget lets go of the network, and of each that it is part of, if they hold and owe nothing.
func (n *network) forget() {
	for ; n.within != nil; n = n.within {
		if n.held == 0 && n.asked == 0 && n.kept == 0 && !n.linger() {
			delete(n.places.networks, n.key)
		}
	}
}

// linger keeps a network that nobody holds until it owes nothing: its clients may connect anew. It reports false if it owes nothing.
func (n *network) linger() bool {
	if n.owed == nil {
		return false
	}
	paid := n.owed.paid(n.paced(), n.places.now())
	if paid <= 0 {
		return false
	}
	n.keep(1)
	time.AfterFunc(paid, func() {
		n.places.mu.Lock()
		defer n.places.mu.Unlock()
		n.keep(-1)
		n.forget()
	})
	return true
}

func (n *network) keep(more int) {
	for ; n != nil; n = n.within {
		n.kept += more
	}
}

// crowds holds the widest networks with sockets that wait for their clients, as a heap. If room is needed, the first loses its oldest such
// socket: it has the most of them, and among equals, the one that has waited longest.
type crowds []*network

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
