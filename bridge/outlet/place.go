package outlet

import (
	"container/list"
	"io"
	"net"
	"net/http"
	"time"
)

// place is a socket's. Its fields belong to the lock of all places. There are as many as sockets, so it is small.
type place struct {
	all     *Places
	network *network   // the narrowest of its peer
	conn    *stallConn // nil when an event loop has the socket
	waits   *waiting   // nil while it does not wait for its client

	answering int32 // requests whose clients wait for us; an event loop's counts as one
	asked     int32 // requests that took a place
	isFree    bool  // the socket is closed, or is being
	isTold    bool  // it is open only for its client to read the last answer
	isSpared  bool  // it was to be closed, but its client had sent something
}

// waiting says how a socket waits for its client.
type waiting struct {
	since time.Duration    // when it began, after the places were made
	in    [4]*list.Element // of the network and each that it is part of
}

// wait begins to wait for the client.
func (s *place) wait() {
	s.waits = &waiting{since: s.all.now()}
	for i, n := 0, s.network; n != nil; i, n = i+1, n.within {
		s.waits.in[i] = n.waiting.PushBack(s)
		if n.within == &s.all.all {
			s.all.crowds.changed(n)
		}
	}
}

// goOn ends the wait for the client.
func (s *place) goOn() {
	if s.waits == nil {
		return
	}
	for i, n := 0, s.network; n != nil; i, n = i+1, n.within {
		n.waiting.Remove(s.waits.in[i])
		if n.within == &s.all.all {
			s.all.crowds.changed(n)
		}
	}
	s.waits = nil
}

// free frees the place, and what the socket's requests have beside it. It may be called again.
func (s *place) free() {
	if s.isFree {
		return
	}
	s.isFree = true
	s.goOn()
	s.network.hold(-int(max(1, s.asked)))
	s.all.forget(s.network)
}

// close is free for who does not have the lock: by the connection, unless it has been handed over, or by the event loop.
func (s *place) close(conn *stallConn) {
	if s == nil {
		return
	}
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	if s.conn == conn {
		s.free()
	}
}

// handOver lets the place outlast the connection: an event loop has its socket from now on.
func (s *place) handOver() {
	if s == nil {
		return
	}
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	s.conn = nil
	s.answering++
	s.goOn()
}

// exchange is a request on a socket, and its answer.
type exchange struct {
	place *place
	ours  bool // the client has sent all of it
}

// asks begins a request, of which all has come, or only the head. It reports false where the socket has been closed.
func (s *place) asks(all bool) (e *exchange, isOpen bool) {
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	e = &exchange{place: s}
	s.isSpared = false
	switch {
	case all:
		e.begin()
	case s.waits != nil: // anew: it did say something
		s.goOn()
		s.wait()
	}
	return e, !s.isFree
}

// begins counts a request of HTTP/2 until ended. It reports false if there are too many: then the request counts like one that was reset.
func (s *place) begins() bool {
	s.all.mu.Lock()
	isServed := s.network.serve(1)
	s.all.mu.Unlock()
	if !isServed {
		s.oweReset()
	}
	return isServed
}

func (s *place) ended() {
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	s.network.serve(-1)
}

// begin ends the wait for the client, if it has not ended: all of the request is here.
func (e *exchange) begin() {
	if e.ours {
		return
	}
	e.ours = true
	e.place.answering++
	e.place.goOn()
}

// came is begin for who does not have the lock. It reports false where the socket has been closed.
func (e *exchange) came() (isOpen bool) {
	e.place.all.mu.Lock()
	defer e.place.all.mu.Unlock()
	e.begin()
	return !e.place.isFree
}

// end is called when the request was answered.
func (e *exchange) end() {
	s := e.place
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	if !e.ours {
		return
	}
	if s.answering--; s.answering == 0 && !s.isFree && s.waits == nil {
		s.wait()
	}
}

// withBody returns the request with a body that ends the wait for the client when it has come.
func withBody(r *http.Request, e *exchange) *http.Request {
	with := *r
	with.Body = body{r.Body, e}
	return &with
}

type body struct {
	io.ReadCloser
	*exchange
}

// Read implements io.Reader.
func (b body) Read(data []byte) (int, error) {
	n, err := b.ReadCloser.Read(data)
	b.place.paceBody(n)
	if err != nil && !b.came() {
		return n, net.ErrClosed // it had to make room, and its client knows of no answer
	}
	return n, err
}
