package presence

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

const (
	// leasePrefix begins the keys of leases; the bridge's name follows. No subject that begins so has members.
	leasePrefix = "_lease."
	// leaseTTL is how long a lease holds that is not renewed.
	leaseTTL = 20 * time.Second
	// leaseInterval is how often a bridge renews its lease, and looks at those of the others.
	leaseInterval = 5 * time.Second
	// absentInterval is how often a bridge that has to do without a shared bucket looks whether there can be one.
	absentInterval = 30 * time.Second
	// sweepPatience is how long it may take to read the values of all subjects.
	sweepPatience = time.Minute
	// settling is how long a bridge must have held its lease without a break before it removes the members of others: after an outage of
	// NATS, other bridges may be a little slower to come back.
	settling = 10 * time.Second
)

// lease is what a bridge knows of its own lease and of the others.
type lease struct {
	since      time.Time       // from when on it has been held without a break
	isLeft     bool            // bridges may have left members behind
	isSweeping bool            // they are being looked for
	holders    map[string]bool // the bridges that had a lease when that was looked up last
	looked     time.Time       // for a shared bucket, while there is none
}

// keepLease finds out which store there is, renews the lease, and has the members of bridges removed whose leases are gone.
func (t *Tracker) keepLease() {
	for t.alive.Err() == nil {
		wait := jitter(leaseInterval)
		if err := t.renew(); err != nil {
			wait = jitter(time.Second)
			if t.alive.Err() == nil {
				t.fails.Do(func() { t.config.Log.Warn("cannot keep the members of subjects; trying again", "error", err) })
			}
		}
		sleep(t.alive, wait)
	}
}

// renew renews the lease once.
func (t *Tracker) renew() error {
	ctx, cancel := context.WithTimeout(t.alive, patience)
	defer cancel()
	store, err := t.choose(ctx)
	if err != nil {
		return err
	}
	wasHeld, err := t.put(ctx, store, leaseTTL)
	if err != nil {
		t.distrust()
		return fmt.Errorf("renew the lease: %w", err)
	}
	t.use(store, wasHeld)
	holders := map[string]bool{}
	err = store.Each(ctx, leasePrefix+">", func(key string, _ []byte) { holders[strings.TrimPrefix(key, leasePrefix)] = true })
	if err != nil {
		return fmt.Errorf("look up the leases of other bridges: %w", err)
	}
	t.compare(store, holders)
	return nil
}

// choose returns the store to use: the shared one, unless there is none.
func (t *Tracker) choose(ctx context.Context) (Store, error) {
	t.mu.Lock()
	store, looked := t.store, t.lease.looked
	t.mu.Unlock()
	isOwn := store == t.own
	if store != nil && (!isOwn || time.Since(looked) < absentInterval) {
		return store, nil
	}
	err := t.config.Shared.Prepare(ctx)
	switch {
	case err == nil:
		return t.config.Shared, nil
	case errors.Is(err, bridge.ErrNoBucket):
		t.mu.Lock()
		t.lease.looked = time.Now()
		t.mu.Unlock()
		if !isOwn {
			t.config.Log.Warn("this bridge lists who is here by itself, and cannot see the members of other bridges", "reason", err,
				"remedy", "run tailwater check; to list nobody, set TAILWATER_PRESENCE to nothing")
		}
		return t.own, nil
	default:
		return nil, fmt.Errorf("prepare the bucket %s: %w", bridge.PresenceBucket, err)
	}
}

// put writes the lease. It reports whether the lease was there until now.
func (t *Tracker) put(ctx context.Context, store Store, ttl time.Duration) (wasHeld bool, err error) {
	key := leasePrefix + t.name
	value, revision, err := store.Get(ctx, key)
	if err != nil {
		return false, err
	}
	_, err = store.Put(ctx, key, []byte(time.Now().UTC().Format(time.RFC3339)), revision, ttl)
	return value != nil, err
}

