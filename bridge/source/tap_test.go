package source_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/source"
)

// manager returns another connection's JetStream client.
func manager(t testing.TB, dial source.Dialer) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(publisher(t, dial))
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func createStream(t testing.TB, js jetstream.JetStream, config jetstream.StreamConfig) jetstream.Stream {
	t.Helper()
	stream, err := js.CreateStream(within(t, patience), config)
	if err != nil {
		t.Fatal(config.Name, err)
	}
	return stream
}

func updateStream(t testing.TB, js jetstream.JetStream, config jetstream.StreamConfig) {
	t.Helper()
	if _, err := js.UpdateStream(within(t, patience), config); err != nil {
		t.Fatal(err)
	}
}

func deleteStream(t testing.TB, js jetstream.JetStream, name string) {
	t.Helper()
	if err := js.DeleteStream(within(t, patience), name); err != nil {
		t.Fatal(err)
	}
}

// chats is a stream of chat rooms, in files.
var chats = jetstream.StreamConfig{Name: "CHATS", Subjects: []string{"chat.>"}, AllowDirect: true}

// embeddedChats starts a server in this process, with chats, changed.
func embeddedChats(t testing.TB, change func(*jetstream.StreamConfig)) (dial source.Dialer, js jetstream.JetStream, stream jetstream.Stream) {
	t.Helper()
	config := chats
	if change != nil {
		change(&config)
	}
	dial = embedded(t)
	js = manager(t, dial)
	return dial, js, createStream(t, js, config)
}

// store publishes payloads and waits until the stream has acknowledged each.
func store(t testing.TB, js jetstream.JetStream, subject string, payloads ...string) {
	t.Helper()
	for _, payload := range payloads {
		if _, err := js.Publish(within(t, patience), subject, []byte(payload)); err != nil {
			t.Fatal(err)
		}
	}
}

// resume opens a client that has seen everything up to an id.
func (b *fixture) resume(t testing.TB, id string, subjects ...bridge.Subject) *client {
	t.Helper()
	after, err := bridge.ParseID(id)
	if err != nil {
		t.Fatal(err)
	}
	return b.open(t, bridge.Framing{Format: bridge.JSON}, bridge.Resume{After: after}, subjects...)
}

// ownConsumers returns the consumers of a stream.
func ownConsumers(t testing.TB, stream jetstream.Stream) []string {
	t.Helper()
	var names []string
	list := stream.ConsumerNames(within(t, patience))
	for name := range list.Name() {
		names = append(names, name)
	}
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	return names
}

// Stored messages arrive live, with ids of the stream, and again after any of these ids, also on another bridge.
func TestStoredSubject(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, dial source.Dialer) {
		js := manager(t, dial)
		createStream(t, js, chats)
		b, other := newFixture(t, dial, quiet), newFixture(t, dial, quiet)
		c := b.read(t, "chat.a").wantOpen()
		store(t, js, "chat.b", "not for a")
		store(t, js, "chat.a", numbers(0, 5)...)
		var ids []string
		for range 5 {
			ids = append(ids, c.message().ID)
		}
		for _, fixture := range []*fixture{b, other} {
			again := fixture.resume(t, ids[1], "chat.a")
			if open := again.next(); open.Type != bridge.EventOpen || open.ID != ids[1] {
				t.Fatalf("the connection begins with %+v, want an open at %s", open, ids[1])
			}
			again.wantData("2", "3", "4")
			again.wantNothing()
		}
	})
}

// A stream has one consumer for all feeds, which is deleted with the last feed.
func TestOneConsumerForAStream(t *testing.T) {
	t.Parallel()
	dial, js, stream := embeddedChats(t, nil)
	b := newFixture(t, dial, quiet)
	var clients []*client
	for i := range 20 {
		c := b.read(t, bridge.Subject(fmt.Sprintf("chat.%d", i))).wantOpen()
		clients = append(clients, c)
	}
	for i, c := range clients {
		store(t, js, fmt.Sprintf("chat.%d", i), "x")
		c.wantData("x")
	}
	if names := ownConsumers(t, stream); len(names) != 1 {
		t.Errorf("the stream has the consumers %q, want one", names)
	}
	for _, c := range clients {
		c.reader.Close()
	}
	eventually(t, "the consumer is deleted", func() bool { return len(ownConsumers(t, stream)) == 0 })
}

