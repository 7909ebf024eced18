package httpapi

import (
	"hash/maphash"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// burstTime is for how long a caller that was silent may save up.
	burstTime = 5 * time.Second
	// maxCallers bounds how many callers are remembered in each of two generations, at some 150 bytes each.
	maxCallers = 1 << 16
)

// hashSeed is of this process: nobody can choose a name that shares the hash of another.
var hashSeed = maphash.MakeSeed()

// hashed stands for a name, which its caller may have made long.
func hashed(name string) uint64 { return maphash.String(hashSeed, name) }

// rates lets each caller do something at a rate. Callers are known by their hashes.
//
// Those who have called are in two generations. Whoever calls is moved to the younger; when that is old enough, or full, it
// becomes the older, and what was the older is forgotten. So nobody is forgotten before having saved up all there is, which is
// as good as new; unless there are more callers than can be remembered, and then it is in their favour.
type rates struct {
	limit rate.Limit
	burst int

	mu         sync.Mutex
	young, old map[uint64]*rate.Limiter
	turned     time.Time // when the younger generation began
}

// newRates gives rates of so many a second, nil for no limit.
func newRates(perSecond float64) *rates {
	if perSecond <= 0 {
		return nil
	}
	burst := max(1, int(math.Ceil(perSecond*burstTime.Seconds())))
	return &rates{limit: rate.Limit(perSecond), burst: burst, young: map[uint64]*rate.Limiter{}}
}

// allow tells whether a caller may, and counts it.
func (r *rates) allow(caller uint64) bool {
	return r == nil || r.of(caller, time.Now()).Allow()
}

// pause is how long whoever may not had better wait.
func (r *rates) pause() time.Duration { return time.Duration(float64(time.Second) / float64(r.limit)) }

func (r *rates) of(caller uint64, now time.Time) *rate.Limiter {
	r.mu.Lock()
	defer r.mu.Unlock()
	if limiter := r.young[caller]; limiter != nil {
		return limiter
	}
	if len(r.young) >= maxCallers || now.Sub(r.turned) >= r.refill() {
		r.young, r.old, r.turned = map[uint64]*rate.Limiter{}, r.young, now
	}
	limiter := r.old[caller]
	if limiter == nil {
		limiter = rate.NewLimiter(r.limit, r.burst)
	}
	r.young[caller] = limiter
	return limiter
}

// refill is how long it takes until whoever had nothing left may do as much at once as a newcomer.
func (r *rates) refill() time.Duration { return time.Duration(r.burst) * r.pause() }
