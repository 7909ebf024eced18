package sockets

import (
	"os"
	"sync"
	"time"
)

// exhaustedPause is how long a listener waits before it tries again.
const exhaustedPause = 50 * time.Millisecond

// reserved is how many descriptors a listener sets aside for connections that arrive when there are no others left.
const reserved = 4

// reserve is the descriptors that a listener has set aside.
type reserve struct {
	mu       sync.Mutex
	isClosed bool
	files    []*os.File
}

// setAside opens the descriptors to give up when others have run out.
func (r *reserve) setAside() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.files) < reserved && !r.isClosed {
		file, err := os.Open(os.DevNull)
		if err != nil {
			return // they have run out
		}
		r.files = append(r.files, file)
	}
}

// giveUp frees a descriptor that was set aside. It reports false if there is none.
func (r *reserve) giveUp() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := len(r.files) - 1
	if last < 0 {
		return false
	}
	_ = r.files[last].Close()
	r.files = r.files[:last]
	return true
}

// letGo frees all descriptors that were set aside, for good.
func (r *reserve) letGo() {
	r.mu.Lock()
	r.isClosed = true
	r.mu.Unlock()
	for r.giveUp() {
	}
}
