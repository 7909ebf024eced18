package embed_test

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/embed"
)

// Messages published without waiting for an acknowledgement, as nats pub does, are all stored, although a stream receives them
// faster than it writes.
func TestFlood(t *testing.T) {
	const messages = 60_000 // six times what the server has room for by default
	if stored := flood(t, start(t, usual(t)), messages); stored != messages {
		t.Errorf("%d of %d messages are stored", stored, messages)
	}
}

// A file may reserve less memory. This test proves that TestFlood needs the reserve.
func TestFloodWithoutRoom(t *testing.T) {
	const messages = 20_000
	server := start(t, withFile(t, "jetstream { max_buffered_msgs: 100 }"))
	if stored := flood(t, server, messages); stored >= messages {
		t.Errorf("all %d messages are stored, although the file leaves no room for them", messages)
	}
}

// flood publishes as fast as it can, and returns how many messages a stream has stored.
func flood(t *testing.T, server *embed.Server, messages int) (stored int) {
	t.Helper()
	conn := stranger(t, server)
	streams := js(t, conn)
	if _, err := streams.CreateStream(within(t), jetstream.StreamConfig{Name: "FLOOD", Subjects: []string{"flood.>"}}); err != nil {
		t.Fatal(err)
	}
	payload := make([]byte, 16)
	for range messages {
		if err := conn.Publish("flood.a", payload); err != nil {
			t.Fatal(err)
		}
	}
	// This message is last, so its sequence counts the others. It too may find no room for a while.
	ctx := within(t)
	for {
		last, err := streams.Publish(ctx, "flood.last", nil)
		if err == nil {
			return int(last.Sequence) - 1
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}
