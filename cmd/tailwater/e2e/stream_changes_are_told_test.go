package e2e

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// streamFixture is a server with the stream of these tests, a bridge in front of it, and clients.
type streamFixture struct {
	*chaos
	server *bridgetest.NATSServer
	js     jetstream.JetStream
	bridge *chaosBridge
}

func startStreamFixture(t *testing.T, change func(*jetstream.StreamConfig)) *streamFixture {
	t.Helper()
	s := &streamFixture{chaos: startChaos(t), server: bridgetest.StartNATSServer(t)}
	s.js = connectJetStream(t, s.server.URL())
	createStream(t, s.js, change)
	s.bridge = startBridge(t, settings{"NATS_URL": s.server.URL()})
	return s
}

// The stream is deleted and made anew while it is busy.
func TestChaosStreamIsRecreated(t *testing.T) {
	s := startStreamFixture(t, nil)
	s.read(6, "/events/chat.a", "chat.a", nil, s.bridge)
	s.read(6, "/events/chat.a", "chat.a", rareCut, s.bridge)
	s.read(6, "/events/chat.%3E", "chat.>", randomCut, s.bridge)
	s.awaitOpen()
	s.publish("chat.a", time.Millisecond, byNATS(t, s.server.URL()))
	s.publish("chat.b", time.Millisecond, byNATS(t, s.server.URL()))
	for i := range times(1) {
		s.awaitMore(300)
		_, old := subscribe(t, "http://"+s.bridge.address+"/events/chat.a", "")
		s.strike(func() {
			s.ledger.Disturb(func() {
				noError(t, s.js.DeleteStream(s.ctx, "CHAT"))
				createStream(t, s.js, nil)
			})
		})
		s.awaitMore(600) // the new sequences pass the old ones
		s.awaitAll("every client is told", func(client *chaosClient) bool {
			return client.resets.Load() > int64(i)
		})
		if _, again := subscribe(t, "http://"+s.bridge.address+"/events/chat.a", old.ID); again.Type != "tailwater:reset" || again.Data != `{"reason":"recreated","heartbeat":15}` {
			t.Errorf("who was away meanwhile is told %+v", again)
		}
	}
	s.finish(bridgetest.Rules{Resets: []string{"recreated"}})
}

// The stream is purged: a client that had everything misses nothing, one that reconnects is told.
func TestChaosStreamIsPurged(t *testing.T) {
	s := startStreamFixture(t, nil)
	s.read(6, "/events/chat.a", "chat.a", nil, s.bridge)
	s.read(6, "/events/chat.%3E", "chat.>", randomCut, s.bridge)
	s.awaitOpen()
	s.publish("chat.a", time.Millisecond, byNATS(t, s.server.URL()))
	s.publish("chat.b", time.Millisecond, byPost(t, s.bridge))
	for range length(3, 30) {
		s.awaitMore(200)
		stream, err := s.js.Stream(s.ctx, "CHAT")
		noError(t, err)
		noError(t, stream.Purge(s.ctx))
	}
	s.awaitMore(100)
	s.finish(bridgetest.Rules{Gaps: []string{"retention", "overrun"}})
}

// The server's files are set back to an earlier copy: its sequences are used again, for other messages.
func TestChaosStreamIsRolledBack(t *testing.T) {
	s := startStreamFixture(t, nil)
	s.read(6, "/events/chat.a", "chat.a", nil, s.bridge)
	s.read(6, "/events/chat.a", "chat.a", rareCut, s.bridge)
	s.awaitOpen()
	s.publish("chat.a", time.Millisecond, byNATS(t, s.server.URL()))
	s.publish("chat.a", time.Millisecond, byPost(t, s.bridge))
	for i := range length(1, 8) {
		s.awaitMore(100)
		s.server.Kill()
		copied := filepath.Join(t.TempDir(), "copy")
		copyDir(t, s.server.Dir(), copied)
		s.server.Start(t)
		s.awaitMore(300)
		s.strike(func() {
			s.ledger.Disturb(func() {
				s.server.Kill()
				noError(t, os.RemoveAll(s.server.Dir()))
				copyDir(t, copied, s.server.Dir())
				s.server.Start(t)
			})
		})
		s.awaitMore(600) // past what was reached before
		s.awaitAll("every client is told", func(client *chaosClient) bool { return client.resets.Load() > int64(i) })
	}
	s.finish(bridgetest.Rules{Resets: []string{"rolled back"}})
}

func copyDir(t *testing.T, from, to string) {
	t.Helper()
	noError(t, os.CopyFS(to, os.DirFS(from)))
}

// A client is away for five times as many messages as are kept: it is told, and continues with the oldest there is.
func TestChaosRetention(t *testing.T) {
	kept := length(200, 1000)
	s := startStreamFixture(t, func(config *jetstream.StreamConfig) { config.MaxMsgs = int64(kept) })
	s.read(4, "/events/chat.a", "chat.a", func() bridgetest.Cut { return bridgetest.Cut{Events: 50} }, s.bridge)
	s.awaitOpen()
	send := byNATS(t, s.server.URL())
	for i := range 10 {
		s.send("chat.a", "", message("before", i, s.chaos), send)
	}
	rounds := length(1, 10)
	for round := range rounds + 1 {
		s.awaitAll("every client has all that is kept", func(client *chaosClient) bool {
			return client.messages.Load() == int64(10+round*kept) && client.gaps.Load() == int64(round)
		})
		if round == rounds {
			break
		}
		s.bridge.kill() // so everybody is away
		for i := range 5 * kept {
			s.send("chat.a", "", message("away", i, s.chaos), send)
		}
		s.bridge.start()
	}
	s.publish("chat.a", time.Millisecond, send)
	s.finish(bridgetest.Rules{Gaps: []string{"retention"}})
}