// If somebody deletes the consumer, it is made again, and no message is missing.
func TestConsumerIsDeleted(t *testing.T) {
	t.Parallel() // it mostly waits
	dial, js, stream := embeddedChats(t, nil)
	b := newFixture(t, dial, quiet)
	c := b.read(t, "chat.a").wantOpen()
	for round := range 3 {
		store(t, js, "chat.a", fmt.Sprint("before ", round))
		c.wantData(fmt.Sprint("before ", round))
		for _, name := range ownConsumers(t, stream) {
			if err := stream.DeleteConsumer(within(t, patience), name); err != nil {
				t.Fatal(err)
			}
		}
		store(t, js, "chat.a", fmt.Sprint("during ", round), "and", "after")
		c.wantData(fmt.Sprint("during ", round), "and", "after")
	}
}

// A server that is killed and restarted with its files costs no message, even after a silence.
func TestServerIsKilledUnderATap(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	dial := to(server.URL())
	createStream(t, manager(t, dial), chats)
	b := newFixture(t, dial, quiet)
	busy, quiet := b.read(t, "chat.busy"), b.read(t, "chat.quiet")
	busy.wantOpen()
	quiet.wantOpen()
	for round := range 3 {
		store(t, manager(t, dial), "chat.busy", fmt.Sprint("before ", round))
		server.Kill()
		b.awaitStatus(t, nats.RECONNECTING)
		server.Start(t)
		js := manager(t, dial)
		store(t, js, "chat.busy", fmt.Sprint("after ", round))
		busy.wantData(fmt.Sprint("before ", round), fmt.Sprint("after ", round))
		if round == 2 {
			store(t, js, "chat.quiet", "at last")
			quiet.wantData("at last")
		}
	}
}

// The same for a stream that was empty when its tap began.
func TestServerIsKilledUnderAnEmptyStream(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	dial := to(server.URL())
	createStream(t, manager(t, dial), chats)
	b := newFixture(t, dial, quiet)
	c := b.read(t, "chat.a").wantOpen()
	server.Kill()
	b.awaitStatus(t, nats.RECONNECTING)
	b.mu.Lock() // the source cannot dial: it will find what is stored now
	server.Start(t)
	store(t, manager(t, dial), "chat.a", numbers(0, 10)...)
	b.mu.Unlock()
	c.wantData(numbers(0, 10)...)
}

// A stream that is created, and later deleted, moves the feeds of its subjects; their readers are told.
func TestStreamAppearsAndVanishes(t *testing.T) {
	t.Parallel()
	dial := embedded(t)
	js := manager(t, dial)
	b := newFixture(t, dial, quiet)
	c := b.read(t, "chat.a").wantOpen()
	publish(t, publisher(t, dial), "chat.a", "unstored")
	c.wantData("unstored")
	createStream(t, js, chats)
	c.wantMove()
	store(t, js, "chat.a", "stored")
	id := c.message().ID
	again := b.resume(t, id, "chat.a").wantOpen()
	deleteStream(t, js, "CHATS")
	c.wantMove()
	again.wantMove()
	publish(t, publisher(t, dial), "chat.a", "unstored again")
	c.wantData("unstored again")
	again.wantData("unstored again")
}

// wantMove waits for the gap of a feed whose origin changes.
func (c *client) wantMove() {
	c.t.Helper()
	if event := c.next(); event.Type != bridge.EventGap || !strings.Contains(event.Data, bridge.GapDisconnected) {
		c.t.Fatalf("got %+v, want a gap: the feed was moved", event)
	}
}

