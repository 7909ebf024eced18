package sockets

import "time"

// admit gives a connection a place, and reports whether there is one. It may close a waiting socket for that. If all places are taken, and the
// socket to close has only just arrived, later says when to call admit again.
func (p *Places) admit(conn *Conn) (isAdmitted bool, later time.Duration) {
	p.mu.Lock()
	s := &place{network: p.ofPeer(addressOf(conn.RemoteAddr()))}
	s.network.hold(1)
	s.wait(conn)
	out, full, later := p.evictFor(s.network, s, youth)
	s.waitAnew() // sockets that were spared for it have become the newest, though it came later
	if full == nil {
		conn.place = s
	} else {
		s.free()
		if later == 0 {
			p.refused++
		}
	}
	p.mu.Unlock()
	cutAll(out)
	if full != nil && later == 0 || len(out) > 0 {
		p.tell()
	}
	return full == nil, later
}

// youth is how long a socket has, at least, to send a request: when many arrive at once, some need a moment to be read.
const youth = 10 * time.Millisecond

// evictFor checks whether a network, and each that it is part of, can have the new place. If one has none, a waiting socket loses its
// place, and has to be cut. If none but the fresh one waits, or none has waited for the least time, the network is returned as full. Only
// the network of all clients asks to try again later: if a full address did, every other client would wait.
func (p *Places) evictFor(n *network, fresh *place, least time.Duration) (out []*waiting, full *network, later time.Duration) {
	for ; n != nil; n = n.within {
		if n.held <= n.most() {
			continue
		}
		oldest := p.closeable(n)
		if oldest == nil || oldest == fresh && n.waiting.Len() == 1 {
			return out, n, 0
		}
		if age := p.now() - oldest.waits.since; age < least || oldest == fresh { // which may be old by now: to spare many takes a while
			if n != &p.all {
				return out, n, 0
			}
			return out, n, max(1, least-age)
		}
		out = append(out, p.letGo(oldest))
	}
	return out, nil, 0
}

// closeable returns the socket of a network to close first, nil if none waits. A socket with unread data is spared once, and becomes the newest of
// those that wait: a proxy that is cut off in the middle of a request answers 502, which ends an EventSource for good.
func (p *Places) closeable(n *network) *place {
	for {
		of := n
		if n == &p.all && len(p.crowds) > 0 {
			of = p.crowds[0]
		}
		oldest := of.oldest()
		if oldest == nil || oldest.waits.isSpared || unread(oldest.waits.conn.Conn) == 0 {
			return oldest
		}
		oldest.waits.isSpared = true
		oldest.waitAnew()
	}
}

// evict closes one waiting socket, the one that is closed first. It reports false if none waits.
func (p *Places) evict() bool {
	p.mu.Lock()
	oldest := p.closeable(&p.all)
	if oldest == nil {
		p.mu.Unlock()
		return false
	}
	out := p.letGo(oldest)
	p.mu.Unlock()
	out.cut()
	return true
}

// letGo takes the place of a waiting socket. The caller cuts the socket after it has released the lock.
func (p *Places) letGo(s *place) *waiting {
	out := s.waits
	s.free()
	p.evicted++
	return out
}

func cutAll(out []*waiting) {
	for _, w := range out {
		w.cut()
	}
}
