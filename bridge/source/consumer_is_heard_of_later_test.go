package source_test

import (
	"fmt"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// In a cluster, the answer that a consumer was made can come before the server that the bridge is connected to has heard where
// the consumer listens. That server then says that nobody does, and the bridge asks again: it does not make another consumer.
func TestConsumerIsHeardOfLater(t *testing.T) {
	t.Parallel()
	const text = "jetstream: {}, accounts { A { jetstream: enabled, users: [ { user: a, password: swordfish } ]\n%s\n} }"
	config := configFile(t, fmt.Sprintf(text, `mappings: { "$JS.API.CONSUMER.MSG.NEXT.*.*": "nobody.$1.$2" }`))
	server := bridgetest.StartNATSServer(t, "-c", config)
	watcher := publisher(t, as(server, "a"))
	made, err := watcher.SubscribeSync("$JS.EVENT.ADVISORY.CONSUMER.CREATED.>")
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(watcher)
	if err != nil {
		t.Fatal(err)
	}
	createStream(t, js, chats)
	c := newFixture(t, as(server, "a"), quiet).read(t, "chat.a")
	c.wantOpen() // by now the bridge has asked
	if _, err := made.NextMsg(patience); err != nil {
		t.Fatal(err)
	}
	writeFile(t, config, fmt.Sprintf(text, ""))
	server.Reload(t)
	store(t, js, "chat.a", numbers(0, 3)...)
	c.wantData(numbers(0, 3)...)
	if waiting, _, err := made.Pending(); waiting > 0 || err != nil {
		t.Errorf("%d more consumers were made (%v)", waiting, err)
	}
}