// If a busy stream is deleted and made again, that is announced; messages of the new one arrive once.
func TestStreamIsRecreated(t *testing.T) {
	t.Parallel()
	dial, js, _ := embeddedChats(t, nil)
	b := newFixture(t, dial, quiet)
	c := b.read(t, "chat.a").wantOpen()
	store(t, js, "chat.a", numbers(0, 10)...)
	c.wantData(numbers(0, 9)...)
	id := c.message().ID
	deleteStream(t, js, "CHATS")
	createStream(t, js, chats)
	store(t, js, "chat.a", numbers(100, 20)...) // more than the old one had
	told := false
	for seen := false; !seen; {
		switch event := c.next(); event.Type {
		case bridge.EventReset, bridge.EventGap:
			told = true
		default:
			m, err := parseMessage(event)
			if err != nil || !told {
				t.Fatalf("got %+v, and was told: %v; %v", event, told, err)
			}
			seen = m.Data == "119"
		}
	}
	other := newFixture(t, dial, quiet).resume(t, id, "chat.a")
	if event := other.next(); event.Type != bridge.EventReset || event.Data != `{"reason":"recreated"}` {
		t.Errorf("got %+v, want a reset: recreated", event)
	}
}

// One connection can read from several streams and from none: one id covers all, and continues all.
func TestSeveralStreams(t *testing.T) {
	t.Parallel()
	dial, js, _ := embeddedChats(t, nil)
	createStream(t, js, jetstream.StreamConfig{Name: "NEWS", Subjects: []string{"news.>"}, AllowDirect: true})
	b := newFixture(t, dial, quiet)
	c := b.read(t, "chat.a", "news.a").wantOpen()
	var ids []string
	for i := range 6 {
		subject := []string{"chat.a", "news.a"}[i%2]
		store(t, js, subject, fmt.Sprint(i))
		event := c.next()
		if !strings.Contains(event.Data, fmt.Sprintf(`"data":"%d"`, i)) || strings.Count(event.ID, ".") != 1 {
			t.Fatalf("got %+v, want message %d with an id of two parts", event, i)
		}
		ids = append(ids, event.ID)
	}
	for i, id := range ids {
		again := newFixture(t, dial, quiet).resume(t, id, "chat.a", "news.a")
		if open := again.next(); open.Type != bridge.EventOpen || open.ID != id {
			t.Fatalf("got %+v, want an open at %s", open, id)
		}
		seen := map[string]bool{}
		for range 5 - i {
			seen[again.next().Data] = true
		}
		if len(seen) != 5-i {
			t.Errorf("behind %d came %v", i, seen)
		}
	}
}

// In a stream of newest messages, each superseded value is a missing sequence. The bridge does not ask for each whether a limit
// has removed it.
func TestHolesAreNotAskedForOneByOne(t *testing.T) {
	t.Parallel()
	const holes = 2000
	server := startEmbedded(t, embedListening)
	js := manager(t, server.Dial)
	config := chats
	config.Storage, config.MaxMsgsPerSubject, config.MaxMsgs = jetstream.MemoryStorage, 1, 1<<20
	createStream(t, js, config)
	b := newFixture(t, to(server.URL()), quiet)
	c := b.read(t, "chat.*").wantOpen()
	store(t, js, "chat.first", "first")
	c.wantData("first")
	asked := make(chan *nats.Msg, 1<<14)
	if _, err := js.Conn().ChanSubscribe("$JS.API.STREAM.INFO.CHATS", asked); err != nil {
		t.Fatal(err)
	}
	b.whileAway(func() {
		for i := range holes {
			send(t, js, "chat.superseded", "")
			send(t, js, fmt.Sprint("chat.", i), "value")
		}
		store(t, js, "chat.superseded", "last")
	})
	for range holes {
		c.wantData("value")
	}
	c.wantData("last")
	flush(t, js.Conn())
	if n := len(asked); n > holes/4 {
		t.Errorf("the leader was asked %d times about %d holes", n, holes)
	}
}
