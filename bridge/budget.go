package bridge

import "sync"

// Budget limits the memory that requests use together, in bytes, and how much of it one caller may use.
//
// A caller may use a share of what is free, which shrinks as others use more. So nobody gets the last bytes, and a new caller always finds room.
// A Budget must not be copied.
type Budget struct {
	total int64
	ratio float64 // how much a caller may hold per free byte

	mu      sync.Mutex
	held    int64
	by      map[string]int64 // bytes by caller; no entry for 0
	refused uint64
}

// NewBudget returns a budget for total bytes, of which a single caller may hold most. most is at most half of total.
func NewBudget(total, most int64) *Budget {
	most = min(most, total/2)
	return &Budget{total: total, ratio: float64(most) / float64(max(1, total-most)), by: map[string]int64{}}
}

// BudgetStats are for metrics, not for decisions.
type BudgetStats struct {
	Total, Held int64  // bytes
	Refused     uint64 // calls of Share.Take that found no room
}

// Stats returns the present state.
func (b *Budget) Stats() BudgetStats {
	b.mu.Lock()
	defer b.mu.Unlock()
	return BudgetStats{Total: b.total, Held: b.held, Refused: b.refused}
}

// Share opens the share of one request of a caller, who is named by the key of limits. The share must be closed.
func (b *Budget) Share(caller string) *Share { return &Share{budget: b, caller: caller} }

// Share is the memory of one request. Its methods are for one goroutine at a time.
type Share struct {
	budget *Budget
	caller string
	held   int64
}

// Caller returns the caller of the share.
func (s *Share) Caller() string { return s.caller }

// Take adds bytes to the share, and reports whether there was room. Without room nothing is added.
func (s *Share) Take(bytes int64) bool {
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	free := b.total - b.held - bytes
	if float64(b.by[s.caller]+bytes) > float64(free)*b.ratio {
		b.refused++
		return false
	}
	b.held += bytes
	b.by[s.caller] += bytes
	s.held += bytes
	return true
}

// Close frees the whole share. It may be called more than once.
func (s *Share) Close() {
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held -= s.held
	if b.by[s.caller] -= s.held; b.by[s.caller] == 0 {
		delete(b.by, s.caller)
	}
	s.held = 0
}
