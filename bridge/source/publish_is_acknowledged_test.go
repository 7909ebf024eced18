package source_test

import (
	"errors"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source"
)

// A post is answered when its stream has stored it, with a position to continue after; sent twice, it is stored once.
func TestPublishIsAcknowledged(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, dial source.Dialer) {
		js := manager(t, dial)
		stream := createStream(t, js, chats)
		b := newFixture(t, dial, quiet)
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
		c := b.resume(t, first.Position.String(), "chat.a").wantOpen()
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

// An answer of a subscriber of a stored subject is not the stream's.
func TestForgedAcknowledgement(t *testing.T) {
	t.Parallel()
	dial := embedded(t)
	createStream(t, manager(t, dial), chats)
	conn := publisher(t, dial)
	for _, answer := range []string{`{"stream":"CHATS","seq":0}`, `{"stream":"OTHER","seq":99}`, `nonsense`, ``, `{"error":{"code":400,"err_code":10109,"description":"invalid operation on sealed stream"}}`} {
		if _, err := conn.Subscribe("chat.a", func(msg *nats.Msg) { _ = msg.Respond([]byte(answer)) }); err != nil {
			t.Fatal(err)
		}
	}
	flush(t, conn)
	b := newFixture(t, dial, quiet)
	for n := range 20 {
		receipt, err := b.source.Publish(within(t, patience), "chat.a", nil, nil)
		if err != nil || receipt.Position.Seq != uint64(n+1) {
			t.Fatalf("got %+v, %v", receipt, err)
		}
	}
}

// Limits that were lifted do not hide what they removed before.
func TestLimitIsLifted(t *testing.T) {
	t.Parallel()
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
	id := bridge.Position{Epoch: epochOf(t, stream), Seq: 1}
	c := newFixture(t, dial, quiet).resume(t, id.String(), "chat.a")
	c.wantGap(bridge.GapRetention)
	c.wantData("3", "4")
}
