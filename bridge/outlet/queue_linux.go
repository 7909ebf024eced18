package outlet

import (
	"sync"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// loop writes to many sockets from one goroutine, and never waits for any of them. If a socket does not accept all data, the rest waits until the
// poller reports room. Everything but the queue belongs to that goroutine.
type loop struct {
	outlet  *Outlet
	poller  *poller
	wake    bridge.Signal
	stop    chan struct{}
	writing sync.WaitGroup // run
	polling sync.WaitGroup

	mu     sync.Mutex
	queued []worker
	spare  []worker
	ended  bool // nothing is queued any more

	start       time.Time
	now         time.Duration // since start
	clock       time.Time     // the system clock, which may be set
	observed    time.Duration // when the last observation was made, since start
	unobserved  int           // writes that pass without an observation
	sockets     []*socket     // by descriptor
	generations int32
	groups      map[bridge.Kin]*group
	alone       map[bridge.Kin]*socket // the last level socket of each kin without a group
	wheel       *wheel
	rechecks    *visit
	batch       [][]byte
	joined      []byte
	packet      packet
}

// worker is a socket, a group, or a visit; it works after it was woken.
type worker interface {
	work()
	queuing() *bool // whether it is in the queue, guarded by the loop's lock
}

// enqueue queues a worker, once for any number of calls before it. It reports false if the loop has ended.
func (l *loop) enqueue(w worker) bool {
	l.mu.Lock()
	queued := w.queuing()
	if l.ended || *queued {
		defer l.mu.Unlock()
		return !l.ended
	}
	*queued = true
	l.queued = append(l.queued, w)
	isFirst := len(l.queued) == 1
	l.mu.Unlock()
	if isFirst {
		l.wake.Wake()
	}
	return true
}

// runQueue runs the queue of those that were woken. Those woken meanwhile follow in the next round.
func (l *loop) runQueue() {
	l.mu.Lock()
	woken := l.queued
	l.queued, l.spare = l.spare[:0], woken
	for _, w := range woken {
		*w.queuing() = false
	}
	l.mu.Unlock()
	for i, w := range woken {
		w.work()
		woken[i] = nil
	}
}

// refresh reads the clock once for everything in a round.
func (l *loop) refresh() {
	l.now = time.Since(l.start)
	l.clock = l.outlet.clock()
	if l.now-l.observed >= observeEvery {
		l.unobserved = 0
	}
}

// observe is Outlet.observe for one write in observeEvery, and for one in observeEach.
func (l *loop) observe(since int64) {
	if l.unobserved > 0 {
		l.unobserved--
		return
	}
	if since != 0 {
		l.observed, l.unobserved = l.now, observeEach-1
		l.outlet.observe(since)
	}
}
