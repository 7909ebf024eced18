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

// How a bridge keeps its lease, and removes what bridges without one have left.

// keepLease finds out which store to use, renews the lease, and removes the members of bridges whose leases are gone.
func (t *Tracker) keepLease() {
	for hadFailed := false; t.alive.Err() == nil; {
		wait, err := leaseInterval, t.renew()
		if err != nil {
			wait = time.Second
			if hadFailed && t.alive.Err() == nil { // the lease outlasts one failure, as of a busy server
				t.fails.Do(func() { t.config.Log.Warn("cannot keep the members of subjects; trying again", "error", err) })
			}
		}
		hadFailed = err != nil
		sleep(t.alive, jitter(wait))
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
		t.mu.Lock()
		t.store = nil // to be prepared again: the bucket may have been deleted
		t.mu.Unlock()
		return fmt.Errorf("renew the lease: %w", err)
	}
	t.use(store, wasHeld)
	leases := map[string]string{}
	err = store.Each(ctx, leasePrefix+">", func(key string, value []byte) { leases[strings.TrimPrefix(key, leasePrefix)] = string(value) })
	if err != nil {
		return fmt.Errorf("look up the leases of other bridges: %w", err)
	}
	t.mu.Lock()
	holders := t.lease.current(leases, time.Now())
	t.mu.Unlock()
	t.compare(store, holders)
	return nil
}

// choose returns the store to use: the shared one if there is one.
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

// put writes the lease. It reports whether the lease existed before.
func (t *Tracker) put(ctx context.Context, store Store, ttl time.Duration) (wasHeld bool, err error) {
	key := leasePrefix + t.name
	value, revision, err := store.Get(ctx, key)
	if err != nil {
		return false, err
	}
	_, err = store.Put(ctx, key, []byte(time.Now().UTC().Format(time.RFC3339Nano)), revision, ttl)
	return value != nil, err
}

// use records a renewal. If the lease did not exist before, other bridges may have removed this bridge's members, or the bucket
// was replaced, so everything is written again. Only the bucket can show that, because a clock may have stood still while the
// machine slept.
func (t *Tracker) use(store Store, wasHeld bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if t.store == store && wasHeld {
		return
	}
	if store != t.own {
		t.own = newOwn(t.config.Tell) // without what it has listed so far
	}
	t.store = store
	t.lease.since, t.lease.isLeft = now, true
	t.rewrite(now)
	t.startWrites()
}

// compare reads which bridges have a lease. If one has none any more, a sweep looks for the members that it left behind.
func (t *Tracker) compare(store Store, holders map[string]bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := &t.lease
	for name := range l.holders {
		l.isLeft = l.isLeft || !holders[name]
	}
	l.holders = holders
	if l.isLeft && l.isSettled(time.Now()) {
		l.isLeft = false
		t.runs.Go(func() { t.sweep(store, holders) })
	}
}

// sweep finds the subjects on which bridges without a lease have members, and marks them to be written again.
func (t *Tracker) sweep(store Store, holders map[string]bool) {
	ctx, cancel := context.WithTimeout(t.alive, sweepPatience)
	defer cancel()
	sleep(ctx, rand.N(time.Second)) // all bridges notice at the same time
	err := store.Each(ctx, ">", func(key string, value []byte) {
		if !strings.HasPrefix(key, leasePrefix) && t.isLeftBehind(parse(bridge.Subject(key), value), holders) {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.repair(bridge.Subject(key))
		}
	})
	if err != nil && t.alive.Err() == nil {
		t.mu.Lock()
		t.lease.isLeft = true
		t.mu.Unlock()
		t.fails.Do(func() {
			t.config.Log.Warn("cannot look for members of bridges that are gone; trying again", "error", err)
		})
	}
}

// isLeftBehind reports whether a value has members of bridges that are gone, or has another form than a bridge writes.
func (t *Tracker) isLeftBehind(state State, holders map[string]bool) bool {
	for name := range state.Bridges {
		if name != t.name && !holders[name] {
			return true
		}
	}
	return state.isForeign
}

// repair marks a subject to be written again, even if this bridge has no members there. The lock must be held.
func (t *Tracker) repair(subject bridge.Subject) {
	r := t.room(subject)
	t.change(r, 0)
	t.plan(r)
}

// farewell makes the lease end soon. By then the clients of this bridge have reconnected to another one, and are members there.
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
