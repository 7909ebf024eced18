package outlet

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Room is how many places there are.
type Room struct {
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
// no room for another, the oldest that waits is closed, of the network that has the most of them, so a client that holds
// many loses its own first. If no socket waits, a few extra places remain, to tell new clients to come back.
type Places struct {
	room      Room
	logs      rate.Sometimes
	shortages rate.Sometimes // in the log, of descriptors
	slowed    rate.Sometimes // in the log, of who sends too much over TLS
	start     time.Time

	mu       sync.Mutex
	all      network // of which every other is a part
	networks map[networkKey]*network
	crowds   crowds // the widest networks, of those with a socket that waits
	evicted  uint64
	refused  uint64
}

// PlacesStats counts since NewPlaces. It is for metrics, not for decisions.
type PlacesStats struct {
	Held    int    // places that are held: by sockets, and by requests that are not the first of their socket
	Waiting int    // sockets whose clients have asked for nothing, or have not yet sent all of it
	Taken   int    // requests that have a place
	Evicted uint64 // sockets that waited, and were closed to make room
	Refused uint64 // sockets for which there was no room
}

// NewPlaces gives places of which none is taken.
func NewPlaces(room Room) *Places {
	if room.Log == nil {
		room.Log = slog.New(slog.DiscardHandler)
	}
	return &Places{
		room:      room,
		logs:      rate.Sometimes{First: 1, Interval: 10 * time.Second},
		shortages: rate.Sometimes{First: 1, Interval: 10 * time.Second},
		slowed:    rate.Sometimes{First: 1, Interval: 10 * time.Second},
		start:     time.Now(),
		all:       network{room: room.All},
		networks:  map[networkKey]*network{},
	}
}

// exhausted logs that a connection cannot be accepted.
func (p *Places) exhausted(err error) {
	p.shortages.Do(func() {
		stats := p.Stats()
		p.room.Log.Error("cannot accept connections: file descriptors have run out; allow this process more of them (ulimit -n, LimitNOFILE), or look what holds them", "error", err, "connections", stats.Held)
	})
}

// tell logs that places are scarce.
func (p *Places) tell() {
	p.logs.Do(func() {
		stats := p.Stats()
		p.room.Log.Info("no place for another socket: one that has asked for nothing was closed, or else the new one", "places", stats.Held, "waiting", stats.Waiting, "closed_so_far", stats.Evicted, "refused_so_far", stats.Refused)
	})
}

// Take takes a place for the answer to a request of a client, who need not be the socket's peer, and gives what frees it again,
// to be called once. The first of a socket has the socket's own. It gives nil where there is none: in all, or for the client's
// address or network.
func (p *Places) Take(ctx context.Context, client netip.Addr) (free func(), ofClient bool) {
	p.mu.Lock()
	n, s := p.ofClient(client), placeOf(ctx)
	full := n.full()
	n.ask(1)
	var out []evicted
	if s != nil {
		s.asked++
		if isMore := s.asked > 1 && !s.isFree; isMore && full == nil {
			s.network.hold(1)
			out, full, _ = p.makeRoom(s.network, s, 0)
		} else if isMore {
			s.network.hold(1) // giveBack takes it back
		}
	}
	if full != nil {
		p.giveBack(n, s)
	}
	p.mu.Unlock()
	cutAll(out)
	if full != nil {
		return nil, full != &p.all
	}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.giveBack(n, s)
	}, false
}

func (p *Places) giveBack(n *network, s *place) {
	n.ask(-1)
	p.forget(n)
	if s == nil {
		return
	}
	if s.asked--; s.asked > 0 && !s.isFree {
		s.network.hold(-1)
	}
}

// Handler serves requests, and knows from then on whether their sockets wait for their clients. The server needs ConnContext.
func (p *Places) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s := placeOf(r.Context()); s != nil {
			if r.ProtoMajor == 1 && r.TLS != nil {
				s.stopPace() // net/http reads one request at a time
			}
			if r.ProtoMajor == 2 {
				if !s.begins() {
					panic(http.ErrAbortHandler) // which resets the stream
				}
				defer s.ended()
			}
			asked, isOpen := s.asks(r.ContentLength == 0)
			if !isOpen {
				panic(http.ErrAbortHandler) // it had to make room, and its client knows of no answer
			}
			defer asked.end()
			defer s.paceReset(r.Context(), p.now())
			if r.Context().Err() != nil {
				return // the client has reset the request by now
			}
			if r.ContentLength != 0 {
				r = withBody(r, asked)
			}
		}
		next.ServeHTTP(w, r)
		if r.ProtoMajor == 2 {
			// Otherwise net/http would wait for the client's window after the request has ended here. It fails if the client is gone.
			_ = http.NewResponseController(w).Flush()
		}
	})
}

// Told says that a request was answered, and that its socket is open only for the client to read that. So it makes room for others,
// like one that waits.
func (p *Places) Told(ctx context.Context) {
	s := placeOf(ctx)
	if s == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.answering == 1 && s.waits == nil && !s.isFree {
		s.isTold = true
		s.wait()
	}
}

// Stats counts.
func (p *Places) Stats() PlacesStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return PlacesStats{
		Held: p.all.held, Waiting: p.all.waiting.Len(), Taken: p.all.asked,
		Evicted: p.evicted, Refused: p.refused,
	}
}

func placeOf(ctx context.Context) *place {
	conn, _ := ctx.Value(connKey{}).(net.Conn)
	if ours := below(conn); ours != nil {
		return ours.place
	}
	return nil
}

func addressOf(peer net.Addr) netip.Addr {
	if peer, ok := peer.(*net.TCPAddr); ok {
		return peer.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

func (p *Places) isProxy(address netip.Addr) bool {
	return slices.ContainsFunc(p.room.Proxies, func(network netip.Prefix) bool { return network.Contains(address) })
}
