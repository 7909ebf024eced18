package source_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/source"
)

// manager is a JetStream client of the test's own.
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
		t.Fatal(err)
	}
	return stream
}

// chats is a stream of chat rooms, kept in files.
var chats = jetstream.StreamConfig{Name: "CHATS", Subjects: []string{"chat.>"}, AllowDirect: true}

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
func (b *bed) resume(t testing.TB, id string, subjects ...bridge.Subject) *client {
	t.Helper()
	after, err := bridge.ParseID(id)
	if err != nil {
		t.Fatal(err)
	}
	return b.open(t, bridge.Framing{Format: bridge.JSON}, bridge.Resume{After: after}, subjects...)
}

// ownConsumers gives the consumers that a stream has.
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

// What is stored arrives live, with ids of the stream, and again behind any of them; also at another bridge.
func TestStoredSubject(t *testing.T) {
	everywhere(t, func(t *testing.T, dial source.Dialer) {
		js := manager(t, dial)
		createStream(t, js, chats)
		b, other := newBed(t, dial, quiet), newBed(t, dial, quiet)
		c := b.read(t, "chat.a")
		c.wantOpen()
		store(t, js, "chat.b", "not for a")
		store(t, js, "chat.a", numbers(0, 5)...)
		var ids []string
		for range 5 {
			ids = append(ids, c.message().ID)
		}
		for _, bed := range []*bed{b, other} {
			again := bed.resume(t, ids[1], "chat.a")
			if open := again.next(); open.Type != bridge.EventOpen || open.ID != ids[1] {
				t.Fatalf("the connection begins with %+v, want an open at %s", open, ids[1])
			}
			again.wantData("2", "3", "4")
			again.wantNothing()
		}
	})
}

