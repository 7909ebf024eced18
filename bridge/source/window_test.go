package source_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// While the link to NATS stands still, a server sends no more than a few MiB, however much is stored: what is on the way takes
// memory on both sides, and a server ends a connection for which too much waits.
func TestLittleIsOnTheWay(t *testing.T) {
	t.Parallel()
	const (
		n, size = 200, 64 << 10
		arrives = 6 << 20 // a window that grows has grown by then
		most    = 5 << 20
	)
	server := bridgetest.StartNATSServer(t)
	js := manager(t, to(server.URL()))
	config := chats
	config.Storage = jetstream.MemoryStorage
	stream := createStream(t, js, config)
	b, link := newDammedFixture(t, server.URL(), arrives)
	c := b.read(t, "chat.a").wantOpen()
	payload := strings.Repeat("v", size)
	for range n {
		store(t, js, "chat.a", payload)
	}
	eventually(t, "the link stands still", func() bool { return link.left.Load() < 0 })
	sent := uint64(0)
	eventually(t, "the server sends nothing more", func() bool {
		before := sent
		sent = delivered(t, stream)
		return sent == before
	})
	if onTheWay := int(sent)*size - arrives; onTheWay > most {
		t.Errorf("%d KiB are on the way, want %d at most", onTheWay>>10, most>>10)
	}
	close(link.opened)
	for i := range n {
		if m := c.message(); m.Data != payload {
			t.Fatalf("the %dth message is %.20q", i, m.Data)
		}
	}
}

// delivered returns how many messages the consumers of a stream have sent.
func delivered(t *testing.T, stream jetstream.Stream) (sent uint64) {
	t.Helper()
	list := stream.ListConsumers(within(t, patience))
	for info := range list.Info() {
		sent += info.Delivered.Consumer
	}
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	return sent
}

// The same holds for a search for the newest messages of very many subjects, where small ones are followed by large ones.
func TestLittleOfASearchIsOnTheWay(t *testing.T) {
	if !*soak {
		t.Skip("it stores seventy messages of a MiB: run it with -soak")
	}
	t.Parallel()
	const (
		small   = 2000 // more than a direct get returns
		n, size = 72, 1<<20 - 1<<10
		most    = 33 << 20
	)
	server := bridgetest.StartNATSServer(t)
	js := manager(t, to(server.URL()))
	config := chats
	config.Storage = jetstream.MemoryStorage
	stream := createStream(t, js, config)
	update(t, js, 0, small, "v")
	awaitStored(t, js)
	update(t, js, small, small+n, strings.Repeat("v", size))
	awaitStored(t, js)
	b, link := newDammedFixture(t, server.URL(), 3*size)
	c := b.since(t, bridge.Since{Kind: bridge.SinceLast}, "chat.*")
	eventually(t, "the link stands still", func() bool {
		c.begun() // a reader that is not read requests nothing
		return link.left.Load() < 0
	})
	sent := uint64(0)
	eventually(t, "the server sends nothing more", func() bool {
		before := sent
		sent = delivered(t, stream)
		return sent == before
	})
	if onTheWay := (int(sent)-small)*size - 3*size; onTheWay > most {
		t.Errorf("%d KiB are on the way, want %d at most", onTheWay>>10, most>>10)
	}
	close(link.opened)
	c.wantOpen()
	for i := range small + n {
		if m := c.message(); m.Subject != fmt.Sprint("chat.", i) {
			t.Fatalf("got %s, want chat.%d", m.Subject, i)
		}
	}
}

// Messages that are larger than all that is on the way otherwise arrive, live and from a stream without direct gets; so do those
// behind them.
func TestMessagesLargerThanTheWindow(t *testing.T) {
	t.Parallel()
	js, b := startLimited(t, "max_payload: 12MB, max_pending: 64MB, jetstream: {}")
	c := b.read(t, "chat.a").wantOpen()
	// The second is larger than twice the window, and the third than what is left of it.
	want := []string{"first", strings.Repeat("b", 9<<20), strings.Repeat("c", 3<<20), "last"}
	store(t, js, "chat.a", want...)
	wantAll := func(c *client) {
		t.Helper()
		for i, payload := range want {
			if m := c.message(); m.Data != payload {
				t.Fatalf("the message %d has %d bytes, want %d", i, len(m.Data), len(payload))
			}
		}
	}
	wantAll(c)
	again := b.since(t, bridge.Since{Kind: bridge.SinceAll}, "chat.a").wantOpen()
	wantAll(again)
}

// A server may limit for how many messages a bridge asks at once.
func TestServerLimitsRequests(t *testing.T) {
	t.Parallel()
	js, b := startLimited(t, "jetstream: { limits: { max_request_batch: 3 } }")
	c := b.read(t, "chat.*").wantOpen()
	want := numbers(0, 40)
	store(t, js, "chat.a", want...)
	c.wantData(want...)
	again := b.since(t, bridge.Since{Kind: bridge.SinceAll}, "chat.*").wantOpen()
	again.wantData(want...)
}

// startLimited starts a server with a configuration, makes a stream that allows no direct gets, and starts a bridge.
func startLimited(t *testing.T, text string) (jetstream.JetStream, *fixture) {
	t.Helper()
	config := configFile(t, text)
	server := bridgetest.StartNATSServer(t, "-c", config)
	js := manager(t, to(server.URL()))
	noGets := chats
	noGets.AllowDirect = false
	createStream(t, js, noGets)
	return js, newFixture(t, to(server.URL()), quiet)
}
