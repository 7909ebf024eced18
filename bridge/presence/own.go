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
	tell func(bridge.Subject, []byte)

	mu     sync.Mutex
	values map[string][]byte
}

func newOwn(tell func(bridge.Subject, []byte)) *own {
	return &own{tell: tell, values: map[string][]byte{}}
}

func (o *own) Prepare(context.Context) error { return nil }

// Get returns no revision: the bridge writes a key only once at a time.
func (o *own) Get(_ context.Context, key string) ([]byte, uint64, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.values[key], 0, nil
}

func (o *own) Put(_ context.Context, key string, value []byte, _ uint64, ttl time.Duration) (uint64, error) {
	o.mu.Lock()
	o.values[key] = value
	o.mu.Unlock()
	if ttl == 0 {
		o.tell(bridge.Subject(key), value)
	}
	return 0, nil
}

func (o *own) Delete(_ context.Context, key string, _ uint64) error {
	o.mu.Lock()
	delete(o.values, key)
	o.mu.Unlock()
	o.tell(bridge.Subject(key), nil)
	return nil
}

func (o *own) Each(context.Context, bridge.Subject, func(string, []byte)) error { return nil }

// Watch is not needed: no other program writes here.
func (o *own) Watch(context.Context, func(string, []byte)) error { return nil }

// members returns the members of a subject. For a filter, it returns none, followed by the members of each subject inside.
func (o *own) members(subject bridge.Subject) []bridge.Presence {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := []bridge.Presence{public(subject, o.values[string(subject)])}
	if !subject.Wild() {
		return all
	}
	for key, value := range o.values {
		if subject.Matches(key) {
			all = append(all, public(bridge.Subject(key), value))
		}
	}
	return all
}

// public returns the part of a value that browsers see; nil for a value of nobody.
func public(subject bridge.Subject, value []byte) bridge.Presence {
	var members bridge.Presence
	_ = json.Unmarshal(value, &members) // the bridge has encoded it
	members.Subject = string(subject)
	if members.Members == nil {
		members.Members = []bridge.PresenceMember{}
	}
	return members
}
