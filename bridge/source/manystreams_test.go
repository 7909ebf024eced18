package source_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
)

// manyStreams makes so many streams, each with one message, and returns their messages, by stream name.
func manyStreams(t *testing.T, js jetstream.JetStream, n int) (subjects []bridge.Subject) {
	t.Helper()
	for i := range n {
		createStream(t, js, oneOfMany(i))
		subject := fmt.Sprintf("s%d.x", i)
		store(t, js, subject, fmt.Sprint("stored ", i))
		subjects = append(subjects, bridge.Subject(subject))
	}
	return subjects
}

func oneOfMany(i int) jetstream.StreamConfig {
	return jetstream.StreamConfig{Name: fmt.Sprint("S", i), Subjects: []string{fmt.Sprintf("s%d.>", i)}, AllowDirect: true}
}

// An id has room for eight streams. The messages of further ones, the last by name, are passed on as they arrive. A client that
// asks for stored messages is told by a gap that their history is missing, also on a reconnect to another bridge. A client that
// asks for none misses nothing.
func TestMoreStreamsThanAnIDHasRoomFor(t *testing.T) {
	t.Parallel()
	const most = bridge.MaxLogs
	dial := embedded(t)
	js := manager(t, dial)
	subjects := manyStreams(t, js, most+1)
	b := newFixture(t, dial, quiet)
	since := bridge.Since{Kind: bridge.SinceAll}
	var want []string
	for i := range most + 1 {
		want = append(want, fmt.Sprint("stored ", i))
	}

	c := b.since(t, since, subjects...)
	c.wantGap(bridge.GapDisconnected)
	c.wantAll(want[:most-1]...) // one part is left for the other streams
	c.wantSynced()
	store(t, js, "s8.x", "new")
	last := c.wantAll("new")

	full := b.since(t, since, subjects[1:]...).wantOpen()
	full.wantAll(append(want[1:], "new")...)

	b.read(t, subjects...).wantOpen()
	newFixture(t, dial, quiet).resume(t, last, subjects...).wantGap(bridge.GapDisconnected)
}

// A stream that appears while a connection follows as many as possible causes a gap.
func TestOneStreamMoreIsMade(t *testing.T) {
	t.Parallel()
	const most = bridge.MaxLogs
	dial := embedded(t)
	js := manager(t, dial)
	subjects := append(manyStreams(t, js, most-1), "s7.x", "s8.x")
	b := newFixture(t, dial, quiet)
	c := b.read(t, subjects...).wantOpen()
	createStream(t, js, oneOfMany(most-1))
	c.wantGap(bridge.GapDisconnected)
	store(t, js, "s7.x", "new")
	store(t, js, "s0.x", "of the first")
	c.wantAll("new", "of the first")
}

// wantAll waits for messages with these payloads, in any order, and returns the last id.
func (c *client) wantAll(payloads ...string) (id string) {
	c.t.Helper()
	var got []string
	for range payloads {
		var m struct{ Data string }
		event := c.next()
		if err := json.Unmarshal([]byte(event.Data), &m); err != nil || event.Type != "message" {
			c.t.Fatalf("got %+v instead of one of %q: %v", event, payloads, err)
		}
		got, id = append(got, m.Data), event.ID
	}
	slices.Sort(got)
	slices.Sort(payloads)
	if !slices.Equal(got, payloads) {
		c.t.Fatalf("got %q, want %q", got, payloads)
	}
	return id
}
