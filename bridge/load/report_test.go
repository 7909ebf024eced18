package load_test

import (
	"testing"

	"github.com/tailwater/tailwater/bridge/load"
)

// The counts that a share comes from contradict each other a little: sums of seconds are rounded, and a wait that began before
// the measurement counts as a whole. A report tells no share below nothing or above everything for that.
func TestSharesAreShares(t *testing.T) {
	seconds := 0.0
	for range 10 {
		seconds += 0.1 // 0.9999999999999999
	}
	for _, c := range []struct{ used, all, want float64 }{
		{0, 2, 0}, {1, 2, 0.5}, {2, 2, 1}, {1, seconds, 1}, {-0.01, 2, 0}, {2.5, 2, 1},
	} {
		if share := load.Share(c.used, c.all); share != c.want {
			t.Errorf("%v of %v is the share %v, want %v", c.used, c.all, share, c.want)
		}
	}
}
