package source_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// Where a connection may have few subscriptions, those on which streams acknowledge and JetStream answers come first, also after a reconnect,
// at which nats.go subscribes again in any order.
func TestOwnSubscriptionsComeFirst(t *testing.T) {
	t.Parallel()
	const limit, streams = 8, 24 // most of which find no room
	file := configFile(t, "max_subscriptions: 100")
	server := bridgetest.StartNATSServer(t, "-c", file)
	js := manager(t, to(server.URL()))
	b := newFixture(t, to(server.URL()), quiet)
	for i := range streams {
		config := chats
		config.Name, config.Subjects = fmt.Sprint("S", i), []string{fmt.Sprint("s.", i)}
		createStream(t, js, config)
	}
	for i := range streams {
		b.read(t, bridge.Subject(fmt.Sprint("s.", i))).wantOpen()
		b.read(t, bridge.Subject(fmt.Sprint("u.", i))).wantOpen()
	}
	server.Kill()
	writeFile(t, file, fmt.Sprintf("max_subscriptions: %d", limit))
	b.awaitStatus(t, nats.RECONNECTING)
	server.Start(t)
	eventually(t, "a message is acknowledged", func() bool { return b.post(within(t, time.Second), "s.0", nil, nil) == nil })
}
