package outlet

import "time"

// admit returns a place for a socket, nil if there is none. It may close another socket that waits. If all places are taken, and the
// socket to close has only just been accepted, admit returns how much later to call it again.
func (p *Places) admit(conn *patient) (s *place, later time.Duration) {
	p.mu.Lock()
	s = &place{all: p, conn: conn, network: p.ofPeer(addressOf(conn.RemoteAddr()))}
	s.network.hold(1)
	s.wait()
	out, full, later := p.makeRoom(s.network, s, youth)
	if full != nil {
		s.free()
		s = nil
		if later == 0 {
			p.refused++
		}
	}
	p.mu.Unlock()
	cutAll(out)
	if full != nil && later == 0 || len(out) > 0 {
		p.tell()
	}
	return s, later
}

// youth is how long a socket has, at least, to tell what it is for: some need a moment to be read from when many come at once.
const youth = 10 * time.Millisecond

// makeRoom checks that a network, and each that it is part of, has room for the place that it was given. If one has none, a socket
// that waits loses its place, and is to be cut. If no socket waits but the fresh one, or none has waited for the least time, the network
// is returned as full. Only the network of all asks to try again later: a full address would make everybody else wait.
func (p *Places) makeRoom(n *network, fresh *place, least time.Duration) (out []evicted, full *network, later time.Duration) {
	for ; n != nil; n = n.within {
		if n.held <= n.most() {
			continue
		}
		oldest := n.oldest()
		if n == &p.all {
			oldest = p.crowds.oldest()
		}
		if oldest == nil || oldest == fresh {
			return out, n, 0
		}
		if age := p.now() - oldest.waits.since; age < least {
			if n != &p.all {
				return out, n, 0
			}
			return out, n, least - age
		}
		out = append(out, p.letGo(oldest))
	}
	return out, nil, 0
}

// now gives the time since the places were made.
func (p *Places) now() time.Duration { return time.Since(p.start) }

// evict closes the socket that it would close to make room. It reports false where none waits.
func (p *Places) evict() bool {
	p.mu.Lock()
	oldest := p.crowds.oldest()
	if oldest == nil {
		p.mu.Unlock()
		return false
	}
	out := p.letGo(oldest)
	p.mu.Unlock()
	out.cut()
	return true
}

// evicted is a connection that has lost its place.
type evicted struct {
	conn   *patient
	isTold bool
}

// letGo takes its place from a socket that waits. It is to be cut when the lock is free.
func (p *Places) letGo(s *place) evicted {
	s.free()
	p.evicted++
	return evicted{s.conn, s.isTold}
}

func (e evicted) cut() {
	if e.isTold {
		_ = e.conn.Close() // and the client has what it was told
		return
	}
	e.conn.cut()
}

func cutAll(out []evicted) {
	for _, e := range out {
		e.cut()
	}
}
