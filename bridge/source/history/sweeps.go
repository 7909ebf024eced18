package history

import (
	"context"
	"slices"
	"sync"

	"github.com/tailwater/tailwater/bridge"
)

const (
	// maxSweeps is how many sweeps of one stream are remembered.
	maxSweeps = 16
	// maxSwept limits how many messages the sweeps of one stream remember together when another one begins; each takes eight bytes.
	maxSwept = 4 << 20
)

// sweeps are the sweeps of one stream, one for each filter. The newest also serves readers as of an earlier sequence: they get
// the later messages by replay.
type sweeps struct {
	alive   context.Context
	running sync.WaitGroup

	mu     sync.Mutex
	closed bool     // none starts any more
	all    []*sweep // in the order of use; the one used last is the last
}

// close waits for all sweeps, after alive has ended.
func (s *sweeps) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.running.Wait()
}

// get returns the sweep of a filter, if it can serve a reader as of that sequence.
func (s *sweeps) get(filter bridge.Subject, upTo uint64) *sweep {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.all, func(of *sweep) bool { return of.filter == filter && of.upTo >= upTo })
	if i < 0 {
		return nil
	}
	found := s.all[i]
	s.all = append(slices.Delete(s.all, i, i+1), found)
	return found
}

// put adds a sweep, replacing an earlier one of its filter. If the sweeps remember too much, it drops those unused for longest.
func (s *sweeps) put(made *sweep) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(slices.DeleteFunc(s.all, func(of *sweep) bool { return of.filter == made.filter }), made)
	sum := 0
	for i := len(s.all) - 1; i >= 0; i-- {
		if sum += len(s.all[i].seqs); sum > maxSwept || len(s.all)-i > maxSweeps {
			s.all = slices.Delete(s.all, 0, i+1)
			return
		}
	}
}
