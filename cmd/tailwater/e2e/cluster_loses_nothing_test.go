package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// startCluster starts three servers that know each other, and whose clients know only those that they were told of.
func startCluster(t *testing.T, args ...string) (servers []*bridgetest.NATSServer, urls []string) {
	t.Helper()
	var routes []string
	for range 3 {
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", bridgetest.FreePort(t)))
	}
	for i, route := range routes {
		server := bridgetest.StartNATSServer(t, append([]string{
			"-n", fmt.Sprint("n", i), "--cluster_name", "river", "--no_advertise",
			"--cluster", route, "--routes", strings.Join(routes, ","),
		}, args...)...)
		servers, urls = append(servers, server), append(urls, server.URL())
	}
	return servers, urls
}

// leader returns the number of the server that leads the stream, -1 while there is none.
func leader(ctx context.Context, js jetstream.JetStream) int {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	stream, err := js.Stream(ctx, "CHAT")
	if err != nil || stream.CachedInfo().Cluster == nil {
		return -1
	}
	return slices.Index([]string{"n0", "n1", "n2"}, stream.CachedInfo().Cluster.Leader)
}

// The leader of a replicated stream is killed. Then a replica stands still for a while, and answers when it has only just
// begun to catch up: one of two bridges reads from it, and clients come there from the other, with ids it cannot know yet.
func TestChaosCluster(t *testing.T) {
	onlySoak(t) // TestLeaderStandsStill and TestServerInTheMinorityIsLeft have clusters too, without clients
	c := startChaos(t)
	servers, urls := startCluster(t)
	js := connectJetStream(t, urls[0], urls[1])
	createStream(t, js, func(config *jetstream.StreamConfig) { config.Replicas = 3 })
	ahead := startBridge(t, settings{"NATS_URL": urls[0] + "," + urls[1]})
	behind := startBridge(t, settings{"NATS_URL": urls[2]})
	steady := c.read(6, "/events/chat.a", "chat.a", randomCut, ahead)
	c.read(4, "/events/chat.a", "chat.a", randomCut, ahead, behind)
	c.read(4, "/events/chat.%3E", "chat.>", randomCut, ahead, behind)
	c.read(2, "/events/chat.b", "chat.b", nil, behind)
	c.awaitOpen()
	c.publish("chat.a", 3*time.Millisecond, byPost(t, ahead))
	c.publish("chat.b", 3*time.Millisecond, byNATS(t, urls[0], urls[1]))
	for range length(1, 6) {
		c.awaitMore(200)
		led := -1
		c.await("a leader", func() bool { led = leader(c.ctx, js); return led >= 0 })
		servers[led].Kill()
		c.awaitMore(100)
		servers[led].Start(t)
		c.await("the third server follows", func() bool { return current(c.ctx, js) && leavesLead(c.ctx, js, 2) })

		servers[2].Pause(t)
		c.awaitMore(300)
		resumes := func() (n int) {
			for _, client := range steady {
				n += client.Resumes()
			}
			return n
		}
		before := resumes()
		c.await("resumes while a replica stands still", func() bool { return resumes() > before+20 })
		servers[2].Resume(t)
	}
	c.awaitMore(100)
	c.finish(bridgetest.Rules{})
}

// leavesLead makes a server give up the lead of the stream, and reports whether another has it.
func leavesLead(ctx context.Context, js jetstream.JetStream, number int) bool {
	led := leader(ctx, js)
	if led == number {
		_ = js.Conn().Publish("$JS.API.STREAM.LEADER.STEPDOWN.CHAT", nil)
	}
	return led >= 0 && led != number
}

// current reports whether every replica of the stream has what the leader has.
func current(ctx context.Context, js jetstream.JetStream) bool {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	stream, err := js.Stream(ctx, "CHAT")
	if err != nil || stream.CachedInfo().Cluster == nil || stream.CachedInfo().Cluster.Leader == "" {
		return false
	}
	replicas := stream.CachedInfo().Cluster.Replicas
	for _, replica := range replicas {
		if !replica.Current || replica.Offline {
			return false
		}
	}
	return len(replicas) == 2
}

// deleteConsumers deletes every consumer of the stream, and returns how many there were.
func deleteConsumers(t *testing.T, ctx context.Context, js jetstream.JetStream) (n int) {
	t.Helper()
	stream, err := js.Stream(ctx, "CHAT")
	noError(t, err)
	names := stream.ConsumerNames(ctx)
	for name := range names.Name() {
		if stream.DeleteConsumer(ctx, name) == nil {
			n++
		}
	}
	return n
}

// message returns a text that no other message has.
func message(kind string, i int, c *chaos) string {
	return fmt.Sprintf("%s %d after %d", kind, i, c.published.Load())
}
