package source_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
)

// since opens a client at a ?since= position.
func (b *fixture) since(t testing.TB, since bridge.Since, subjects ...bridge.Subject) *client {
	t.Helper()
	return b.open(t, bridge.Framing{Format: bridge.JSON}, bridge.Resume{Since: since}, subjects...)
}

// wantSynced waits for the end of a replay.
func (c *client) wantSynced() {
	c.t.Helper()
	if event := c.next(); event.Type != bridge.EventSynced {
		c.t.Fatalf("got %+v, want the end of the replay", event)
	}
}

// asked returns how often JetStream was asked for something, by the beginning of the request.
func asked(kinds map[string]int, what string) int {
	sum := 0
	for kind, n := range kinds {
		if strings.HasPrefix(kind, what) {
			sum += n
		}
	}
	return sum
}

// If a stream allows no direct gets, or its server does not know them, the results are the same, by consumers.
func TestWithoutDirectGet(t *testing.T) {
	t.Parallel()
	dial := embedded(t)
	js := manager(t, dial)
	config := chats
	config.AllowDirect = false
	stream := createStream(t, js, config)
	store(t, js, "chat.a", numbers(0, 3000)...) // more than a page
	store(t, js, "chat.b", "b")
	watcher := publisher(t, dial)
	end := requests(t, watcher)
	b := newFixture(t, dial, quiet)
	all := b.since(t, bridge.Since{Kind: bridge.SinceAll}, "chat.a").wantOpen()
	all.wantData(numbers(0, 2990)...)
	id := all.message().ID
	all.wantData(numbers(2991, 9)...)
	all.wantSynced()
	again := newFixture(t, dial, quiet).resume(t, id, "chat.a").wantOpen()
	again.wantData(numbers(2991, 9)...)
	last := b.since(t, bridge.Since{Kind: bridge.SinceLast}, "chat.*").wantOpen()
	last.wantData("2999", "b")
	last.wantSynced()
	if kinds := end(); asked(kinds, "DIRECT.GET") > 0 {
		t.Errorf("JetStream was asked for %v", kinds)
	}
	eventually(t, "the consumers of replays are deleted", func() bool { return len(ownConsumers(t, stream)) == 2 }) // of two taps

	// Readers notice when the stream allows them again.
	config.AllowDirect = true
	updateStream(t, js, config)
	eventually(t, "direct gets are used", func() bool {
		end := requests(t, watcher)
		c := b.since(t, bridge.Since{Kind: bridge.SinceAll}, "chat.b")
		defer c.reader.Close()
		c.wantOpen()
		c.wantData("b")
		c.wantSynced()
		return asked(end(), "DIRECT.GET") > 0
	})
}

// If there are newest messages on more subjects than one direct get returns, a consumer finds them.
func TestNewestOfManySubjects(t *testing.T) {
	t.Parallel()
	const subjects = 1500
	dial, js, _ := embeddedChats(t, func(config *jetstream.StreamConfig) { config.Storage = jetstream.MemoryStorage })
	for _, n := range numbers(0, subjects) {
		for _, value := range []string{"old ", "new "} {
			if _, err := js.PublishAsync("chat."+n, []byte(value+n)); err != nil {
				t.Fatal(err)
			}
		}
	}
	receive(t, js.PublishAsyncComplete(), "the acknowledgements")
	end := requests(t, publisher(t, dial))
	b := newFixture(t, dial, quiet)
	c := b.since(t, bridge.Since{Kind: bridge.SinceLast}, "chat.>").wantOpen()
	for _, n := range numbers(0, subjects) {
		c.wantData("new " + n)
	}
	c.wantSynced()
	if kinds := end(); asked(kinds, "DIRECT.GET") == 0 || asked(kinds, "CONSUMER.CREATE") != 2 {
		t.Errorf("JetStream was asked for %v, want a direct get, a consumer instead, and that of the tap", kinds)
	}
	store(t, js, "chat.0", "newer")
	c.wantData("newer")
}

// The end of a message's own time to live is reported as a deletion, if the stream leaves markers. A scheduled plan is not a
// message.
func TestMarkersAndSchedules(t *testing.T) {
	t.Parallel()
	dial, js, _ := embeddedChats(t, func(config *jetstream.StreamConfig) {
		config.AllowMsgTTL, config.SubjectDeleteMarkerTTL = true, time.Second // no message lives shorter than its marker
		config.AllowMsgSchedules = true
	})
	b := newFixture(t, dial, quiet)
	c := b.read(t, "chat.>").wantOpen()
	short := nats.NewMsg("chat.short")
	short.Header.Set("Nats-TTL", "1s")
	plan := nats.NewMsg("chat.plan")
	plan.Header.Set("Nats-Schedule", "@at "+time.Now().Add(time.Second).UTC().Format(time.RFC3339))
	plan.Header.Set("Nats-Schedule-Target", "chat.planned")
	plan.Data = []byte("as planned")
	for _, msg := range []*nats.Msg{plan, short} {
		if _, err := js.PublishMsg(within(t, patience), msg); err != nil {
			t.Fatal(err)
		}
	}
	expired := bridge.EventDelete + ` {"subject":"chat.short"}`
	want := map[string]bool{"chat.short": true, expired: true, "chat.planned": true}
	for len(want) > 0 {
		event := c.next()
		said := event.Type + " " + event.Data
		if m, err := parseMessage(event); err == nil {
			said = m.Subject
		}
		if !want[said] {
			t.Fatalf("got %+v; still wanted: %v", event, want)
		}
		delete(want, said)
	}
}
