package source_test

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// If only the connection on which streams are read, and questions asked, stands still, that is done on the other one, long before pings notice
// it.
func TestReadsStandStill(t *testing.T) {
	t.Parallel()                                 // it mostly waits
	for _, direct := range []bool{true, false} { // without direct gets, consumers read
		t.Run(fmt.Sprint("read, direct gets: ", direct), func(t *testing.T) {
			t.Parallel()
			b, freeze := withTwoLinks(t, direct)
			b.since(t, bridge.Since{Kind: bridge.SinceAll}, "chat.a").wantOpen()
			freeze()
			for _, kind := range []bridge.SinceKind{bridge.SinceAll, bridge.SinceLast} {
				newHub(t, b.source, ample).since(t, bridge.Since{Kind: kind}, "chat.*").wantOpen().wantData("stored")
			}
		})
	}
	t.Run("ask", func(t *testing.T) {
		t.Parallel()
		const pings = 20 * time.Second
		b, freeze := withTwoLinks(t, true)
		isAnswered := func() bool {
			err := b.source.Ask(within(t, time.Second), "llm.echo", "answers.-.R", nil, []byte("q"))
			return errors.Is(err, bridge.ErrNoResponders)
		}
		eventually(t, "a question is answered", isAnswered)
		freeze()
		begun := time.Now()
		eventually(t, "a question is answered on the other one", isAnswered)
		if took := time.Since(begun); took > pings {
			t.Errorf("that took %v", took)
		}
	})
}

// withTwoLinks opens a source whose second connection can be stopped, with a stored message on chat.a.
func withTwoLinks(t *testing.T, direct bool) (b *fixture, freeze func() (thaw func())) {
	t.Helper()
	server := bridgetest.StartNATSServer(t)
	js := manager(t, to(server.URL()))
	config := chats
	config.AllowDirect = direct
	createStream(t, js, config)
	store(t, js, "chat.a", "stored")
	link := bridgetest.StartFreezer(t, "127.0.0.1:"+strconv.Itoa(server.Port))
	urls := []string{server.URL(), "nats://" + link.Addr().String()}
	b = newFixture(t, func(options ...nats.Option) (*nats.Conn, error) {
		conn, err := nats.Connect(urls[0], options...)
		urls = urls[1:]
		return conn, err
	}, quiet)
	return b, func() func() { return link.FreezeAnswers(t) }
}
