package outlet_test

import (
	"sync/atomic"
	"testing"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// samples counts observations.
type samples struct{ atomic.Int64 }

func (s *samples) Observe(float64) { s.Add(1) }

// Of few messages the delay of nearly each is observed, although an observation is made for one write of many.
func TestFewDelaysAreObserved(t *testing.T) {
	t.Parallel()
	overSockets(t, func(t *testing.T, p protocol) {
		const observed = 10
		var delays samples
		config := patient
		config.Delays = &delays
		b := newFixture(t, p.on(config), plenty)
		c, _ := connect(t, b.serve(t, p), "")
		published := 0
		bridgetest.Eventually(t, "there are observations", func() bool { // a millisecond or more after the last look
			b.publish([]byte("a"))
			published++
			c.next(t)
			return delays.Load() >= observed
		})
		if published > observed*10 {
			t.Errorf("%d of %d delays are observed", observed, published)
		}
	})
}
