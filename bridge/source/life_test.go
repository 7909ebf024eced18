package source_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/source"
)

// If a stream's files are found damaged at a server's restart, the stream begins a new life for connected readers: they get a
// reset, and the messages stored from then on.
func TestNewLifeOfTheSameStream(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	dial := to(server.URL())
	createStream(t, manager(t, dial), chats)
	var damaged atomic.Pointer[time.Time]
	b := newFixtureWith(t, dial, source.Config{Began: func(_ string, created time.Time) time.Time {
		if found := damaged.Load(); found != nil {
			return *found
		}
		return created
	}}, quiet)
	c := b.read(t, "chat.a").wantOpen()
	store(t, manager(t, dial), "chat.a", "before")
	c.wantData("before")
	server.Kill()
	b.awaitStatus(t, nats.RECONNECTING)
	now := time.Now()
	damaged.Store(&now)
	server.Start(t)
	if event := c.next(); event.Type != bridge.EventReset {
		t.Fatalf("got %+v, want a reset", event)
	}
	store(t, manager(t, dial), "chat.a", "after")
	for event := c.next(); ; event = c.next() {
		m, err := parseMessage(event)
		if err != nil {
			t.Fatal(err)
		}
		if m.Data == "after" {
			break
		}
	}
}
