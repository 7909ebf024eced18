package sockets

import "os"

// reserved is how many descriptors a listener sets aside for connections that arrive when there are no others left.
const reserved = 4

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
