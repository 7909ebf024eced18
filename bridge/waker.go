package bridge

// Waker is woken when Reader.Next is worth calling again. Wake is called with locks of this package held: it must return at once, and must not
// call this package.
type Waker interface{ Wake() }

// Signal is the Waker of a waiting goroutine: after a call of Wake it holds one value until that is received.
type Signal chan struct{}

// NewSignal returns a signal that is not set.
func NewSignal() Signal { return make(Signal, 1) }

// Wake implements Waker.
func (s Signal) Wake() {
	select {
	case s <- struct{}{}:
	default:
	}
}
