package httpapi

import (
	"hash/maphash"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// burstTime is how many seconds' worth a caller may send at once after a pause.
	burstTime = 5 * time.Second
	// maxCallers is how many callers are remembered in each of two generations, at some 150 bytes each.
	maxCallers = 1 << 16
)

// hashSeed differs in each process: nobody can choose a name with the hash of another.
var hashSeed = maphash.MakeSeed()

// hashed returns a number for a name, because callers may choose long names.
func hashed(name string) uint64 { return maphash.String(hashSeed, name) }

// rates limits the rate of each caller. Callers are known by their hashes.
//
// Callers are remembered in two generations. A call moves its caller to the younger one. When that is old enough, or full, it becomes the
// older one, and the previous older one is forgotten. So a caller is forgotten only when its allowance is full again, like a new caller's.
// If there are more callers than can be remembered, some get their allowance sooner.
type rates struct {
	limit rate.Limit
	burst int

	mu         sync.Mutex
	young, old map[uint64]*rate.Limiter
	began      time.Time // start of the younger generation
}

// newRates returns rates of so many per second; nil for no limit.
func newRates(perSecond float64) *rates {
	if perSecond <= 0 {
		return nil
	}
	burst := max(1, int(math.Ceil(perSecond*burstTime.Seconds())))
	return &rates{limit: rate.Limit(perSecond), burst: burst, young: map[uint64]*rate.Limiter{}}
}

// allow reports whether a caller may proceed, and counts the call.
func (r *rates) allow(caller uint64) bool {
	return r == nil || r.of(caller, time.Now()).Allow()
}

// pause is how long a refused caller should wait.
func (r *rates) pause() time.Duration { return time.Duration(float64(time.Second) / float64(r.limit)) }

func (r *rates) of(caller uint64, now time.Time) *rate.Limiter {
	r.mu.Lock()
	defer r.mu.Unlock()
	if limiter := r.young[caller]; limiter != nil {
		return limiter
	}
	if len(r.young) >= maxCallers || now.Sub(r.began) >= r.refill() {
		r.young, r.old, r.began = map[uint64]*rate.Limiter{}, r.young, now
	}
	limiter := r.old[caller]
	if limiter == nil {
		limiter = rate.NewLimiter(r.limit, r.burst)
	}
	r.young[caller] = limiter
	return limiter
}

// refill is how long an empty allowance takes to be full again.
func (r *rates) refill() time.Duration { return time.Duration(r.burst) * r.pause() }
