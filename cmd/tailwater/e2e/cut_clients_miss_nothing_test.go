package e2e

import (
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// Clients that are cut wherever it hurts, hundreds of times, miss nothing and are told of nothing.
func TestChaosClientsAreCut(t *testing.T) {
	c := startChaos(t)
	b := startBridge(t, settings{"HISTORY": "chat.>"})
	c.read(10, "/events/chat.a", "chat.a", randomCut, b)
	c.read(10, "/events/chat.a?format=json", "chat.a", randomCut, b)
	c.read(10, "/events/chat.%3E", "chat.>", randomCut, b)
	c.read(2, "/events/chat.b", "chat.b", nil, b)
	c.awaitOpen()
	for _, subject := range []string{"chat.a", "chat.b", "chat.c"} {
		c.publish(subject, 2*time.Millisecond, byPost(t, b))
	}
	c.publish("chat.a", 2*time.Millisecond, byNATS(t, b.nats))
	wanted := length(150, 5000)
	c.await("so many resumes", func() bool { return c.resumes() >= wanted })
	c.finish(bridgetest.Rules{})
}

// Clients that hop from one bridge to another see one river, whatever writes to them there.
func TestChaosTwoBridges(t *testing.T) {
	c := startChaos(t)
	server := bridgetest.StartNATSServer(t)
	createStream(t, connectJetStream(t, server.URL()), nil)
	east := startBridge(t, settings{"NATS_URL": server.URL()})
	west := startBridge(t, settings{"NATS_URL": server.URL(), "HTTP_LOOPS": "0"})
	c.read(10, "/events/chat.a", "chat.a", randomCut, east, west)
	c.read(10, "/events/chat.%3E", "chat.>", randomCut, east, west)
	c.read(1, "/events/chat.a", "chat.a", nil, east)
	c.read(1, "/events/chat.a", "chat.a", nil, west)
	c.awaitOpen()
	c.publish("chat.a", 2*time.Millisecond, byPost(t, east, west))
	c.publish("chat.b", 2*time.Millisecond, byNATS(t, server.URL()))
	for range length(1, 8) {
		c.await("resumes on both", func() bool { return c.resumes() >= 60 })
		east.kill()
		c.awaitMore(50)
		east.start()
		c.awaitMore(50)
	}
	wanted := length(120, 2000)
	c.await("so many resumes", func() bool { return c.resumes() >= wanted })
	c.finish(bridgetest.Rules{})
}

// Two bridges are stopped and started in turn, as in a roll-out.
func TestChaosBridgesAreRolled(t *testing.T) {
	onlyChaos(t)
	c := startChaos(t)
	server := bridgetest.StartNATSServer(t)
	createStream(t, connectJetStream(t, server.URL()), nil)
	bridges := []*chaosBridge{
		startBridge(t, settings{"NATS_URL": server.URL(), "DRAIN_WINDOW": "2s"}), startBridge(t, settings{"NATS_URL": server.URL(), "DRAIN_WINDOW": "2s"}),
	}
	c.beside(5*time.Millisecond, bridges...)
	for i := range strikes(10) {
		c.strike(func() {
			bridges[i%2].stop()
			bridges[i%2].start()
		})
	}
	c.finish(bridgetest.Rules{})
}
