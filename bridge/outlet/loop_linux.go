package outlet

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/tailwater/tailwater/bridge"
)

// startLoops starts the outlet's loops.
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
	l.rechecks = &visit{loop: l, do: (*socket).recheck, then: func() {}}
	l.writing.Go(l.run)
	l.polling.Go(func() {
		if err := poller.run(); err != nil {
			o.config.Log.Error("disconnected clients are noticed late", "error", err)
		}
	})
	return l, nil
}

// tick returns the resolution of a loop's timers, fine enough for the shortest of them.
func tick(c Config) time.Duration {
	const finest, coarsest = 5 * time.Millisecond, 250 * time.Millisecond
	return max(finest, min(coarsest, min(c.Heartbeat, c.WriteTimeout, c.Age)/64))
}

// run writes until the loop is closed.
func (l *loop) run() {
	ticks := time.NewTicker(l.wheel.tick)
	defer ticks.Stop()
	for {
		select {
		case <-l.wake:
			l.refresh()
			l.runQueue()
		case events := <-l.poller.events:
			l.refresh()
			for i := range events {
				l.handle(&events[i])
			}
			l.poller.done <- struct{}{}
		case <-ticks.C:
			l.refresh()
			l.wheel.advance(l.now, (*socket).look)
		case <-l.stop:
			l.shut()
			return
		}
	}
}

func (l *loop) handle(event *unix.EpollEvent) {
	s := l.sockets[event.Fd]
	if s == nil || s.generation != event.Pad {
		return // closed meanwhile
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

// drain asks every client to reconnect, one after another.
func (l *loop) drain() { l.visit((*socket).drain, func() {}) }

// cut ends every connection.
func (l *loop) cut() { l.visit(func(s *socket) { s.close(endDrain) }, func() {}) }

// recheck ends the connections whose tokens have been revoked.
func (l *loop) recheck() { l.rechecks.begin() }

// kick ends the connections that match, and returns how many.
func (l *loop) kick(match func(bridge.Lifetime, []bridge.Subject) bool) (kicked int) {
	done := make(chan struct{})
	l.visit(func(s *socket) {
		of, isThere := s.whose()
		if s.state == stateOpen && isThere && match(of, s.reader.Feed().Subjects()) {
			s.end(endKick)
			s.set()
			kicked++
		}
	}, func() { close(done) })
	<-done
	return kicked
}

// close ends the loop, and cuts its connections.
func (l *loop) close() {
	close(l.stop)
	l.writing.Wait()
	l.poller.close()
	l.polling.Wait()
}

// shut cuts all connections, also new ones.
func (l *loop) shut() {
	l.mu.Lock()
	l.ended = true
	l.mu.Unlock()
	l.runQueue()
	for _, s := range l.sockets {
		if s != nil {
			s.close(endDrain)
		}
	}
}
