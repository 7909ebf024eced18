package live

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/presence"
	"github.com/tailwater/tailwater/bridge/source"
)

// Presence says whose members are kept: of all subjects within the filters.
type Presence struct {
	Subjects []bridge.Subject
	Replicas int // of the bucket, if the bridge makes it; 1
}

// openPresence starts to keep members, if there are subjects to keep them for.
func (b *Bridge) openPresence() {
	if len(b.options.Presence.Subjects) == 0 {
		return
	}
	tell := func(subject bridge.Subject, value []byte) { b.source.Inject(bridge.PresenceOf(subject), value) }
	bucket := &members{b.source.KeyValue(bridge.PresenceBucket, b.options.Presence.Replicas), b.hub}
	b.presence = presence.Open(presence.Config{
		Subjects: b.options.Presence.Subjects, Shared: bucket, Tell: tell, Most: placesEach * max(0, b.options.Limits.PerAddress),
		Log: b.options.Log,
	})
	b.hub.KeepMembers(b.presence.Own)
}

// placesEach is how many places in lists an account may have for each connection of an address.
const placesEach = 5

// members is the bucket as package presence needs it.
type members struct {
	*source.KeyValue
	hub *bridge.Hub
}

// Each calls do with the newest value of every key that matches a filter. It reads the bucket as a browser would.
func (m *members) Each(ctx context.Context, filter bridge.Subject, do func(key string, value []byte)) error {
	present := func(key string, value []byte) {
		if value != nil {
			do(key, value)
		}
	}
	reader, err := m.read(ctx, filter, bridge.SinceLast, present, (*bridge.Reader).Synced)
	if err == nil && !reader.Stored() {
		err = fmt.Errorf("%w: the bucket %s is gone", bridge.ErrUnavailable, bridge.PresenceBucket)
	}
	return err
}

// Watch calls do with every new value of every key, nil if the key was deleted, until the context ends.
func (m *members) Watch(ctx context.Context, do func(key string, value []byte)) error {
	_, err := m.read(ctx, ">", bridge.SinceNew, do, func(*bridge.Reader) bool { return false })
	return err
}

// read calls do with values until it is done, and returns the closed reader.
func (m *members) read(ctx context.Context, filter bridge.Subject, since bridge.SinceKind, do func(key string, value []byte), isDone func(*bridge.Reader) bool) (*bridge.Reader, error) {
	reader, err := m.hub.Read([]bridge.Subject{bridge.PresenceOf(filter)}, bridge.Framing{Format: bridge.Lines},
		bridge.Resume{Since: bridge.Since{Kind: since}})
	if err != nil {
		return nil, fmt.Errorf("read the bucket %s: %w", bridge.PresenceBucket, err)
	}
	defer reader.Close()
	more := bridge.NewSignal()
	for !isDone(reader) {
		frames := reader.Next(nil, pageBytes, more)
		for _, frame := range frames {
			if key, value, is := valueIn(frame); is {
				do(key, value)
			}
		}
		if len(frames) > 0 {
			continue
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: read the bucket %s: %w", bridge.ErrUnavailable, bridge.PresenceBucket, ctx.Err())
		}
	}
	return reader, nil
}

// valueIn returns the key and value of a frame, nil if the key was deleted.
func valueIn(frame []byte) (key string, value []byte, is bool) {
	var event struct{ Event, Subject, Data string }
	if json.Unmarshal(frame, &event) != nil {
		return "", nil, false
	}
	if event.Event == bridge.EventDelete {
		return keyOf(deletedIn(event.Data)), nil, true
	}
	return keyOf(event.Subject), []byte(event.Data), event.Subject != ""
}

func deletedIn(data string) string {
	var deleted struct{ Subject string }
	_ = json.Unmarshal([]byte(data), &deleted) // the bridge has encoded it
	return deleted.Subject
}

func keyOf(subject string) string { return strings.TrimPrefix(subject, string(bridge.PresenceOf(""))) }

// pageBytes is how much of the bucket is taken up at once.
const pageBytes = 1 << 20