// distrust makes the bucket be prepared again: it may have been deleted.
func (t *Tracker) distrust() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.store == t.config.Shared {
		t.store = nil
	}
}

// use records a renewal. If the lease was not there before, other bridges may have removed what this bridge has, or the bucket is another:
// everything is written anew. Only the bucket knows that; a clock may have stood still, as that of a machine that was asleep.
func (t *Tracker) use(store Store, wasHeld bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if t.store == store && wasHeld {
		return
	}
	if store != t.own {
		t.own.forget()
	}
	t.store = store
	t.lease.since, t.lease.isLeft = now, true
	t.rewrite(now)
}

// compare looks which bridges have a lease. If one has none any more, what it has left behind is looked for.
func (t *Tracker) compare(store Store, holders map[string]bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := &t.lease
	for name := range l.holders {
		l.isLeft = l.isLeft || !holders[name]
	}
	l.holders = holders
	if l.isLeft && !l.isSweeping && l.isSettled(time.Now()) {
		l.isLeft, l.isSweeping = false, true
		t.runs.Go(func() { t.sweep(store, holders) })
	}
}

func (l *lease) isSettled(now time.Time) bool { return now.Sub(l.since) >= settling }

// sweep finds the subjects on which bridges without a lease have members, and has them written anew.
func (t *Tracker) sweep(store Store, holders map[string]bool) {
	ctx, cancel := context.WithTimeout(t.alive, sweepPatience)
	defer cancel()
	sleep(ctx, rand.N(time.Second)) // all bridges have seen the same
	err := store.Each(ctx, ">", func(key string, value []byte) {
		if !strings.HasPrefix(key, leasePrefix) && t.isLeftBehind(parse(bridge.Subject(key), value), holders) {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.repair(bridge.Subject(key))
		}
	})
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lease.isSweeping = false
	if err != nil && t.alive.Err() == nil {
		t.lease.isLeft = true
		t.fails.Do(func() {
			t.config.Log.Warn("cannot look for members of bridges that are gone; trying again", "error", err)
		})
	}
}

// isLeftBehind reports whether a value has members of bridges that are gone, or is not as a bridge writes it.
func (t *Tracker) isLeftBehind(state State, holders map[string]bool) bool {
	for name := range state.Bridges {
		if name != t.name && !holders[name] {
			return true
		}
	}
	return state.isForeign
}

// repair lets a subject be written anew, also if this bridge has nobody there. The lock must be held.
func (t *Tracker) repair(subject bridge.Subject) {
	r := t.room(subject)
	r.isChanged = true
	t.plan(r)
}

// dropDead removes bridges that have no lease. A bridge holds its lease before it writes any member, so that the store knows better than
// what was looked up a moment ago.
func (t *Tracker) dropDead(ctx context.Context, store Store, state *State) error {
	t.mu.Lock()
	holders, isSettled := t.lease.holders, t.lease.isSettled(time.Now())
	t.mu.Unlock()
	if !isSettled {
		return nil
	}
	for name := range state.Bridges {
		if name == t.name || holders[name] {
			continue
		}
		value, _, err := store.Get(ctx, leasePrefix+name)
		if err != nil {
			return fmt.Errorf("look up the lease of the bridge %s: %w", name, err)
		}
		if value == nil {
			state.drop(name, func(identity) bool { return false })
		}
	}
	return nil
}

// farewell makes the lease end soon. By then the clients of this bridge have found another, and are members there.
func (t *Tracker) farewell() {
	t.mu.Lock()
	store := t.store
	t.mu.Unlock()
	if store == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if _, err := t.put(ctx, store, grace); err != nil {
		t.config.Log.Debug("cannot shorten the lease; it ends by itself", "error", err)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// pause waits before another try, longer each time, so that bridges which write the same subject do not go on in step.
func pause(ctx context.Context, try int) { sleep(ctx, rand.N(10*time.Millisecond<<min(try, 5))) }

func jitter(d time.Duration) time.Duration { return d - d/10 + rand.N(d/5) }
