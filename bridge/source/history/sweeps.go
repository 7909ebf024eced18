package history

import (
	"context"
	"slices"
	"sync"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

const (
	// maxSweeps is how many sweeps of one stream are remembered.
	maxSweeps = 16
	// maxSwept is how many messages the sweeps of one stream may remember together, but for the last that was used: of each,
	// eight bytes.
	maxSwept = 4 << 20
)

// sweeps are the sweeps of one stream, one for each filter; the newest one serves also those who read as of an earlier sequence:
// a subject that had a newer message since is replayed to them from there on.
type sweeps struct {
	alive   context.Context
	running sync.WaitGroup // none begins once alive has ended and closed is set
	closed  bool

	mu  sync.Mutex
	all []*sweep // the one used last is the last
}

// close waits for all, once alive has ended.
func (s *sweeps) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.running.Wait()
}

// begin lets a sweep run.
func (s *sweeps) begin(run func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return bridge.ErrClosed
	}
	s.running.Go(run)
	return nil
}

// get returns the sweep of a filter, if it is good for who reads as of that sequence.
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

// put adds a sweep in the place of an earlier one of its filter, and lets go of those that were unused for longest: all but this
// one, if they remember too much.
func (s *sweeps) put(made *sweep) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(slices.DeleteFunc(s.all, func(of *sweep) bool { return of.filter == made.filter }), made)
	sum := 0
	for i := len(s.all) - 1; i >= 0; i-- {
		if sum += int(s.all[i].size.Load()); (sum > maxSwept || len(s.all)-i > maxSweeps) && i < len(s.all)-1 {
			s.all = slices.Delete(s.all, 0, i+1)
			return
		}
	}
}

// swept returns the newest messages of a filter from one sequence up to another, as of upTo or later, or as far as one read goes.
func (h *History) swept(ctx context.Context, filter bridge.Subject, from, through, upTo uint64) (found []js.Entry, reached uint64, err error) {
	of := h.sweeps.get(filter, upTo)
	if of == nil {
		info, err := h.info(ctx, "")
		if err != nil {
			return nil, 0, err
		}
		of = &sweep{history: h, filter: filter, upTo: max(upTo, info.State.LastSeq), news: make(chan struct{})}
		h.sweeps.put(of)
	}
	return of.stretch(ctx, from, through)
}
