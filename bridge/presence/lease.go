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
	// settling is how long a bridge must have held its lease without a break before it removes the members of others: after an outage of
	// NATS, other bridges may be a little slower to come back.
	settling = 10 * time.Second
)

// lease is what a bridge knows of its own lease and of the others.
type lease struct {
	since   time.Time       // from when on it has been held without a break
	renewed time.Time       // when it was renewed last; zero before the first time
	isLeft  bool            // bridges may have left members behind
	holders map[string]bool // the bridges that had a lease when that was looked up last
	looked  time.Time       // for a shared bucket, while there is none
}

// keepLease finds out which store there is, renews the lease, and removes the members of bridges whose leases are gone.
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
	if err := t.put(ctx, store, leaseTTL); err != nil {
		t.distrust()
		return fmt.Errorf("renew the lease: %w", err)
	}
	now := time.Now()
	found, err := store.List(ctx, leasePrefix+">")
	if err != nil {
		return fmt.Errorf("look up the leases of other bridges: %w", err)
	}
	holders := map[string]bool{}
	for key := range found {
		holders[strings.TrimPrefix(key, leasePrefix)] = true
	}
	if t.note(store, holders, now) {
		return t.sweep(store, holders)
	}
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
			t.config.Log.Warn("members are told of this bridge alone", "reason", err)
		}
		return t.own, nil
	default:
		return nil, fmt.Errorf("prepare the bucket %s: %w", bridge.PresenceBucket, err)
	}
}

// put writes the lease.
func (t *Tracker) put(ctx context.Context, store Store, ttl time.Duration) error {
	key := leasePrefix + t.name
	_, revision, err := store.Get(ctx, key)
	if err != nil {
		return err
	}
	_, err = store.Put(ctx, key, []byte(time.Now().UTC().Format(time.RFC3339)), revision, ttl)
	return err
}

// distrust makes the bucket be prepared again: it may have been deleted.
func (t *Tracker) distrust() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.store == t.config.Shared {
		t.store = nil
	}
}

// note records a renewal. It reports whether members that bridges have left behind should be looked for now.
func (t *Tracker) note(store Store, holders map[string]bool, now time.Time) (sweeps bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := &t.lease
	if t.store != store || now.Sub(l.renewed) >= leaseTTL {
		l.since, l.isLeft = now, true
		t.rewrite(now) // others may have removed what this bridge has
	}
	for name := range l.holders {
		l.isLeft = l.isLeft || !holders[name]
	}
	t.store, l.holders, l.renewed = store, holders, now
	return l.isLeft && l.isSettled(now)
}

func (l *lease) isSettled(now time.Time) bool { return now.Sub(l.since) >= settling }

// sweep finds the subjects on which bridges without a lease have members, and lets them be written anew.
func (t *Tracker) sweep(store Store, holders map[string]bool) error {
	ctx, cancel := context.WithTimeout(t.alive, leaseTTL)
	defer cancel()
	sleep(ctx, rand.N(time.Second)) // all bridges have seen the same
	values, err := store.List(ctx, ">")
	if err != nil {
		return fmt.Errorf("look for members of bridges without a lease: %w", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lease.isLeft = false
	for key, value := range values {
		if strings.HasPrefix(key, leasePrefix) {
			continue
		}
		state := parse(bridge.Subject(key), value)
		for name := range state.Bridges {
			if name != t.name && !holders[name] {
				t.repair(bridge.Subject(key))
				break
			}
		}
	}
	return nil
}

// repair lets a subject be written anew, also if this bridge has nobody there. The lock must be held.
func (t *Tracker) repair(subject bridge.Subject) {
	r := t.rooms[subject]
	if r == nil {
		r = newRoom(subject)
		t.rooms[subject] = r
	}
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
	if err := t.put(ctx, store, grace); err != nil {
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
