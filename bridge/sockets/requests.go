package sockets

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// The places of requests: who waits for whom, and which requests hold a place of their own.

// Take takes a place for the answer to a request of a client, who need not be the socket's peer, and returns a function that frees it again,
// to be called once. The first of a socket has the socket's own. It returns nil where there is none: in all, or for the client's
// address or network.
func (p *Places) Take(ctx context.Context, client netip.Addr) (free func(), ofClient bool) {
	var s *place
	if conn := Of(ctx); conn != nil {
		s = conn.place
	}
	p.mu.Lock()
	n := p.ofClient(client)
	full := n.full()
	n.ask(1)
	var out []*waiting
	if s != nil {
		if s.asked++; s.asked > 1 && !s.isFree {
			s.network.hold(1)
			if full == nil {
				out, full, _ = p.evictFor(s.network, s, 0)
			}
		}
	}
	if full != nil {
		n.giveBack(s)
	}
	p.mu.Unlock()
	cutAll(out)
	if full != nil {
		return nil, full != &p.all
	}
	return func() {
		n.places.mu.Lock()
		defer n.places.mu.Unlock()
		n.giveBack(s)
	}, false
}

// giveBack ends a request of a client of this network, which took a place on a socket, if that is counted.
func (n *network) giveBack(s *place) {
	n.ask(-1)
	n.forget()
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
		if conn := Of(r.Context()); conn != nil {
			if r.ProtoMajor == 1 {
				conn.stopPace() // net/http reads one request at a time
			}
			if r.ProtoMajor == 2 {
				if !conn.place.serve(1) {
					conn.owe(resetCost)         // as if its client had reset it
					panic(http.ErrAbortHandler) // which resets the stream
				}
				defer conn.place.serve(-1)
			}
			asked, isOpen := conn.asks(r.ContentLength == 0)
			if !isOpen {
				panic(http.ErrAbortHandler) // it had to make room, and its client knows of no answer
			}
			defer asked.end()
			defer conn.oweReset(r.Context(), time.Now())
			if r.Context().Err() != nil {
				return // the client has reset the request by now
			}
			if r.ContentLength != 0 {
				with := *r
				with.Body = body{r.Body, asked}
				r = &with
			}
		}
		next.ServeHTTP(w, r)
		if r.ProtoMajor == 2 {
			// Otherwise net/http would wait for the client's window after the request has ended here. It fails if the client is gone.
			_ = http.NewResponseController(w).Flush()
		}
	})
}

// oweReset counts a request that its client reset soon after it began.
func (c *Conn) oweReset(ctx context.Context, begun time.Time) {
	if ctx.Err() != nil && time.Since(begun) <= quickReset {
		c.owe(resetCost)
	}
}

// serve is network.serve for who does not have the lock.
func (s *place) serve(more int) bool {
	s.all().mu.Lock()
	defer s.all().mu.Unlock()
	return s.network.serve(more)
}

// exchange is a request on a socket, and its answer.
type exchange struct {
	conn *Conn
	ours bool // the client has sent all of it
}

// asks begins a request, of which all has come, or only the head. It reports false where the socket has been closed.
func (c *Conn) asks(all bool) (e *exchange, isOpen bool) {
	s := c.place
	s.all().mu.Lock()
	defer s.all().mu.Unlock()
	e = &exchange{conn: c}
	switch {
	case all:
		e.begin()
	case s.waits != nil: // anew: it did say something
		s.waitAnew()
		s.waits.isSpared = false
	}
	return e, !s.isFree
}

// begin ends the wait for the client, if it has not ended: all of the request is here.
func (e *exchange) begin() {
	if e.ours {
		return
	}
	e.ours = true
	e.conn.place.answering++
	e.conn.place.goOn()
}

// came is begin for who does not have the lock. It reports false where the socket has been closed.
func (e *exchange) came() (isOpen bool) {
	s := e.conn.place
	s.all().mu.Lock()
	defer s.all().mu.Unlock()
	e.begin()
	return !s.isFree
}

// end is called when the request was answered.
func (e *exchange) end() {
	s := e.conn.place
	s.all().mu.Lock()
	defer s.all().mu.Unlock()
	if !e.ours {
		return
	}
	if s.answering--; s.answering == 0 && !s.isFree && s.waits == nil {
		s.wait(e.conn)
	}
}

// body is a request's. When all of it has come, the client waits for us.
type body struct {
	io.ReadCloser
	*exchange
}

// Read implements io.Reader.
func (b body) Read(data []byte) (int, error) {
	n, err := b.ReadCloser.Read(data)
	b.conn.owe(-n) // bodies have limits of their own
	if err != nil && !b.came() {
		return n, net.ErrClosed // it had to make room, and its client knows of no answer
	}
	return n, err
}

// Told says that a request was answered, and that its socket is open only for the client to read that. So it makes room for others,
// like one that waits.
func (p *Places) Told(ctx context.Context) {
	conn := Of(ctx)
	if conn == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := conn.place; s.answering == 1 && s.waits == nil && !s.isFree {
		s.wait(conn)
		s.waits.isTold = true
	}
}
