package source_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// A paused leader delays its streams no longer than the election of another: requests to it are sent again. Other streams are
// read meanwhile.
func TestLeaderStandsStill(t *testing.T) {
	t.Parallel() // it mostly waits
	var servers []*bridgetest.NATSServer
	var routes, urls []string
	for range 3 {
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", bridgetest.FreePort(t)))
	}
	for i, route := range routes {
		server := bridgetest.StartNATSServer(t, "-n", fmt.Sprint("n", i), "--cluster_name", "river", "--no_advertise",
			"--cluster", route, "--routes", strings.Join(routes, ","))
		servers, urls = append(servers, server), append(urls, server.URL())
	}
	js := manager(t, to(urls[0]))
	var stream jetstream.Stream
	eventually(t, "the cluster makes a stream", func() bool {
		config := chats
		config.Replicas = 3
		var err error
		stream, err = js.CreateStream(within(t, time.Second), config)
		return err == nil
	})
	store(t, js, "chat.a", numbers(0, 10)...)
	store(t, js, "chat.b", numbers(0, 10)...)
	info, err := stream.Info(within(t, patience))
	if err != nil {
		t.Fatal(err)
	}
	led := int(info.Cluster.Leader[1] - '0')
	b := newFixture(t, to(urls[(led+1)%3]), quiet)
	live := b.read(t, "chat.>") // starts a tap
	live.wantOpen()

	servers[led].Pause(t)
	defer servers[led].Resume(t)
	begun := time.Now()
	c := b.since(t, bridge.Since{Kind: bridge.SinceAll}, "chat.a")
	newest := b.since(t, bridge.Since{Kind: bridge.SinceLast}, "chat.*")
	c.wantOpen()
	c.wantData(numbers(0, 10)...)
	c.wantSynced()
	newest.wantOpen()
	newest.wantData("9", "9")
	newest.wantSynced()
	t.Logf("read %v after the leader stood still, %d reads failed", time.Since(begun), b.hub.Stats().ReplayErrors)
}
