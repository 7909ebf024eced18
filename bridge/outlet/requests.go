package outlet

import (
	"context"
	"net"
	"net/http"
	"net/netip"
)

// The places of requests: who waits for whom, and which requests hold a place of their own.

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
			out, full, _ = p.evictFor(s.network, s, 0)
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

func placeOf(ctx context.Context) *place {
	conn, _ := ctx.Value(connKey{}).(net.Conn)
	if ours := below(conn); ours != nil {
		return ours.place
	}
	return nil
}
