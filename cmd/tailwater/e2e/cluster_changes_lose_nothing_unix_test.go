//go:build !windows

package e2e

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// clusterFixture is a cluster of three servers with the stream of these tests on each, and two bridges.
type clusterFixture struct {
	*chaos
	servers []*bridgetest.NATSServer
	js      jetstream.JetStream
}

func startClusterFixture(t *testing.T) *clusterFixture {
	t.Helper()
	c := startChaos(t)
	servers, urls := startCluster(t, "-c", writeFile(t, t.TempDir(), "nats.conf", "lame_duck_grace_period: 1s\nlame_duck_duration: 30s\n"))
	f := &clusterFixture{chaos: c, servers: servers, js: connectJetStream(t, urls...)}
	createStream(t, f.js, func(config *jetstream.StreamConfig) { config.Replicas = 3 })
	all := urls[0] + "," + urls[1] + "," + urls[2]
	east, west := startBridge(t, settings{"NATS_URL": all}), startBridge(t, settings{"NATS_URL": all})
	c.beside(5*time.Millisecond, east, west)
	return f
}

func (f *clusterFixture) awaitCurrent() {
	f.t.Helper()
	f.await("every server has what the leader has", func() bool { return current(f.ctx, f.js) })
}

func (f *clusterFixture) leading() *bridgetest.NATSServer {
	f.t.Helper()
	led := -1
	f.await("a leader", func() bool { led = leader(f.ctx, f.js); return led >= 0 })
	return f.servers[led]
}

// Each server of a cluster is asked to leave, as a lame duck, and started again, in turn.
func TestChaosClusterIsRolled(t *testing.T) {
	onlyChaos(t)
	f := startClusterFixture(t)
	for i := range strikes(2 * len(f.servers)) {
		f.awaitCurrent()
		server := f.servers[i%len(f.servers)]
		f.strike(func() {
			server.LameDuck(t)
			server.Start(t)
		})
	}
	f.finish(bridgetest.Rules{})
}

// The leader of the stream is killed, and stays away until all is well without it.
func TestChaosLeaderIsKilled(t *testing.T) {
	onlyChaos(t)
	f := startClusterFixture(t)
	for range strikes(5) {
		f.awaitCurrent()
		led := f.leading()
		f.strike(led.Kill)
		led.Start(t)
	}
	f.finish(bridgetest.Rules{})
}

// The leader of the stream stands still for a while, with its connections open.
func TestChaosLeaderIsPaused(t *testing.T) {
	onlyChaos(t)
	f := startClusterFixture(t)
	for range strikes(3) {
		f.awaitCurrent()
		led := f.leading()
		f.strike(func() {
			led.Pause(t)
			f.pass(15 * time.Second)
			led.Resume(t)
		})
	}
	f.finish(bridgetest.Rules{})
}
