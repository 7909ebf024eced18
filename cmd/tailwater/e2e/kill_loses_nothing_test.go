package e2e

import (
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// The bridge is killed with its embedded server inside, and nothing that was acknowledged is lost.
func TestChaosBridgeIsKilledEmbedded(t *testing.T) {
	c := startChaos(t)
	b := startBridge(t, settings{"HISTORY": "chat.>"})
	c.read(length(3, 8), "/events/chat.a", "chat.a", nil, b)
	c.read(length(3, 8), "/events/chat.%3E", "chat.>", rareCut, b)
	c.awaitOpen()
	c.publish("chat.a", time.Millisecond, byPost(t, b))
	c.publish("chat.b", time.Millisecond, byPost(t, b))
	c.publish("chat.a", time.Millisecond, byNATS(t, b.nats))
	for range times(2) {
		c.strike(func() {
			b.kill()
			b.start()
		})
	}
	c.awaitMore(200)
	c.finish(bridgetest.Rules{})
}

// The bridge is killed in front of a server of its own accord, which goes on taking messages meanwhile.
func TestChaosBridgeIsKilledExternal(t *testing.T) {
	onlySoak(t) // TestChaosBridgeIsKilledEmbedded kills the bridge as well, with its server inside
	s := startStreamFixture(t, nil)
	s.beside(time.Millisecond, s.bridge)
	for range times(2) {
		s.strike(func() {
			s.bridge.kill()
			s.pass(time.Second) // POSTs fail, and who publishes on NATS goes on
			s.bridge.start()
		})
	}
	s.awaitMore(200)
	s.finish(bridgetest.Rules{})
}

// The server is killed under a bridge whose clients stay, and come and go.
func TestChaosServerIsKilled(t *testing.T) {
	s := startStreamFixture(t, nil)
	s.beside(time.Millisecond, s.bridge)
	s.publish("chat.a", time.Millisecond, byNATS(t, s.server.URL()))
	for range times(2) {
		s.strike(func() {
			s.server.Kill()
			s.server.Start(t)
		})
	}
	s.awaitMore(200)
	s.finish(bridgetest.Rules{})
}

// Nothing is published for a while, the server restarts meanwhile, and then what comes is there: nobody had delivered
// anything from which the bridge could know where it was.
func TestChaosQuietTap(t *testing.T) {
	s := startStreamFixture(t, nil)
	send := byNATS(t, s.server.URL())
	s.read(2, "/events/chat.never", "chat.never", nil, s.bridge)
	s.read(4, "/events/chat.%3E", "chat.>", nil, s.bridge)
	s.awaitOpen()
	for range length(1, 10) {
		s.server.Kill()
		s.server.Start(t)
		// Straight away, so that some are stored before the bridge is back.
		for i := range 50 {
			s.send("chat.a", "", message("quiet", i, s.chaos), send)
		}
	}
	s.publish("chat.a", time.Millisecond, send)
	s.publish("chat.never", time.Millisecond, byNATS(t, s.server.URL()))
	s.finish(bridgetest.Rules{})
}

// The bridge's consumers are deleted behind its back.
func TestChaosConsumersAreDeleted(t *testing.T) {
	s := startStreamFixture(t, nil)
	s.beside(time.Millisecond, s.bridge)
	for range length(1, 20) {
		s.awaitMore(200)
		deleted := 0
		s.await("there is a consumer to delete", func() bool {
			deleted += deleteConsumers(t, s.ctx, s.js)
			return deleted > 0
		})
		seen := s.clients[0].events.Load()
		s.await("events again", func() bool { return s.clients[0].events.Load() > seen+200 })
	}
	s.finish(bridgetest.Rules{})
}
