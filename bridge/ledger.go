package bridge

import "sync"

// Ledger bounds the bytes that requests hold together, and what one caller may hold of them.
//
// A caller may hold a part of what is free, and the part shrinks with what the others hold. So nobody is given the last of it, and
// whoever comes finds room however many bytes those before wanted. A Ledger must not be copied.
type Ledger struct {
	total int64
	ratio float64 // of what a caller may hold to what must be free beside it

	mu      sync.Mutex
	held    int64
	by      map[string]int64 // bytes by caller, while it holds some
	refused uint64
}

// NewLedger returns a ledger for a number of bytes, of which a caller that is alone may hold most. That is at most half of them.
func NewLedger(total, most int64) *Ledger {
	most = min(most, total/2)
	return &Ledger{total: total, ratio: float64(most) / float64(max(1, total-most)), by: map[string]int64{}}
}

// LedgerStats is for metrics, not for decisions.
type LedgerStats struct {
	Total, Held int64  // bytes
	Refused     uint64 // calls of Share.Take that found no room
}

// Stats returns what the ledger holds.
func (l *Ledger) Stats() LedgerStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return LedgerStats{Total: l.total, Held: l.held, Refused: l.refused}
}

// Share opens what one request of a caller holds. The caller is whom limits are for. The share must be closed.
func (l *Ledger) Share(caller string) *Share { return &Share{ledger: l, caller: caller} }

// Share is what one request holds. Its methods are for one goroutine at a time.
type Share struct {
	ledger *Ledger
	caller string
	held   int64
}

// Caller returns whose share it is.
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

// Close gives everything back. It may be called more than once.
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
