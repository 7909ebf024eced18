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
	c := startChaos(t)
	server := bridgetest.StartNATSServer(t)
	createStream(t, connectJetStream(t, server.URL()), nil)
	b := startBridge(t, settings{"NATS_URL": server.URL()})
	c.read(8, "/events/chat.a", "chat.a", nil, b)
	c.read(8, "/events/chat.%3E", "chat.>", rareCut, b)
	c.awaitOpen()
	c.publish("chat.a", time.Millisecond, byPost(t, b))
	c.publish("chat.b", time.Millisecond, byNATS(t, server.URL()))
	for range times(2) {
		c.strike(func() {
			b.kill()
			c.pass(time.Second) // POSTs fail, and who publishes on NATS goes on
			b.start()
		})
	}
	c.awaitMore(200)
	c.finish(bridgetest.Rules{})
}

// The server is killed under a bridge whose clients stay, and come and go.
func TestChaosServerIsKilled(t *testing.T) {
	c := startChaos(t)
	server := bridgetest.StartNATSServer(t)
	createStream(t, connectJetStream(t, server.URL()), nil)
	b := startBridge(t, settings{"NATS_URL": server.URL()})
	c.read(length(3, 8), "/events/chat.a", "chat.a", nil, b)
	c.read(length(3, 8), "/events/chat.%3E?format=json", "chat.>", rareCut, b)
	c.awaitOpen()
	c.publish("chat.a", time.Millisecond, byPost(t, b))
	c.publish("chat.a", time.Millisecond, byNATS(t, server.URL()))
	c.publish("chat.b", time.Millisecond, byNATS(t, server.URL()))
	for range times(2) {
		c.strike(func() {
			server.Kill()
			server.Start(t)
		})
	}
	c.awaitMore(200)
	c.finish(bridgetest.Rules{})
}

// Nothing is published for a while, the server restarts meanwhile, and then what comes is there: nobody had delivered
// anything from which the bridge could know where it was.
func TestChaosQuietTap(t *testing.T) {
	c := startChaos(t)
	server := bridgetest.StartNATSServer(t)
	js := connectJetStream(t, server.URL())
	createStream(t, js, nil)
	send := byNATS(t, server.URL())
	b := startBridge(t, settings{"NATS_URL": server.URL()})
	c.read(2, "/events/chat.never", "chat.never", nil, b)
	c.read(4, "/events/chat.%3E", "chat.>", nil, b)
	c.awaitOpen()
	for range length(1, 10) {
		server.Kill()
		server.Start(t)
		// Straight away, so that some are stored before the bridge is back.
		for i := range 50 {
			c.send("chat.a", "", message("quiet", i, c), send)
		}
	}
	c.publish("chat.a", time.Millisecond, send)
	c.publish("chat.never", time.Millisecond, byNATS(t, server.URL()))
	c.finish(bridgetest.Rules{})
}

// The bridge's consumers are deleted behind its back.
func TestChaosConsumersAreDeleted(t *testing.T) {
	c := startChaos(t)
	server := bridgetest.StartNATSServer(t)
	js := connectJetStream(t, server.URL())
	createStream(t, js, nil)
	b := startBridge(t, settings{"NATS_URL": server.URL()})
	c.read(4, "/events/chat.a", "chat.a", nil, b)
	c.read(4, "/events/chat.%3E", "chat.>", rareCut, b)
	c.awaitOpen()
	c.publish("chat.a", time.Millisecond, byPost(t, b))
	c.publish("chat.b", time.Millisecond, byNATS(t, server.URL()))
	for range length(1, 20) {
		c.awaitMore(200)
		deleted := 0
		c.await("there is a consumer to delete", func() bool {
			deleted += deleteConsumers(t, c.ctx, js)
			return deleted > 0
		})
		seen := c.clients[0].events.Load()
		c.await("events again", func() bool { return c.clients[0].events.Load() > seen+200 })
	}
	c.finish(bridgetest.Rules{})
}
