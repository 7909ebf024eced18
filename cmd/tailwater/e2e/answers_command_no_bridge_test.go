package e2e

import (
	"fmt"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// Only requests to its own subjects command a bridge. A NATS user who may not publish there can make others answer there: a stream, a
// consumer, or the bridge itself. That ends no connection and stops no bridge.
func TestAnswersCommandNoBridge(t *testing.T) {
	t.Parallel()
	config := writeFile(t, t.TempDir(), "nats.conf", `authorization { users: [
		{ user: admin, password: s3cret }
		{ user: other, password: s3cret, permissions: { subscribe: ["_INBOX.>"],
			publish: ["orders.>", "$SRV.>", "$JS.API.CONSUMER.MSG.NEXT.ORDERS.c", "$JS.API.DIRECT.GET.ORDERS"] } } ] }`)
	server := bridgetest.StartNATSServer(t, "-c", config)
	as := func(user string) string { return fmt.Sprintf("nats://%s:s3cret@127.0.0.1:%d", user, server.Port) }
	n := startNode(t, settings{"NATS_URL": as("admin"), "ANONYMOUS_SUBSCRIBE": "chat.>", "ANONYMOUS_PUBLISH": "chat.>"})
	admin, other := publisher(t, as("admin")), publisher(t, as("other"))
	js, err := jetstream.New(admin)
	noError(t, err)
	stream, err := js.CreateStream(within(t), jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}, AllowDirect: true})
	noError(t, err)
	if _, err := stream.CreateConsumer(within(t), jetstream.ConsumerConfig{Durable: "c", AckPolicy: jetstream.AckExplicitPolicy}); err != nil {
		t.Fatal(err)
	}
	reader, _ := subscribe(t, n.URL()+"/events/chat.room1", "")
	drain, kick := subjectOf(t, infoOf(t, admin), "drain"), "$TAILWATER.tailwater.kick"
	seen, err := admin.SubscribeSync("$TAILWATER.>")
	noError(t, err)
	if _, err := js.Publish(within(t), "orders.1", []byte(`{"subject":"chat.>"}`)); err != nil {
		t.Fatal(err)
	}
	for _, trick := range []struct{ subject, reply, data string }{
		{"$JS.API.CONSUMER.MSG.NEXT.ORDERS.c", kick, ""},
		{"$JS.API.DIRECT.GET.ORDERS", kick, `{"seq":1}`},
		{"$SRV.PING", drain, ""},
		{"orders.2", drain, ""}, // its acknowledgement
	} {
		noError(t, other.PublishRequest(trick.subject, trick.reply, []byte(trick.data)))
		if _, err := seen.NextMsg(patience); err != nil {
			t.Errorf("%s: no answer at %s: %v", trick.subject, trick.reply, err)
		}
	}
	if answer, refusal := ask(t, admin, "$TAILWATER.tailwater.connections", ""); answer["open"] != 1.0 || answer["draining"] != false {
		t.Errorf("the bridge says %v %s", answer, refusal)
	}
	publishTo(t, n.URL()+"/events/chat.room1", "hello")
	reader.expect("message", "hello")
}
