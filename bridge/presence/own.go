package presence

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// own is a store of this bridge alone, in memory. No other bridge uses it, so leases are not needed.
type own struct {
	tell func(bridge.Subject, bridge.Presence)

	mu     sync.Mutex
	last   uint64
	values map[string]ownValue
}

type ownValue struct {
	value    []byte
	revision uint64
}

func newOwn(tell func(bridge.Subject, bridge.Presence)) *own {
	return &own{tell: tell, values: map[string]ownValue{}}
}

func (o *own) Prepare(context.Context) error { return nil }

func (o *own) Get(_ context.Context, key string) ([]byte, uint64, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	v := o.values[key]
	return v.value, v.revision, nil
}

func (o *own) Put(_ context.Context, key string, value []byte, revision uint64, ttl time.Duration) (uint64, error) {
	o.mu.Lock()
	if o.values[key].revision != revision {
		o.mu.Unlock()
		return 0, bridge.ErrConflict
	}
	o.last++
	last := o.last
	o.values[key] = ownValue{value, last}
	o.mu.Unlock()
	if ttl == 0 {
		o.tell(bridge.Subject(key), public(bridge.Subject(key), value))
	}
	return last, nil
}

func (o *own) Delete(_ context.Context, key string, _ uint64) error {
	o.mu.Lock()
	delete(o.values, key)
	o.mu.Unlock()
	o.tell(bridge.Subject(key), public(bridge.Subject(key), nil))
	return nil
}

func (o *own) Each(context.Context, bridge.Subject, func(string, []byte)) error { return nil }

// Watch is not needed: no other program writes here.
func (o *own) Watch(context.Context, func(string, []byte)) error { return nil }

// forget removes all values: another store is used from now on.
func (o *own) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.values)
}

// members returns the members of a subject. For a filter, it returns none, followed by the members of each subject inside.
func (o *own) members(subject bridge.Subject) []bridge.Presence {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := []bridge.Presence{public(subject, o.values[string(subject)].value)}
	if !subject.Wild() {
		return all
	}
	for key, v := range o.values {
		if subject.Matches(key) {
			all = append(all, public(bridge.Subject(key), v.value))
		}
	}
	return all
}

// public returns the part of a value that browsers see.
func public(subject bridge.Subject, value []byte) bridge.Presence {
	members := bridge.Presence{Type: bridge.PresenceLeave}
	if value != nil && json.Unmarshal(value, &members) != nil {
		members = bridge.Presence{} // impossible: the bridge has encoded it
	}
	members.Subject = string(subject)
	if members.Members == nil {
		members.Members = []bridge.PresenceMember{}
	}
	return members
}
