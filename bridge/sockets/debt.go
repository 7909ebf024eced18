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

// add adds bytes to a debt that is paid at a rate. A negative number takes bytes back.
func (d *debt) add(bytes, rate float64, now time.Duration) {
	d.bytes = max(0, d.bytes-rate*(now-d.at).Seconds())
	d.bytes, d.at = max(0, d.bytes+bytes), now
}

// owe adds bytes to the debt of a network that may have so many connections. It returns how many bytes the debt is above what may be sent at
// once, and for how long. A negative number takes bytes back.
func (o *owed) owe(bytes, connections float64, now time.Duration) (beyond float64, wait time.Duration) {
	rate := connections * paceRate
	o.add(bytes, rate, now)
	o.bytes = min(o.bytes, connections*paceBurst+rate*mostOwed)
	beyond = o.bytes - connections*paceBurst
	return beyond, time.Duration(beyond / rate * float64(time.Second))
}

// flood adds to the debt of all floods what a network sends beyond a quiet client's share, and returns for how long that is more than may be
// sent at once, and whether it soon may be.
func (o *owed) flood(all *debt, bytes, connections float64, now time.Duration) (wait time.Duration, isNear bool) {
	rate, quiet := connections*paceRate, connections*paceBurst/quietShare
	o.quiet.add(0, rate/quietShare, now)
	sent := o.quiet.bytes + bytes
	o.quiet.bytes = min(max(sent, 0), quiet)
	all.add(sent-o.quiet.bytes, rate*floodedTimes, now)
	all.bytes = min(all.bytes, connections*paceBurst+rate*floodedTimes*mostOwedTogether)
	if sent <= quiet {
		return 0, false
	}
	beyond := all.bytes - connections*paceBurst
	return time.Duration(beyond / (rate * floodedTimes) * float64(time.Second)), beyond > -connections*paceBurst/2
}

// paid returns in how long a network owes nothing, also of a quiet client's share.
func (o *owed) paid(connections float64, now time.Duration) time.Duration {
	_, wait := o.owe(0, connections, now)
	if o.bytes == 0 && (o.quiet.bytes == 0 || now-o.quiet.at >= time.Second*paceBurst/paceRate) {
		return 0
	}
	return max(wait, 0) + time.Second*paceBurst/paceRate
}
