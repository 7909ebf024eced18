package outlet

import (
	"net/http"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tailwater/tailwater/bridge"
)

// loop writes to many sockets from one goroutine, and never waits for any of them: what a socket does not take at once
// waits until the poller says that there is room. Everything but the queue belongs to that goroutine.
type loop struct {
	outlet  *Outlet
	poller  *poller
	wake    bridge.Signal
	stop    chan struct{}
	writing sync.WaitGroup // run
	polling sync.WaitGroup

	mu     sync.Mutex
	queued []turner
	spare  []turner
	ended  bool // there are no more turns

	start       time.Time
	now         time.Duration // since start
	clock       time.Time     // what the clock on the wall says, which may be set
	sockets     []*socket     // by descriptor
	generations int32
	groups      map[bridge.Kin]*group
	alone       map[bridge.Kin]*socket // the last that was found level, where there is no group
	wheel       *wheel
	rechecks    *order
	batch       [][]byte
	joined      []byte
	packet      packet
}

// turner has a turn when it was woken: a socket or a group.
type turner interface {
	turn()
	queuing() *bool // whether it is in the queue, guarded by the loop's lock
}

// startLoops starts the loops that the outlet is to have.
func startLoops(o *Outlet) ([]*loop, error) {
	var loops []*loop
	for range o.config.Loops {
		l, err := startLoop(o)
		if err != nil {
			for _, l := range loops {
				l.close()
			}
			return nil, err
		}
		loops = append(loops, l)
	}
	return loops, nil
}

func startLoop(o *Outlet) (*loop, error) {
	poller, err := newPoller()
	if err != nil {
		return nil, err
	}
	l := &loop{
		outlet: o,
		poller: poller,
		wake:   bridge.NewSignal(),
		stop:   make(chan struct{}),
		start:  time.Now(),
		groups: map[bridge.Kin]*group{},
		alone:  map[bridge.Kin]*socket{},
		wheel:  newWheel(tick(o.config)),
	}
	l.rechecks = &order{loop: l, do: (*socket).recheck}
	l.writing.Go(l.run)
	l.polling.Go(func() {
		if err := poller.run(); err != nil {
			o.config.Log.Error("connections that hang up are noticed late", "error", err)
		}
	})
	return l, nil
}

// tick gives how exactly a loop keeps its times: finely enough for the shortest of them.
func tick(c Config) time.Duration {
	const finest, coarsest = 5 * time.Millisecond, 250 * time.Millisecond
	return max(finest, min(coarsest, min(c.Heartbeat, c.WriteTimeout, c.Age)/64))
}

// hand gives a socket to the loop that is to write it. Where the loop has ended, the client is told to come back. The body is chunked
// where the client knows chunks.
func (o *Outlet) hand(taken taken, header http.Header, chunked bool, reader *bridge.Reader, terms bridge.Terms) {
	l := o.loops[taken.fd%len(o.loops)]
	s := &socket{loop: l, taken: taken, reader: reader, revoked: terms.Revoked, ended: terms.Ended, expires: terms.Until, first: head(header, chunked), chunked: chunked, room: leastRoom}
	s.timer.socket = s
	if !l.enqueue(s) {
		s.refuse()
	}
}

// enqueue gives a turn, once however often it is called before. It reports false where there are no more turns.
func (l *loop) enqueue(t turner) bool {
	l.mu.Lock()
	queued := t.queuing()
	if l.ended || *queued {
		defer l.mu.Unlock()
		return !l.ended
	}
	*queued = true
	l.queued = append(l.queued, t)
	isFirst := len(l.queued) == 1
	l.mu.Unlock()
	if isFirst {
		l.wake.Wake()
	}
	return true
}

// run writes until the loop is closed.
func (l *loop) run() {
	ticks := time.NewTicker(l.wheel.tick)
	defer ticks.Stop()
	for {
		select {
		case <-l.wake:
			l.refresh()
			l.turns()
		case events := <-l.poller.events:
			l.refresh()
			for i := range events {
				l.handle(&events[i])
			}
			l.poller.done <- struct{}{}
		case <-ticks.C:
			l.refresh()
			l.wheel.turn(l.now, (*socket).look)
		case <-l.stop:
			l.shut()
			return
		}
	}
}

// refresh looks at the clock, once for all that is done in a round.
func (l *loop) refresh() {
	l.now = time.Since(l.start)
	l.clock = l.outlet.clock()
}

// turns lets all have their turn that were woken. Who is woken meanwhile comes in the next round.
func (l *loop) turns() {
	l.mu.Lock()
	turns := l.queued
	l.queued, l.spare = l.spare[:0], turns
	for _, t := range turns {
		*t.queuing() = false
	}
	l.mu.Unlock()
	for i, t := range turns {
		t.turn()
		turns[i] = nil
	}
}

func (l *loop) handle(event *unix.EpollEvent) {
	s := l.sockets[event.Fd]
	if s == nil || s.generation != event.Pad {
		return // it was closed meanwhile
	}
	if event.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		s.hungUp()
		return
	}
	if event.Events&unix.EPOLLIN != 0 {
		s.discard()
	}
	if event.Events&unix.EPOLLOUT != 0 {
		s.flush()
	}
}

// drain asks every client to come back, one after the other.
func (l *loop) drain() { l.enqueue(&order{loop: l, do: (*socket).drain}) }

// cut ends every connection at once.
func (l *loop) cut() { l.enqueue(&order{loop: l, do: func(s *socket) { s.close(endDrain) }}) }

// recheck ends the connections whose terms have been revoked. Called often, it is done once.
func (l *loop) recheck() { l.enqueue(l.rechecks) }

// order is something to be done with every socket.
type order struct {
	loop   *loop
	do     func(*socket)
	queued bool
}

func (o *order) queuing() *bool { return &o.queued }

func (o *order) turn() {
	for _, s := range o.loop.sockets {
		if s != nil {
			o.do(s)
		}
	}
}

// close ends the loop, and cuts the connections that it has.
func (l *loop) close() {
	close(l.stop)
	l.writing.Wait()
	l.poller.close()
	l.polling.Wait()
}

// shut cuts all connections, also those that have only just come.
func (l *loop) shut() {
	l.mu.Lock()
	l.ended = true
	l.mu.Unlock()
	l.turns()
	for _, s := range l.sockets {
		if s != nil {
			s.close(endDrain)
		}
	}
}
