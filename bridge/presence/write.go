package presence

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// mostTries is how often a write that conflicts is repeated at once.
const mostTries = 8

// write makes the value of a subject list this bridge's members, and none of bridges without a lease. It returns what
// the value is now.
func (t *Tracker) write(store Store, subject bridge.Subject, has snapshot) (now State, err error) {
	ctx, cancel := context.WithTimeout(t.alive, patience)
	defer cancel()
	for try := range mostTries {
		if try > 0 {
			t.stats.conflicts.Add(1)
			pause(ctx, try)
		}
		now, err = t.writeOnce(ctx, store, subject, has)
		if !errors.Is(err, bridge.ErrConflict) {
			break
		}
	}
	return now, err
}

func (t *Tracker) writeOnce(ctx context.Context, store Store, subject bridge.Subject, has snapshot) (now State, err error) {
	value, revision, err := store.Get(ctx, string(subject))
	if err != nil {
		return now, fmt.Errorf("read who is on %s: %w", subject, err)
	}
	before := parse(subject, value)
	state := before.clone()
	has.apply(&state, t.name)
	if err := t.dropDead(ctx, store, &state); err != nil {
		return now, err
	}
	state.settle()
	for {
		err = t.replace(ctx, store, &before, &state, revision)
		if errors.Is(err, bridge.ErrTooLarge) && state.shorten() {
			t.fails.Do(func() {
				t.config.Log.Warn("NATS accepts no list of this size; it is written with fewer names", "subject", subject, "names", len(state.Members), "error", err)
			})
			continue
		}
		return state, err
	}
}

// replace writes a state in the place of another, unless both are the same.
func (t *Tracker) replace(ctx context.Context, store Store, before, state *State, revision uint64) error {
	if state.isSame(before) {
		return nil
	}
	t.stats.writes.Add(1)
	if state.isEmpty() {
		return store.Delete(ctx, string(state.Subject), revision)
	}
	state.tell(before)
	value, err := json.Marshal(state)
	if err != nil {
		return fmt.Errorf("encode the members of %s: %w", state.Subject, err)
	}
	t.stats.bytes.Add(uint64(len(value)))
	_, err = store.Put(ctx, string(state.Subject), value, revision, 0)
	return err
}

// startWrites writes the rooms that wait, each in a goroutine of its own, as long as there are not too many. The lock must be held.
func (t *Tracker) startWrites() {
	for t.store != nil && t.writing < mostWrites && t.waiting.first() != nil {
		r := t.waiting.next()
		store, has := t.store, r.snapshot()
		t.writing++
		r.isChanged = false
		t.runs.Go(func() {
			now, err := t.write(store, r.subject, has)
			t.wrote(r, has, &now, err)
		})
	}
}

// wrote records the result of a write.
func (t *Tracker) wrote(r *room, has snapshot, now *State, err error) {
	if err != nil {
		t.stats.failures.Add(1)
		t.fails.Do(func() {
			t.config.Log.Warn("cannot write who is here; trying again", "subject", r.subject, "error", err)
		})
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	r.isWriting = false
	t.writing--
	if t.alive.Err() == nil {
		t.startWrites()
	}
	pause := min(mostInterval, max(interval, perMember*time.Duration(r.count)))
	if err != nil {
		r.isChanged = true
		r.fails = min(r.fails+1, 6)
		pause = interval << r.fails
	} else {
		r.fails, r.count = 0, now.Count
		r.isShort = now.hasRoom(t.name, len(has.here))
		for _, m := range has.here {
			m.isTold = true
		}
	}
	r.next = time.Now().Add(pause)
	r.check = time.Now().Add(jitter(checkInterval))
	t.plan(r)
}

// dropDead removes bridges without a lease. A bridge holds its lease before it writes any member, so the store knows better than
// an earlier look.
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
		t.mu.Lock()
		isHeld := t.lease.isHeld(name, value, time.Now())
		t.mu.Unlock()
		if !isHeld {
			state.drop(name, func(identity) bool { return false })
		}
	}
	return nil
}
