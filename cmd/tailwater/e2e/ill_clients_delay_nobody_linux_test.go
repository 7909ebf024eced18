package e2e

import (
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// illClients are a bridge with clients that read, to which others come.
type illClients struct {
	*chaos
	bridge *chaosBridge
	admin  string
}

func startIllClients(t *testing.T) *illClients {
	t.Helper()
	c := startChaos(t)
	c.padding = 4 << 10 // so that who reads nothing is soon full
	i := &illClients{chaos: c, admin: fmt.Sprintf("127.0.0.1:%d", bridgetest.FreePort(t))}
	i.bridge = startBridge(t, settings{"HISTORY": "chat.>", "LIMIT_WRITE_TIMEOUT": "5s", "ADMIN_LISTEN": i.admin, "LOG_LEVEL": "info"})
	c.read(8, "/events/chat.a", "chat.a", nil, i.bridge)
	c.read(4, "/events/chat.%3E", "chat.>", rareCut, i.bridge)
	c.awaitOpen()
	c.publish("chat.a", 10*time.Millisecond, byPost(t, i.bridge))
	c.publish("chat.a", 10*time.Millisecond, byNATS(t, i.bridge.nats))
	return i
}

// closedAsSlow returns how many clients the bridge has cut for reading nothing.
func (i *illClients) closedAsSlow() int {
	i.t.Helper()
	return int(figureOf(i.t, "http://"+i.admin, `tailwater_connections_closed_total{reason="slow"}`))
}

// Clients whose network is gone, so that nothing ends their connections, are cut, and nobody else waits for them.
func TestChaosHalfOpenClients(t *testing.T) {
	onlyChaos(t)
	i := startIllClients(t)
	const many = 20
	for round := range strikes(2) {
		i.strike(func() {
			for range many {
				w := &wire{}
				client := w.over(&http.Client{Transport: &http.Transport{}})
				t.Cleanup(client.CloseIdleConnections)
				response, err := client.Get("http://" + i.bridge.address + "/events/chat.a")
				noError(t, err)
				t.Cleanup(func() { response.Body.Close() })
				w.lose(t)
			}
			i.await("they are cut", func() bool { return i.closedAsSlow() == many*(round+1) })
		})
	}
	i.finish(bridgetest.Rules{})
}

// Clients that stop reading are cut, and nobody else waits for them.
func TestChaosStalledClients(t *testing.T) {
	onlyChaos(t)
	i := startIllClients(t)
	const many = 50
	for round := range strikes(2) {
		i.strike(func() {
			for range many {
				conn, err := net.Dial("tcp", i.bridge.address)
				noError(t, err)
				t.Cleanup(func() { conn.Close() })
				if _, err := fmt.Fprintf(conn, "GET /events/chat.a?since=all HTTP/1.1\r\nHost: %s\r\n\r\n", i.bridge.address); err != nil {
					t.Fatal(err)
				}
			}
			i.await("they are cut", func() bool { return i.closedAsSlow() == many*(round+1) })
		})
	}
	i.finish(bridgetest.Rules{})
}

// Everybody is cut at once, and comes back at once.
func TestChaosHerd(t *testing.T) {
	onlyChaos(t)
	c := startChaos(t)
	b := startBridge(t, settings{"HISTORY": "chat.>"})
	link := bridgetest.StartCutter(t, b.address)
	behind := *b
	behind.address = link.Addr().String()
	c.read(400, "/events/chat.a", "chat.a", nil, &behind)
	c.read(100, "/events/chat.%3E", "chat.>", nil, &behind)
	c.awaitOpen()
	c.publish("chat.a", 20*time.Millisecond, byPost(t, b))
	c.publish("chat.b", 20*time.Millisecond, byNATS(t, b.nats))
	for range strikes(10) {
		c.strike(link.Cut)
	}
	c.finish(bridgetest.Rules{})
}
