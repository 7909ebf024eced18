package bridge

import "sync"

// Ledger limits the memory that requests use together, in bytes, and how much of it one caller may use.
//
// A caller may use a part of what is free, which shrinks as others use more. So nobody gets the last bytes, and a new caller always finds room.
// A Ledger must not be copied.
type Ledger struct {
	total int64
	ratio float64 // how much a caller may hold per free byte

	mu      sync.Mutex
	held    int64
	by      map[string]int64 // bytes by caller; no entry for 0
	refused uint64
}

// NewLedger returns a ledger for total bytes, of which a single caller may hold most. most is at most half of total.
func NewLedger(total, most int64) *Ledger {
	most = min(most, total/2)
	return &Ledger{total: total, ratio: float64(most) / float64(max(1, total-most)), by: map[string]int64{}}
}

// LedgerStats are for metrics, not for decisions.
type LedgerStats struct {
	Total, Held int64  // bytes
	Refused     uint64 // calls of Share.Take that found no room
}

// Stats returns the present state.
func (l *Ledger) Stats() LedgerStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return LedgerStats{Total: l.total, Held: l.held, Refused: l.refused}
}

// Share opens the share of one request of a caller, who is named by the key of limits. The share must be closed.
func (l *Ledger) Share(caller string) *Share { return &Share{ledger: l, caller: caller} }

// Share is the memory of one request. Its methods are for one goroutine at a time.
type Share struct {
	ledger *Ledger
	caller string
	held   int64
}

// Caller returns the caller of the share.
func (s *Share) Caller() string { return s.caller }

// Take adds bytes to the share, and reports whether there was room. Without room nothing is added.
func (s *Share) Take(bytes int64) bool {
	l := s.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	free := l.total - l.held - bytes
	if float64(l.by[s.caller]+bytes) > float64(free)*l.ratio {
		l.refused++
		return false
	}
	l.held += bytes
	l.by[s.caller] += bytes
	s.held += bytes
	return true
}

// Close frees the whole share. It may be called more than once.
func (s *Share) Close() {
	l := s.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held -= s.held
	if l.by[s.caller] -= s.held; l.by[s.caller] == 0 {
		delete(l.by, s.caller)
	}
	s.held = 0
}
