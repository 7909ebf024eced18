package source_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// A server that is cut off from its cluster continues heartbeats, but answers that JetStream is unavailable. It is left for one
// with the majority.
func TestServerInTheMinorityIsLeft(t *testing.T) {
	t.Parallel() // it mostly waits
	var urls, routes []string
	var links []*bridgetest.Cutter // the routes between the servers
	for range 3 {
		route := fmt.Sprintf("127.0.0.1:%d", bridgetest.FreePort(t))
		routes, links = append(routes, route), append(links, bridgetest.StartCutter(t, route))
	}
	link := func(i int) string { return "nats://" + links[i].Addr().String() }
	direct := func(i int) string { return "nats://" + routes[i] }
	for i, to := range []string{link(1) + "," + link(2), link(0) + "," + direct(2), link(0) + "," + direct(1)} {
		server := bridgetest.StartNATSServer(t, "-n", fmt.Sprint("n", i), "--cluster_name", "river", "--no_advertise",
			"--cluster", direct(i), "--cluster_advertise", links[i].Addr().String(), "--routes", to)
		urls = append(urls, server.URL())
	}
	js := manager(t, to(urls[1]))
	eventually(t, "the cluster makes a stream", func() bool {
		config := chats
		config.Replicas = 3
		_, err := js.CreateStream(within(t, time.Second), config)
		return err == nil
	})
	b := newFixture(t, func(options ...nats.Option) (*nats.Conn, error) {
		return nats.Connect(strings.Join(urls, ","), append(options, nats.DontRandomize())...)
	}, quiet)
	client := b.read(t, "chat.a").wantOpen()
	first, _ := url.Parse(urls[0])
	if b.conn.ConnectedAddr() != first.Host {
		t.Fatal("it is connected to another server")
	}
	for _, link := range links {
		link.Close()
		link.Cut()
	}
	eventually(t, "the majority takes a message", func() bool {
		_, err := js.Publish(within(t, time.Second), "chat.a", []byte("hello"))
		return err == nil
	})
	client.wantData("hello")
}
