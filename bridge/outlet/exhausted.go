package outlet

import (
	"net"
	"os"
	"time"
)

const (
	// reserved is how many descriptors a listener sets aside for connections that arrive when there are no others left.
	reserved = 4
	// exhaustedPause is how long the listener waits before it tries again.
	exhaustedPause = 50 * time.Millisecond
)

// accept accepts a connection, even if descriptors have run out: then it gives up a descriptor that was set aside, until that connection is
// closed, or closes a socket that waits. Other errors are returned.
func (l *listener) accept() (conn net.Conn, isLent bool, _ error) {
	for {
		l.setAside()
		conn, err := l.Listener.Accept()
		if err == nil || !isExhausted(err) {
			return conn, false, err
		}
		l.places.exhausted(err)
		if !l.comes() { // accept also fails when no connection is pending
			continue
		}
		if !l.giveUp() && !l.places.evict() {
			l.pause()
			continue
		}
		if conn, err := l.Listener.Accept(); err == nil {
			return conn, true, nil
		}
	}
}

// setAside opens the descriptors to give up when others have run out.
func (l *listener) setAside() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.reserve) < reserved && !l.isClosed {
		file, err := os.Open(os.DevNull)
		if err != nil {
			return // they have run out
		}
		l.reserve = append(l.reserve, file)
	}
}

// giveUp frees a descriptor that was set aside. It reports false if there is none.
func (l *listener) giveUp() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := len(l.reserve) - 1
	if last < 0 {
		return false
	}
	_ = l.reserve[last].Close()
	l.reserve = l.reserve[:last]
	return true
}

// letGo frees all descriptors that were set aside, for good.
func (l *listener) letGo() {
	l.mu.Lock()
	l.isClosed = true
	l.mu.Unlock()
	for l.giveUp() {
	}
}

// pause waits a moment, or until the listener is closed.
func (l *listener) pause() {
	select {
	case <-time.After(exhaustedPause):
	case <-l.open.Done():
	}
}
