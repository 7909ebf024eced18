package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/httpapi"
	"github.com/tailwater/tailwater/bridge/sockets"
)

// overWriters runs a test with event loops, and with a goroutine for each connection.
func overWriters(t *testing.T, c httpapi.Config, limits sockets.Limits, test func(*testing.T, *fixture)) {
	for name, loops := range map[string]int{"loop": 1, "plain": 0} {
		t.Run(name, func(t *testing.T) {
			c.Places = sockets.NewPlaces(limits)
			test(t, startWith(t, c, loops))
		})
	}
}

// open opens a connection through a proxy as somebody, and tells whether there was a place.
func (b *fixture) open(t *testing.T, address string) (*connection, bool) {
	t.Helper()
	response := b.send(t, http.MethodGet, "/events/chat.room1", nil, "X-Forwarded-For", address)
	if response.StatusCode != http.StatusOK {
		t.Fatal(response.Status)
	}
	c := &connection{bridgetest.NewStream(response.Body), response}
	if event, err := c.Next(); err != nil || event.Type == bridge.EventClose {
		response.Body.Close()
		return nil, false
	}
	t.Cleanup(func() { response.Body.Close() })
	return c, true
}

func TestConnectionsOfAnAddress(t *testing.T) {
	const each = 3
	c := config()
	c.Proxies = proxies
	overWriters(t, c, sockets.Limits{Each: each, Proxies: proxies}, func(t *testing.T, b *fixture) {
		const ada, bob, eve = "192.0.2.1", "2001:db8::1", "2001:db8::2" // bob and eve share a network
		var hers []*connection
		for range each {
			opened, ok := b.open(t, ada)
			if !ok {
				t.Fatal("there was no place")
			}
			hers = append(hers, opened)
		}
		for range 5 {
			b.turnedAway(t, "X-Forwarded-For", ada)
		}
		b.do(t, http.MethodGet, "/events/chat.room1?poll=1", nil, "X-Forwarded-For", ada).problem(t, http.StatusServiceUnavailable, "busy")
		b.do(t, http.MethodHead, "/events/chat.room1", nil, "X-Forwarded-For", bob)
		for i, address := range []string{bob, eve, bob, eve} {
			if _, ok := b.open(t, address); ok != (i < each) {
				t.Errorf("connection %d of a network: %v", i, ok)
			}
		}
		if limited := b.api.Stats().Limited; limited["address"] != 7 || limited["connections"] != 0 {
			t.Errorf("%v", limited)
		}
		// However connections end, each frees exactly one place.
		for range 20 {
			last := len(hers) - 1
			hers[last].response.Body.Close()
			hers = hers[:last]
			bridgetest.Eventually(t, "there is a place again", func() bool {
				opened, ok := b.open(t, ada)
				if ok {
					hers = append(hers, opened)
				}
				return ok
			})
			b.turnedAway(t, "X-Forwarded-For", ada)
			b.do(t, http.MethodGet, "/events/secret", nil, "X-Forwarded-For", ada).problem(t, http.StatusForbidden, "forbidden")
		}
	})
}

// The connections that a stop ends are counted out as well.
func TestDrainFreesEveryPlace(t *testing.T) {
	overWriters(t, config(), sockets.Limits{Each: 50}, func(t *testing.T, b *fixture) {
		for range 50 {
			if _, ok := b.open(t, "192.0.2.1"); !ok { // from no proxy, so it is one address
				t.Fatal("there was no place")
			}
		}
		b.outlet.Drain(t.Context(), 0)
		bridgetest.Eventually(t, "no place is taken", func() bool { return b.places.Stats().Taken == 0 })
	})
}

// If all clients share the address of an unnamed proxy, the log says so.
func TestForgottenProxyIsTold(t *testing.T) {
	c := config()
	c.Places = sockets.NewPlaces(sockets.Limits{Each: 1})
	b := start(t, c)
	b.open(t, "192.0.2.1")
	b.turnedAway(t, "X-Forwarded-For", "192.0.2.2")
	if text := b.log.String(); !strings.Contains(text, "level=WARN") || !strings.Contains(text, "TAILWATER_HTTP_TRUSTED_PROXIES") {
		t.Errorf("the log: %s", text)
	}
}
