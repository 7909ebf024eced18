package bridge

import (
	"math/rand/v2"
	"time"
)

// restart is how long after a stop a bridge may need to listen again.
const restart = 2 * time.Second

// Spread returns d, give or take half, so that clients who are asked together do not come back together.
func Spread(d time.Duration) time.Duration { return d/2 + upTo(d) }

// ReturnTo returns when a client should come back to a bridge that stops in the time left. If that is more than the pause, the client comes back after
// about the pause: a proxy may send it to another bridge, or else this one asks it again to wait. Otherwise it comes back after the stop, when the
// bridge may have been restarted; those clients spread over the time over. So no client is sent to a bridge that is not there.
func ReturnTo(left, pause, over time.Duration) time.Duration {
	if left <= pause {
		return max(0, left) + restart + upTo(over)
	}
	return pause/2 + upTo(min(pause, left-pause))
}

// upTo returns a random duration.
func upTo(most time.Duration) time.Duration { return time.Duration(rand.Float64() * float64(most)) }
