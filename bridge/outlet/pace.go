package outlet

import (
	"context"
	"crypto/tls"
	"net"
	"sync/atomic"
	"time"
)

// An address may send so many bytes over TLS for each connection that it may have, beside the bodies of requests: handshakes, heads, and
// the frames that steer HTTP/2. A frame of nine bytes costs the process far more than its sender, and a request that is reset at once
// costs net/http some KiB until its handler has run. So an address that sends more is read from more slowly. To a browser, or fifty
// behind one address, this is enough: a hundred requests take some ten KiB.
const (
	paceRate  = 1 << 10 // a second
	paceBurst = 2 << 10 // at once, after a pause
	// handshakeCost is what a handshake counts beside its bytes: it costs the process up to a millisecond.
	handshakeCost = 2 << 10
	// resetCost is what a request counts beside its frames if its client resets it within quickReset: it took net/http a goroutine and some
	// KiB. Who leaves a page resets requests that are older.
	resetCost  = 1 << 10
	quickReset = time.Second
	// leastPaced is for how many connections an address may send at least, if its limit of connections is lower.
	leastPaced = 64
	// What addresses send beyond a quietShare of their rate, and of what they may send at once, has a pace in all: floodedTimes the rate of an
	// address, and what one may send at once. So many addresses flood no faster than a few, and quiet ones do not wait.
	quietShare   = 16
	floodedTimes = 4
	// mostOwed is for how many seconds a read waits at most for the debt of its address, and mostOwedTogether for that of all floods. More is
	// not owed: a flood would else keep others of its address waiting for as long as it went on.
	mostOwed         = 15
	mostOwedTogether = 5
	// shortRead bounds what is read at once for an address that owes much: then its connections have their turns soon.
	shortRead = 1 << 10
	// toldWait is how long a connection has to wait before the log says so.
	toldWait = time.Second
)

// debt is what a network has sent and not paid for yet: time pays for it. Its fields belong to the lock of all places.
type debt struct {
	bytes float64
	at    time.Duration // when that was so
}

// add adds bytes to a debt that is paid at a rate, fewer than none to take them back.
func (d *debt) add(bytes, rate float64, now time.Duration) {
	d.bytes = max(0, d.bytes-rate*(now-d.at).Seconds())
	d.bytes, d.at = max(0, d.bytes+bytes), now
}

// owes adds bytes to the debt of a network, fewer than none to take them back, and returns how many are owed beyond what may be sent at
// once, and for how long.
func (n *network) owes(bytes int, now time.Duration) (beyond float64, wait time.Duration) {
	connections := float64(max(n.room, leastPaced))
	rate := connections * paceRate
	n.debt.add(float64(bytes), rate, now)
	n.debt.bytes = min(n.debt.bytes, connections*paceBurst+rate*mostOwed)
	beyond = n.debt.bytes - connections*paceBurst
	return beyond, time.Duration(beyond / rate * float64(time.Second))
}

// owesTogether adds to the debt of all floods what a network sends beyond a quiet client's share, and returns for how long that is more than
// may be sent at once, and whether it soon may be.
func (p *Places) owesTogether(n *network, bytes int, now time.Duration) (wait time.Duration, isNear bool) {
	connections := float64(max(p.room.Each, leastPaced))
	rate, quiet := connections*paceRate, connections*paceBurst/quietShare
	n.quiet.add(0, rate/quietShare, now)
	sent := n.quiet.bytes + float64(bytes)
	n.quiet.bytes = min(max(sent, 0), quiet)
	p.all.debt.add(sent-n.quiet.bytes, rate*floodedTimes, now)
	p.all.debt.bytes = min(p.all.debt.bytes, connections*paceBurst+rate*floodedTimes*mostOwedTogether)
	if sent <= quiet {
		return 0, false
	}
	beyond := p.all.debt.bytes - connections*paceBurst
	return time.Duration(beyond / (rate * floodedTimes) * float64(time.Second)), beyond > -connections*paceBurst/2
}

// paid returns in how long a network owes nothing, also of a quiet client's share.
func (n *network) paid(now time.Duration) time.Duration {
	_, wait := n.owes(0, now)
	if n.debt.bytes == 0 && (n.quiet.bytes == 0 || now-n.quiet.at >= time.Second*paceBurst/paceRate) {
		return 0
	}
	return max(wait, 0) + time.Second*paceBurst/paceRate
}

