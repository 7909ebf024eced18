package sockets

import "time"

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
	// What each address sends beyond a quietShare of its rate, and of what it may send at once, is also counted together, and limited to floodedTimes
	// the rate of one address. So many addresses flood no faster than a few, and quiet ones do not wait.
	quietShare   = 16
	floodedTimes = 4
	// mostOwed is for how many seconds a read waits at most for the debt of its address, and mostOwedTogether for that of all floods. More is
	// not owed: a flood would else keep others of its address waiting for as long as it went on.
	mostOwed         = 15
	mostOwedTogether = 5
	// shortRead bounds what is read at once for an address that owes much: then each of its connections is read from soon.
	shortRead = 1 << 10
	// toldWait is how long a connection has to wait before the log says so.
	toldWait = time.Second
)

// debt is what a network has sent and not paid for yet: time pays for it. Its fields belong to the lock of all places.
type debt struct {
	bytes float64
	at    time.Duration // when that was so
}

// owed is what a network owes.
type owed struct {
	debt
	quiet debt // as much of it as a quiet client may send, for the widest networks
}

// add adds bytes to a debt that is paid at a rate, fewer than none to take them back.
func (d *debt) add(bytes, rate float64, now time.Duration) {
	d.bytes = max(0, d.bytes-rate*(now-d.at).Seconds())
	d.bytes, d.at = max(0, d.bytes+bytes), now
}

// owes adds bytes to the debt of a network, fewer than none to take them back, and returns how many are owed beyond what may be sent at
// once, and for how long.
func (n *network) owes(bytes int, now time.Duration) (beyond float64, wait time.Duration) {
	connections := float64(max(n.limit, leastPaced))
	rate := connections * paceRate
	if n.owed == nil {
		n.owed = &owed{}
	}
	n.owed.add(float64(bytes), rate, now)
	n.owed.bytes = min(n.owed.bytes, connections*paceBurst+rate*mostOwed)
	beyond = n.owed.bytes - connections*paceBurst
	return beyond, time.Duration(beyond / rate * float64(time.Second))
}

// owesTogether adds to the debt of all floods what a network sends beyond a quiet client's share, and returns for how long that is more than
// may be sent at once, and whether it soon may be.
func (p *Places) owesTogether(n *network, bytes int, now time.Duration) (wait time.Duration, isNear bool) {
	connections := float64(max(p.limits.Each, leastPaced))
	rate, quiet := connections*paceRate, connections*paceBurst/quietShare
	own := &n.owed.quiet
	own.add(0, rate/quietShare, now)
	sent := own.bytes + float64(bytes)
	own.bytes = min(max(sent, 0), quiet)
	p.flooded.add(sent-own.bytes, rate*floodedTimes, now)
	p.flooded.bytes = min(p.flooded.bytes, connections*paceBurst+rate*floodedTimes*mostOwedTogether)
	if sent <= quiet {
		return 0, false
	}
	beyond := p.flooded.bytes - connections*paceBurst
	return time.Duration(beyond / (rate * floodedTimes) * float64(time.Second)), beyond > -connections*paceBurst/2
}

// paid returns in how long a network owes nothing, also of a quiet client's share.
func (n *network) paid(now time.Duration) time.Duration {
	if n.owed == nil {
		return 0
	}
	_, wait := n.owes(0, now)
	if quiet := n.owed.quiet; n.owed.bytes == 0 && (quiet.bytes == 0 || now-quiet.at >= time.Second*paceBurst/paceRate) {
		return 0
	}
	return max(wait, 0) + time.Second*paceBurst/paceRate
}

// owe counts bytes that were read, for a network and each that it is part of, and returns how long to wait before the next are read, and
// whether less is to be read then.
func (n *network) owe(bytes int) (wait time.Duration, isShort bool) {
	p := n.places
	p.mu.Lock()
	key, held, now := n.key, n.held, p.now()
	for ; n != &p.all; n = n.within {
		beyond, longer := n.owes(bytes, now)
		wait = max(wait, longer)
		if n.within == &p.all {
			together, isNear := p.owesTogether(n, bytes, now)
			wait, isShort = max(wait, together), isShort || isNear
		}
		isShort = isShort || beyond > -float64(max(n.limit, leastPaced)*paceBurst/2)
	}
	p.mu.Unlock()
	if wait > toldWait {
		p.slowed.Do(func() {
			p.limits.Log.Info("an address sends more over TLS than it may beside the bodies of requests; its connections are read from more slowly", "address", key.String(), "connections", held)
		})
	}
	return wait, isShort
}

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
	paid := n.paid(n.places.now())
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
