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
	waits   *waiting   // nil while it is not the client's turn

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

// wait begins the client's turn.
func (s *place) wait() {
	s.waits = &waiting{since: s.all.now()}
	for i, n := 0, s.network; n != nil; i, n = i+1, n.within {
		s.waits.in[i] = n.waiting.PushBack(s)
		if n.within == &s.all.all {
			s.all.crowds.changed(n)
		}
	}
}

// goOn ends the client's turn.
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

// turn is a request on a socket.
type turn struct {
	place *place
	ours  bool // the client has sent all of it
}

// asks begins a request, of which all has come, or only the head. It reports false where the socket has been closed.
func (s *place) asks(all bool) (t *turn, isOpen bool) {
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	t = &turn{place: s}
	s.isSpared = false
	switch {
	case all:
		t.begin()
	case s.waits != nil: // anew: it did say something
		s.goOn()
		s.wait()
	}
	return t, !s.isFree
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

// begin ends the client's turn, if it has not ended.
func (t *turn) begin() {
	if t.ours {
		return
	}
	t.ours = true
	t.place.answering++
	t.place.goOn()
}

// came is begin for who does not have the lock. It reports false where the socket has been closed.
func (t *turn) came() (isOpen bool) {
	t.place.all.mu.Lock()
	defer t.place.all.mu.Unlock()
	t.begin()
	return !t.place.isFree
}

// end is called when the request was answered.
func (t *turn) end() {
	s := t.place
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	if !t.ours {
		return
	}
	if s.answering--; s.answering == 0 && !s.isFree && s.waits == nil {
		s.wait()
	}
}

// withBody returns the request with a body that ends the client's turn when it has come.
func withBody(r *http.Request, t *turn) *http.Request {
	with := *r
	with.Body = body{r.Body, t}
	return &with
}

type body struct {
	io.ReadCloser
	turn *turn
}

// Read implements io.Reader.
func (b body) Read(data []byte) (int, error) {
	n, err := b.ReadCloser.Read(data)
	b.turn.place.paceBody(n)
	if err != nil && !b.turn.came() {
		return n, net.ErrClosed // it had to make room, and its client knows of no answer
	}
	return n, err
}