// owe counts bytes that were read, for a network and each that it is part of, and returns how long to wait before the next are read, and
// whether less is to be read then.
func (p *Places) owe(n *network, bytes int) (wait time.Duration, isShort bool) {
	p.mu.Lock()
	key, held, now := n.key, n.held, p.now()
	for ; n != &p.all; n = n.within {
		beyond, longer := n.owes(bytes, now)
		wait = max(wait, longer)
		if n.within == &p.all {
			together, isNear := p.owesTogether(n, bytes, now)
			wait, isShort = max(wait, together), isShort || isNear
		}
		isShort = isShort || beyond > -float64(max(n.room, leastPaced)*paceBurst/2)
	}
	p.mu.Unlock()
	if wait > toldWait {
		p.slowed.Do(func() {
			p.room.Log.Info("an address sends more over TLS than it may beside the bodies of requests; its connections are read from more slowly", "address", key.Prefix, "connections", held)
		})
	}
	return wait, isShort
}

// linger keeps a network that nobody holds until it owes nothing: its clients may connect anew. It reports false if it owes nothing.
func (p *Places) linger(n *network) bool {
	paid := n.paid(p.now())
	if paid <= 0 {
		return false
	}
	n.keep(1)
	time.AfterFunc(paid, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		n.keep(-1)
		p.forget(n)
	})
	return true
}

func (n *network) keep(more int) {
	for ; n != nil; n = n.within {
		n.kept += more
	}
}

// pacing is a connection's share of the pace of its address.
type pacing struct {
	isShort atomic.Bool   // less is to be read at once
	hurry   chan struct{} // ends a wait
}

// startPace makes a connection over TLS keep to the pace of its address, if that has a limit of connections.
func (c *stallConn) startPace() {
	if c.place.network.room == 0 {
		return
	}
	c.pacing.Store(&pacing{hurry: make(chan struct{}, 1)})
	c.place.all.owe(c.place.network, handshakeCost)
}

// paceOver makes the connection below another share the pace of its address, if that other is of TLS.
func paceOver(conn net.Conn) {
	if _, isTLS := conn.(*tls.Conn); !isTLS {
		return
	}
	if ours := below(conn); ours != nil {
		ours.startPace()
	}
}

// Read implements net.Conn. What was read is returned when it is the connection's turn by the pace of its address.
func (c *stallConn) Read(data []byte) (int, error) {
	pacing := c.pacing.Load()
	if pacing == nil {
		return c.Conn.Read(data)
	}
	if pacing.isShort.Load() {
		data = data[:min(len(data), shortRead)]
	}
	n, err := c.Conn.Read(data)
	if n > 0 {
		pacing.wait(c.place.all.owe(c.place.network, n))
	}
	return n, err
}

func (p *pacing) wait(wait time.Duration, isShort bool) {
	p.isShort.Store(isShort)
	if wait <= 0 {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.hurry:
	}
}

// hurryUp ends the wait of a Read.
func (c *stallConn) hurryUp() {
	if pacing := c.pacing.Load(); pacing != nil {
		select {
		case pacing.hurry <- struct{}{}:
		default:
		}
	}
}

// SetReadDeadline implements net.Conn. One that has passed ends a Read that waits, as net/http does before it lets a connection go.
func (c *stallConn) SetReadDeadline(t time.Time) error {
	err := c.Conn.SetReadDeadline(t)
	if !t.IsZero() && !t.After(time.Now()) {
		c.hurryUp()
	}
	return err
}

// stopPace lets the connection be read from as fast as it sends.
func (s *place) stopPace() {
	if conn := s.connection(); conn != nil {
		conn.pacing.Store(nil)
	}
}

// paceBody takes back what was counted of a body: bodies have limits of their own.
func (s *place) paceBody(bytes int) {
	if conn := s.connection(); conn != nil && conn.pacing.Load() != nil {
		s.all.owe(s.network, -bytes)
	}
}

// paceReset counts a request that its client reset soon after it began.
func (s *place) paceReset(ctx context.Context, begun time.Duration) {
	if ctx.Err() != nil && s.all.now()-begun <= quickReset {
		s.oweReset()
	}
}

func (s *place) oweReset() {
	if conn := s.connection(); conn != nil && conn.pacing.Load() != nil {
		s.all.owe(s.network, resetCost)
	}
}

// connection returns the place's connection, nil if an event loop has the socket.
func (s *place) connection() *stallConn {
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	return s.conn
}
