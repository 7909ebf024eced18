package presence

import (
	"context"
	"errors"
	"fmt"

	"github.com/tailwater/tailwater/bridge"
)

// written is the content of a value after a write.
type written struct {
	count   int  // of members on all bridges
	isWhole bool // all named members of this bridge are listed
}

// mostTries is how often a write that conflicts is repeated at once.
const mostTries = 8

// write makes the value of a subject list this bridge's members, and none of bridges without a lease.
func (t *Tracker) write(store Store, subject bridge.Subject, has snapshot) (now written, err error) {
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

func (t *Tracker) writeOnce(ctx context.Context, store Store, subject bridge.Subject, has snapshot) (now written, err error) {
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
		return written{state.Count, state.named(t.name) == len(has.here)}, err
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
	value, err := state.encode()
	if err != nil {
		return err
	}
	t.stats.bytes.Add(uint64(len(value)))
	_, err = store.Put(ctx, string(state.Subject), value, revision, 0)
	return err
}
