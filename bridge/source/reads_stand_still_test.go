package source_test

import (
	"strconv"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// If only the connection on which streams are read stands still, they are read on the other one, long before pings notice it.
func TestReadsStandStill(t *testing.T) {
	t.Parallel() // it mostly waits
	server := bridgetest.StartNATSServer(t)
	js := manager(t, to(server.URL()))
	createStream(t, js, chats)
	store(t, js, "chat.a", "stored")
	link := bridgetest.StartFreezer(t, "127.0.0.1:"+strconv.Itoa(server.Port))
	urls := []string{server.URL(), "nats://" + link.Addr().String()}
	b := newFixture(t, func(options ...nats.Option) (*nats.Conn, error) {
		conn, err := nats.Connect(urls[0], options...)
		urls = urls[1:]
		return conn, err
	}, quiet)
	b.since(t, bridge.Since{Kind: bridge.SinceAll}, "chat.a").wantOpen()
	link.FreezeAnswers(t)
	for _, kind := range []bridge.SinceKind{bridge.SinceAll, bridge.SinceLast} {
		newHub(t, b.source, ample).since(t, bridge.Since{Kind: kind}, "chat.*").wantOpen().wantData("stored")
	}
}
