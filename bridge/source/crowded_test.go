package source_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
)

// crowd makes so many streams, each with one message, and gives what they hold, by name.
func crowd(t *testing.T, js jetstream.JetStream, n int) (subjects []bridge.Subject) {
	t.Helper()
	for i := range n {
		createStream(t, js, crowded(i))
		subject := fmt.Sprintf("s%d.x", i)
		store(t, js, subject, fmt.Sprint("stored ", i))
		subjects = append(subjects, bridge.Subject(subject))
	}
	return subjects
}

func crowded(i int) jetstream.StreamConfig {
	return jetstream.StreamConfig{Name: fmt.Sprint("S", i), Subjects: []string{fmt.Sprintf("s%d.>", i)}, AllowDirect: true}
}

// Who asks for more streams than one connection can follow is refused, once it is known. Who is connected all the same
// reads what is new of those beyond, and is told that their history is missing.
func TestMoreStreamsThanAConnectionFollows(t *testing.T) {
	const most = bridge.MaxLogs - 1
	dial := embedded(t)
	js := manager(t, dial)
	subjects := crowd(t, js, most+1)
	b := newBed(t, dial, quiet)
	since := bridge.Since{Kind: bridge.SinceAll}

	c := b.since(t, since, subjects...)
	c.wantGap(bridge.GapStreams)
	var want []string
	for i := range most {
		want = append(want, fmt.Sprint("stored ", i))
	}
	c.wantAll(want...)
	c.wantSynced()
	store(t, js, "s7.x", "new")
	last := c.wantAll("new")

	if err := b.source.Together(subjects); !errors.Is(err, bridge.ErrStreams) {
		t.Errorf("of %d streams it says %v", most+1, err)
	}
	if err := b.source.Together(append(subjects[1:], "none.a", "none.b")); err != nil {
		t.Errorf("of %d streams it says %v", most, err)
	}
	few := b.since(t, since, subjects[1:]...)
	few.wantOpen()
	few.wantAll(append(want[1:], "stored 7", "new")...)

	// Who asks for nothing that is stored misses nothing; who comes back at another bridge may.
	b.read(t, subjects...).wantOpen()
	newBed(t, dial, quiet).resume(t, last, subjects...).wantGap(bridge.GapStreams)
}

// A stream that comes while a connection follows as many as it can is told.
func TestOneStreamMoreIsMade(t *testing.T) {
	const most = bridge.MaxLogs - 1
	dial := embedded(t)
	js := manager(t, dial)
	subjects := append(crowd(t, js, most), "s7.x")
	b := newBed(t, dial, quiet)
	c := b.read(t, subjects...)
	c.wantOpen()
	createStream(t, js, crowded(most))
	c.wantGap(bridge.GapStreams)
	store(t, js, "s7.x", "new")
	store(t, js, "s0.x", "of the first")
	c.wantAll("new", "of the first")
}

// wantAll waits for messages with these payloads, in whatever order, and gives the last id.
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
