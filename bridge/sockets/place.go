package sockets

import (
	"container/list"
	"time"
)

// place is a socket's. Its fields belong to the lock of all places. There are as many as sockets, so it is small.
type place struct {
	network   *network // the narrowest of its peer
	waits     *waiting // nil while it does not wait for its client
	answering int32    // requests whose clients wait for us; an event loop's counts as one
	asked     int32    // requests that took a place
	isFree    bool     // the socket is closed, or is being
}

// waiting says how a socket waits for its client.
type waiting struct {
	conn     *Conn
	since    time.Duration    // when it began, after the places were made
	in       [4]*list.Element // of the network and each that it is part of
	isTold   bool             // it is open only for its client to read the last answer
	isSpared bool             // it was to be closed, but its client had sent something
}

// cut closes the socket, which has lost its place.
func (w *waiting) cut() {
	if w.isTold {
		_ = w.conn.Close() // after the client has its answer
		return
	}
	w.conn.Cut()
}

// wait begins to wait for the client of a connection.
func (s *place) wait(conn *Conn) {
	s.waits = &waiting{conn: conn, since: s.all().now()}
	for i, n := 0, s.network; n != nil; i, n = i+1, n.within {
		s.waits.in[i] = n.waiting.PushBack(s)
		n.waitersChanged()
	}
}

// waitAnew makes the socket, which waits, the newest that does.
func (s *place) waitAnew() {
	s.waits.since = s.all().now()
	for i, n := 0, s.network; n != nil; i, n = i+1, n.within {
		n.waiting.MoveToBack(s.waits.in[i])
		n.waitersChanged()
	}
}

// goOn ends the wait for the client.
func (s *place) goOn() {
	if s.waits == nil {
		return
	}
	for i, n := 0, s.network; n != nil; i, n = i+1, n.within {
		n.waiting.Remove(s.waits.in[i])
		n.waitersChanged()
	}
	s.waits = nil
}

func (s *place) all() *Places { return s.network.places }

// free frees the place, and what the socket's requests have beside it. It may be called again.
func (s *place) free() {
	if s.isFree {
		return
	}
	s.isFree = true
	s.goOn()
	s.network.hold(-int(max(1, s.asked)))
	s.network.forget()
}

// close is free for who does not have the lock: the connection, or the event loop that has its socket.
func (s *place) close() {
	s.all().mu.Lock()
	defer s.all().mu.Unlock()
	s.free()
}

// handOver lets the place outlast the connection: an event loop has its socket from now on.
func (s *place) handOver() {
	s.all().mu.Lock()
	defer s.all().mu.Unlock()
	s.answering++
	s.goOn()
}
