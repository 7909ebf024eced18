package presence

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	// leasePrefix is the beginning of the keys of leases; the bridge's name follows. No subject with this beginning has members.
	leasePrefix = "_lease."
	// leaseTTL is how long a lease lasts unless it is renewed.
	leaseTTL = 20 * time.Second
	// leaseInterval is how often a bridge renews its lease, and reads the others'.
	leaseInterval = 5 * time.Second
	// absentInterval is how often a bridge without a shared bucket checks whether there can be one.
	absentInterval = 30 * time.Second
	// sweepPatience is how long reading the values of all subjects may take.
	sweepPatience = time.Minute
	// mostUnrenewed is how long a lease counts that is not renewed: another program may have written it without a time to live.
	mostUnrenewed = 3 * leaseTTL
	// settling is how long a bridge must have held its lease without a break before it removes the members of others: after an
	// outage of NATS, other bridges may be slower to reconnect.
	settling = 10 * time.Second
)

// lease is what a bridge knows about its own lease and the others.
type lease struct {
	since    time.Time       // since when it has been held without a break
	isLeft   bool            // bridges may have left members behind
	holders  map[string]bool // the bridges with a lease, as of the last look
	renewals map[string]renewal
	looked   time.Time // when a shared bucket was last looked for, while there is none
}

// renewal is a value of a lease, which differs each time that its bridge renews it.
type renewal struct {
	value string
	since time.Time // when it was seen first
}

// current returns the bridges that renew their leases.
func (l *lease) current(leases map[string]string, now time.Time) map[string]bool {
	holders, renewals := map[string]bool{}, map[string]renewal{}
	for name, value := range leases {
		last := l.renewals[name]
		if last.value != value {
			last = renewal{value, now}
		}
		renewals[name] = last
		if l.isRenewed(last, now) {
			holders[name] = true
		}
	}
	l.renewals = renewals
	return holders
}

func (l *lease) isRenewed(last renewal, now time.Time) bool {
	return now.Sub(last.since) < mostUnrenewed
}

// isHeld reports whether a bridge holds the lease that has this value; nil for none.
func (l *lease) isHeld(name string, value []byte, now time.Time) bool {
	last := l.renewals[name]
	return value != nil && (last.value != string(value) || l.isRenewed(last, now))
}

func (l *lease) isSettled(now time.Time) bool { return now.Sub(l.since) >= settling }

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// pause waits before another try, longer each time, so that bridges which write the same subject do not stay in step.
func pause(ctx context.Context, try int) { sleep(ctx, rand.N(10*time.Millisecond<<min(try, 5))) }

func jitter(d time.Duration) time.Duration { return d - d/10 + rand.N(d/5) }
