package presence

import (
	"github.com/tailwater/tailwater/bridge"
)

// watch follows the bucket, so that what another program writes into it is corrected at once. What it misses while NATS is away is found
// later, when the lease has ended or a room is compared.
func (t *Tracker) watch() {
	for t.alive.Err() == nil {
		t.mu.Lock()
		isShared := t.store == t.config.Shared
		t.mu.Unlock()
		if isShared {
			_ = t.config.Shared.Watch(t.alive, t.seen) // keepLease says what is wrong with the bucket
		}
		sleep(t.alive, jitter(leaseInterval))
	}
}

// seen judges a new value of the bucket; nil if it was deleted.
func (t *Tracker) seen(key string, value []byte) {
	subject := bridge.Subject(key)
	if !t.Covers(subject) {
		return
	}
	state := parse(subject, value)
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.rooms[subject]
	if state.isForeign || r != nil && r.isMissing(&state, t.name) {
		t.repair(subject)
	}
}
