package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// linkFaults are what networks do. All but the last close no connection, and are over after some time.
var linkFaults = map[string]func(c *chaos, link *bridgetest.Freezer){
	"cut for 1 s":      func(c *chaos, link *bridgetest.Freezer) { during(c, link.Freeze(c.t), time.Second) },
	"cut for 5 s":      func(c *chaos, link *bridgetest.Freezer) { during(c, link.Freeze(c.t), 5*time.Second) },
	"cut for 30 s":     func(c *chaos, link *bridgetest.Freezer) { during(c, link.Freeze(c.t), 30*time.Second) },
	"answers are cut":  func(c *chaos, link *bridgetest.Freezer) { during(c, link.FreezeAnswers(c.t), 10*time.Second) },
	"requests are cut": func(c *chaos, link *bridgetest.Freezer) { during(c, link.FreezeRequests(c.t), 10*time.Second) },
	"slow":             func(c *chaos, link *bridgetest.Freezer) { during(c, link.Slow(16<<10), 10*time.Second) },
	"broken":           func(_ *chaos, link *bridgetest.Freezer) { link.Cut() },
}

// during ends a fault after some time, in the short form after a moment.
func during(c *chaos, over func(), long time.Duration) {
	if testing.Short() {
		long = min(long, 3*time.Second)
	}
	c.pass(long)
	over()
}

// The link between a bridge and NATS is ill. Another bridge has a healthy one, and some clients use both.
func TestChaosLinkToNATS(t *testing.T) {
	onlyChaos(t)
	for name, fault := range linkFaults {
		t.Run(name, func(t *testing.T) {
			c := startChaos(t)
			server := bridgetest.StartNATSServer(t)
			createStream(t, connectJetStream(t, server.URL()), nil)
			link := bridgetest.StartFreezer(t, fmt.Sprintf("127.0.0.1:%d", server.Port))
			far := startBridge(t, settings{"NATS_URL": "nats://" + link.Addr().String()})
			near := startBridge(t, settings{"NATS_URL": server.URL()})
			c.overLink(name, link, fault, far, byNATS(t, server.URL()), far, near)
		})
	}
}

// The link between browsers and their bridge is ill: all of them share one.
func TestChaosLinkToBrowsers(t *testing.T) {
	onlyChaos(t)
	for name, fault := range linkFaults {
		t.Run(name, func(t *testing.T) {
			c := startChaos(t)
			b := startBridge(t, settings{"HISTORY": "chat.>"})
			link := bridgetest.StartFreezer(t, b.address)
			behind := *b
			behind.address = link.Addr().String()
			c.overLink(name, link, fault, &behind, byNATS(t, b.nats), &behind)
		})
	}
}

// overLink reads from the bridges, and posts to the one whose link is ill.
func (c *chaos) overLink(name string, link *bridgetest.Freezer, fault func(*chaos, *bridgetest.Freezer), ill *chaosBridge, send sender, bridges ...*chaosBridge) {
	c.read(6, "/events/chat.a", "chat.a", nil, ill)
	c.read(6, "/events/chat.%3E", "chat.>", rareCut, bridges...)
	c.awaitOpen()
	c.publish("chat.a", 10*time.Millisecond, byPost(c.t, ill))
	c.publish("chat.b", 10*time.Millisecond, send)
	n := 1
	if name == "broken" {
		n = strikes(10)
	}
	for range n {
		c.strike(func() { fault(c, link) })
	}
	c.finish(bridgetest.Rules{})
}

// A link on which a round trip takes 300 ms delays everything, and loses nothing when it breaks too.
func TestChaosDelayedLink(t *testing.T) {
	onlyChaos(t)
	c := startChaos(t)
	server := bridgetest.StartNATSServer(t)
	createStream(t, connectJetStream(t, server.URL()), nil)
	cutter := bridgetest.StartCutter(t, fmt.Sprintf("127.0.0.1:%d", server.Port))
	b := startBridge(t, settings{"NATS_URL": "nats://" + bridgetest.StartLink(t, cutter.Addr().String(), 300*time.Millisecond)})
	c.readers(b)
	c.publish("chat.a", 10*time.Millisecond, byPost(t, b))
	c.publish("chat.b", 10*time.Millisecond, byNATS(t, server.URL()))
	for range strikes(10) {
		c.strike(cutter.Cut)
	}
	c.finish(bridgetest.Rules{})
}