// However many feeds read from a stream, it has one consumer, which goes with the last.
func TestOneConsumerForAStream(t *testing.T) {
	dial := embedded(t)
	js := manager(t, dial)
	stream := createStream(t, js, chats)
	b := newBed(t, dial, quiet)
	var clients []*client
	for i := range 20 {
		c := b.read(t, bridge.Subject(fmt.Sprintf("chat.%d", i)))
		c.wantOpen()
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

// A consumer that is deleted behind the bridge's back is made anew, and nothing is missing.
func TestConsumerIsDeleted(t *testing.T) {
	t.Parallel() // it waits for most of its time
	dial := embedded(t)
	js := manager(t, dial)
	stream := createStream(t, js, chats)
	b := newBed(t, dial, quiet)
	c := b.read(t, "chat.a")
	c.wantOpen()
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

// A server that is killed and comes back with its files costs nothing: not even where nothing had been said for a while.
func TestServerIsKilledUnderATap(t *testing.T) {
	server := bridgetest.StartNATSServer(t)
	dial := to(server.URL())
	createStream(t, manager(t, dial), chats)
	b := newBed(t, dial, quiet)
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

// A stream that was empty when its tap began leaves nothing out either, whatever happened before the first message.
func TestServerIsKilledUnderAnEmptyStream(t *testing.T) {
	server := bridgetest.StartNATSServer(t)
	dial := to(server.URL())
	createStream(t, manager(t, dial), chats)
	b := newBed(t, dial, quiet)
	c := b.read(t, "chat.a")
	c.wantOpen()
	server.Kill()
	b.awaitStatus(t, nats.RECONNECTING)
	b.mu.Lock() // the source cannot dial: what is stored now, it will find
	server.Start(t)
	store(t, manager(t, dial), "chat.a", numbers(0, 10)...)
	b.mu.Unlock()
	c.wantData(numbers(0, 10)...)
}

// poison is what would stop a consumer of nats.go, or lead a reader of direct gets astray.
func poison(subject string) []*nats.Msg {
	var all []*nats.Msg
	for _, header := range []string{
		"Status: 100", "Status: 204", "Status: 404", "Status: 408", "Status: 409", "Status: 503", "Status: 204|Description: EOB",
		"Status: 100|Description: FlowControl Request", "Status: 100|Description: Idle Heartbeat|Nats-Last-Consumer: 999",
		"Nats-Sequence: 1", "Nats-Sequence: 18446744073709551615", "Nats-Subject: $SYS.secret", "Nats-Time-Stamp: 1999-01-01T00:00:00Z",
		"Nats-Stream: OTHER|Nats-Num-Pending: 0", "Nats-Num-Pending: 0|Nats-Last-Sequence: 0", "Nats-Consumer-Stalled: chat.a",
		"Nats-Marker-Reason: MaxAge", "KV-Operation: DEL", "Nats-UpTo-Sequence: 1",
	} {
		msg := nats.NewMsg(subject)
		for field := range strings.SplitSeq(header, "|") {
			name, value, _ := strings.Cut(field, ": ")
			msg.Header.Set(name, value)
		}
		all = append(all, msg)
	}
	return all
}

// No header of a publisher is taken for a word of the server. (A reply subject of $JS.ACK the server itself refuses.)
func TestPoison(t *testing.T) {
	dial := embedded(t)
	js := manager(t, dial)
	stream := createStream(t, js, chats)
	b := newBed(t, dial, quiet)
	for _, subject := range []string{"chat.a", "unstored"} {
		t.Run(subject, func(t *testing.T) {
			c := b.read(t, bridge.Subject(subject))
			c.wantOpen()
			conn := publisher(t, dial)
			want := poison(subject)
			for _, msg := range want {
				if err := conn.PublishMsg(msg); err != nil {
					t.Fatal(err)
				}
			}
			publish(t, conn, subject, "the end")
			first := c.message()
			wantPoison(t, c, first, want)
			if subject == "unstored" {
				return
			}
			consumers := ownConsumers(t, stream)
			c.wantNothing()
			other := newBed(t, dial, quiet).resume(t, first.ID, bridge.Subject(subject))
			other.wantOpen()
			other.wantPoison(t, want[1:])
			if after := ownConsumers(t, stream); len(consumers) != 1 || consumers[0] != after[0] {
				t.Errorf("the consumers were %q, and are %q: one was made anew", consumers, after)
			}
		})
	}
}

// wantPoison checks that messages came as they were published, and then the end.
func wantPoison(t *testing.T, c *client, first message, want []*nats.Msg) {
	t.Helper()
	comparePoison(t, first, want[0])
	c.wantPoison(t, want[1:])
}

func (c *client) wantPoison(t *testing.T, want []*nats.Msg) {
	t.Helper()
	for _, msg := range want {
		comparePoison(t, c.message(), msg)
	}
	c.wantData("the end")
}

func comparePoison(t *testing.T, got message, want *nats.Msg) {
	t.Helper()
	if got.Subject != want.Subject || got.Data != "" || fmt.Sprint(got.Headers) != fmt.Sprint(map[string][]string(want.Header)) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// A stream that comes into being, and goes, moves the feeds of its subjects, and they are told.
func TestStreamAppearsAndVanishes(t *testing.T) {
	dial := embedded(t)
	js := manager(t, dial)
	b := newBed(t, dial, quiet)
	c := b.read(t, "chat.a")
	c.wantOpen()
	publish(t, publisher(t, dial), "chat.a", "unstored")
	c.wantData("unstored")
	createStream(t, js, chats)
	c.wantMove()
	store(t, js, "chat.a", "stored")
	id := c.message().ID
	again := b.resume(t, id, "chat.a")
	again.wantOpen()
	if err := js.DeleteStream(within(t, patience), "CHATS"); err != nil {
		t.Fatal(err)
	}
	c.wantMove()
	again.wantMove()
	publish(t, publisher(t, dial), "chat.a", "unstored again")
	c.wantData("unstored again")
	again.wantData("unstored again")
}

// wantMove waits for the gap of a feed that is read from elsewhere.
func (c *client) wantMove() {
	c.t.Helper()
	if event := c.next(); event.Type != bridge.EventGap || !strings.Contains(event.Data, bridge.GapDisconnected) {
		c.t.Fatalf("got %+v, want a gap: the feed was moved", event)
	}
}

// A stream that is deleted and made anew while it is busy is announced; whatever the new one stores arrives, once.
func TestStreamIsRecreated(t *testing.T) {
	dial := embedded(t)
	js := manager(t, dial)
	createStream(t, js, chats)
	b := newBed(t, dial, quiet)
	c := b.read(t, "chat.a")
	c.wantOpen()
	store(t, js, "chat.a", numbers(0, 10)...)
	c.wantData(numbers(0, 9)...)
	id := c.message().ID
	if err := js.DeleteStream(within(t, patience), "CHATS"); err != nil {
		t.Fatal(err)
	}
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
	other := newBed(t, dial, quiet).resume(t, id, "chat.a")
	if event := other.next(); event.Type != bridge.EventReset || event.Data != `{"reason":"recreated"}` {
		t.Errorf("got %+v, want a reset: recreated", event)
	}
}

// What limits have removed is announced to whoever was away, and never to anybody else.
func TestRetention(t *testing.T) {
	dial := embedded(t)
	js := manager(t, dial)
	config := chats
	config.MaxMsgs = 10
	createStream(t, js, config)
	b := newBed(t, dial, quiet)
	c := b.read(t, "chat.a")
	c.wantOpen()
	var ids []string
	for _, payload := range numbers(0, 50) {
		store(t, js, "chat.a", payload) // one after the other: a stream as small as this forgets what is not read at once
		ids = append(ids, c.message().ID)
	}
	node := newBed(t, dial, quiet)
	exact := node.resume(t, ids[39], "chat.a")
	exact.wantOpen()
	exact.wantData(numbers(40, 10)...)
	late := node.resume(t, ids[38], "chat.a")
	late.wantGap(bridge.GapRetention)
	late.wantData(numbers(40, 10)...)
}

// A subject that is just full has lost nothing, and where the stream has no holes that shows.
func TestFullSubject(t *testing.T) {
	dial := embedded(t)
	js := manager(t, dial)
	config := chats
	config.MaxMsgsPerSubject = 3
	createStream(t, js, config)
	b := newBed(t, dial, quiet)
	c := b.read(t, "chat.b")
	c.wantOpen()
	store(t, js, "chat.b", "b")
	id := c.message().ID
	store(t, js, "chat.c", "c")
	store(t, js, "chat.a", numbers(0, 3)...)
	full := newBed(t, dial, quiet).resume(t, id, "chat.a")
	full.wantOpen()
	full.wantData(numbers(0, 3)...)
	store(t, js, "chat.a", "3")
	over := newBed(t, dial, quiet).resume(t, id, "chat.a")
	over.wantGap(bridge.GapRetention)
	over.wantData(numbers(1, 3)...)
}

// A stream that keeps one message for each subject owes no older ones; but what its other limits removed before it could
// be read is announced.
func TestRetentionOfNewestMessages(t *testing.T) {
	server := startEmbedded(t, embedListening)
	js := manager(t, server.Dial)
	config := chats
	config.MaxMsgsPerSubject, config.MaxMsgs = 1, 3
	createStream(t, js, config)
	b := newBed(t, to(server.URL()), quiet)
	c := b.read(t, "chat.*")
	c.wantOpen()
	whileAway := func(subjects ...string) {
		b.mu.Lock() // the source cannot dial
		defer b.mu.Unlock()
		for _, socket := range b.sockets {
			_ = socket.Close()
		}
		b.sockets = nil
		for _, subject := range subjects {
			store(t, js, subject, subject)
		}
	}
	store(t, js, "chat.a", "a")
	c.wantData("a")
	whileAway("chat.b", "chat.b", "chat.c", "chat.c")
	c.wantData("chat.b", "chat.c")
	whileAway("chat.d", "chat.e", "chat.f", "chat.g")
	c.wantGap(bridge.GapRetention)
	c.wantData("chat.e", "chat.f", "chat.g")
}

// One connection can read from several streams and from none: it has one id for all, which continues all.
func TestSeveralStreams(t *testing.T) {
	dial := embedded(t)
	js := manager(t, dial)
	createStream(t, js, chats)
	createStream(t, js, jetstream.StreamConfig{Name: "NEWS", Subjects: []string{"news.>"}, AllowDirect: true})
	b := newBed(t, dial, quiet)
	c := b.read(t, "chat.a", "news.a")
	c.wantOpen()
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
		again := newBed(t, dial, quiet).resume(t, id, "chat.a", "news.a")
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

// A post is answered when its stream has it, with a position that continues behind it; sent twice, it is stored once.
func TestPublishIsAcknowledged(t *testing.T) {
	everywhere(t, func(t *testing.T, dial source.Dialer) {
		js := manager(t, dial)
		stream := createStream(t, js, chats)
		b := newBed(t, dial, quiet)
		header := map[string][]string{"Nats-Msg-Id": {"one"}}
		first, err := b.source.Publish(within(t, patience), "chat.a", header, []byte("1"))
		if err != nil || first.Stream != "CHATS" || first.Position.Seq != 1 || first.Duplicate {
			t.Fatalf("got %+v, %v", first, err)
		}
		again, err := b.source.Publish(within(t, patience), "chat.a", header, []byte("1"))
		if err != nil || again.Position != first.Position || !again.Duplicate {
			t.Fatalf("got %+v, %v", again, err)
		}
		for subject, data := range map[bridge.Subject]string{"chat.a": "another", "chat.b": "1"} {
			if got, err := b.source.Publish(within(t, patience), subject, header, []byte(data)); !errors.Is(err, bridge.ErrKeyUsed) {
				t.Errorf("%q on %s with a key that was used: %+v, %v", data, subject, got, err)
			}
		}
		if _, err := b.source.Publish(within(t, patience), "chat.a", nil, []byte("2")); err != nil {
			t.Fatal(err)
		}
		c := b.resume(t, first.Position.String(), "chat.a")
		c.wantOpen()
		c.wantData("2")
		info, err := stream.Info(within(t, patience))
		if err != nil || info.State.Msgs != 2 {
			t.Errorf("%+v, %v", info, err)
		}
		unstored, err := b.source.Publish(within(t, patience), "x", nil, nil)
		if err != nil || unstored.Stream != "" {
			t.Errorf("got %+v, %v", unstored, err)
		}
	})
}

// Somebody who answers on a subject that is stored speaks for himself, not for the stream.
func TestForgedAcknowledgement(t *testing.T) {
	dial := embedded(t)
	createStream(t, manager(t, dial), chats)
	conn := publisher(t, dial)
	for _, answer := range []string{`{"stream":"CHATS","seq":0}`, `{"stream":"OTHER","seq":99}`, `nonsense`, ``} {
		if _, err := conn.Subscribe("chat.a", func(msg *nats.Msg) { _ = msg.Respond([]byte(answer)) }); err != nil {
			t.Fatal(err)
		}
	}
	flush(t, conn)
	b := newBed(t, dial, quiet)
	for n := range 20 {
		receipt, err := b.source.Publish(within(t, patience), "chat.a", nil, nil)
		if err != nil || receipt.Position.Seq != uint64(n+1) {
			t.Fatalf("got %+v, %v", receipt, err)
		}
	}
}

// A stream that takes no more says so.
func TestStreamIsFull(t *testing.T) {
	dial := embedded(t)
	config := chats
	config.MaxMsgs, config.Discard = 1, jetstream.DiscardNew
	createStream(t, manager(t, dial), config)
	b := newBed(t, dial, quiet)
	if err := b.post(within(t, patience), "chat.a", nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := b.post(within(t, patience), "chat.a", nil, nil); !errors.Is(err, bridge.ErrFull) {
		t.Errorf("got %v, want ErrFull", err)
	}
}

// Limits that were lifted do not hide what they have removed before.
func TestLimitIsLifted(t *testing.T) {
	dial := embedded(t)
	js := manager(t, dial)
	config := chats
	config.MaxMsgs, config.MaxMsgsPerSubject = 2, -1
	createStream(t, js, config)
	store(t, js, "chat.a", numbers(0, 5)...)
	config.MaxMsgs = -1
	stream, err := js.UpdateStream(within(t, patience), config)
	if err != nil {
		t.Fatal(err)
	}
	id := bridge.Position{Epoch: bridge.Epoch("CHATS", stream.CachedInfo().Created), Seq: 1}
	c := newBed(t, dial, quiet).resume(t, id.String(), "chat.a")
	c.wantGap(bridge.GapRetention)
	c.wantData("3", "4")
}

// Who catches up with a stream of newest messages meets a hole wherever a value was superseded. Whether a limit has removed
// something there is not asked for each of them.
func TestHolesAreNotAskedForOneByOne(t *testing.T) {
	const holes = 2000
	server := startEmbedded(t, embedListening)
	js := manager(t, server.Dial)
	config := chats
	config.Storage, config.MaxMsgsPerSubject, config.MaxMsgs = jetstream.MemoryStorage, 1, 1<<20
	createStream(t, js, config)
	b := newBed(t, to(server.URL()), quiet)
	c := b.read(t, "chat.*")
	c.wantOpen()
	store(t, js, "chat.first", "first")
	c.wantData("first")
	asked := make(chan *nats.Msg, 1<<14)
	if _, err := js.Conn().ChanSubscribe("$JS.API.STREAM.INFO.CHATS", asked); err != nil {
		t.Fatal(err)
	}
	b.mu.Lock() // the source cannot dial
	for _, socket := range b.sockets {
		_ = socket.Close()
	}
	b.sockets = nil
	for i := range holes {
		send(t, js, "chat.superseded", "")
		send(t, js, fmt.Sprint("chat.", i), "value")
	}
	store(t, js, "chat.superseded", "last")
	b.mu.Unlock()
	for range holes {
		c.wantData("value")
	}
	c.wantData("last")
	flush(t, js.Conn())
	if n := len(asked); n > holes/4 {
		t.Errorf("the leader was asked %d times about %d holes", n, holes)
	}
}
