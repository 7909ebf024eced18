package bridge

// Waker is told when it is worth while to call Reader.Next again. Wake is called with locks of this package held: it must
// return at once, and call nothing of this package.
type Waker interface{ Wake() }

// Signal is the Waker of a goroutine that waits: it holds one value from a call of Wake on until that is received.
type Signal chan struct{}

// NewSignal gives a signal that is not set.
func NewSignal() Signal { return make(Signal, 1) }

// Wake implements Waker.
func (s Signal) Wake() {
	select {
	case s <- struct{}{}:
	default:
	}
}
