package outlet_test

import (
	"net/netip"
	"testing"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// Whoever is kicked is told so, and asked to come back. Nobody else notices.
func TestKick(t *testing.T) {
	t.Parallel()
	overProtocols(t, func(t *testing.T, p protocol) {
		b := newFixture(t, p.on(patient), plenty)
		server := b.serve(t, p)
		open := func(caller, address string) *client {
			b.lifetime.Store(&bridge.Lifetime{Caller: caller, Address: netip.MustParseAddr(address)})
			c, _ := connect(t, server, "")
			return c
		}
		alice, bob, other, peer := open("alice", "192.0.2.1"), open("bob", "192.0.2.2"), open("", "192.0.2.2"), open("", "127.0.0.1")
		kick := func(want int, match func(of bridge.Lifetime, subjects []bridge.Subject) bool) {
			t.Helper()
			if kicked := b.outlet.Kick(match); kicked != want {
				t.Errorf("kicked %d, want %d", kicked, want)
			}
		}
		told := func(c *client) {
			t.Helper()
			if event := c.next(t); event.Type != bridge.EventClose || event.Data != `{"reason":"kick"}` || c.Retry < 1000 {
				t.Fatalf("%+v", event)
			}
			c.end(t)
		}
		seen := 0
		b.outlet.Each(func(_ bridge.Lifetime, subjects []bridge.Subject) {
			if len(subjects) == 1 && subjects[0] == subject {
				seen++
			}
		})
		if seen != 4 {
			t.Errorf("saw %d connections on the subject", seen)
		}
		kick(0, func(of bridge.Lifetime, _ []bridge.Subject) bool { return of.Caller == "carol" })
		isAlice := func(of bridge.Lifetime, _ []bridge.Subject) bool { return of.Caller == "alice" }
		kick(1, isAlice)
		kick(0, isAlice) // her connection ends already
		told(alice)
		b.publish([]byte("after"))
		for _, c := range []*client{bob, other, peer} {
			if event := c.next(t); event.Data != "after" {
				t.Errorf("%+v", event)
			}
		}
		kick(2, func(of bridge.Lifetime, _ []bridge.Subject) bool {
			return of.Address == netip.MustParseAddr("192.0.2.2")
		})
		told(bob)
		told(other)
		kick(1, func(of bridge.Lifetime, _ []bridge.Subject) bool {
			return of.Caller == "" && of.Address == netip.MustParseAddr("127.0.0.1")
		})
		told(peer)
		b.ended(t, map[string]uint64{"kick": 4})
	})
}

// A client that has not taken everything is told so behind what was written for it.
func TestKickOfAStalledClient(t *testing.T) {
	t.Parallel()
	overSockets(t, func(t *testing.T, p protocol) {
		b := newFixture(t, p.on(patient), plenty)
		c := dial(t, b.serve(t, p))
		for range 20 {
			b.publish(large)
		}
		bridgetest.Eventually(t, "it takes no more", func() bool {
			survey := b.outlet.Survey(t.Context(), 1)
			return len(survey.Slowest) == 1 && survey.Slowest[0].Lag.Messages > 0
		})
		if kicked := b.outlet.Kick(func(bridge.Lifetime, []bridge.Subject) bool { return true }); kicked != 1 {
			t.Errorf("kicked %d", kicked)
		}
		event, err := c.Next()
		for err == nil && event.Data == string(large) {
			event, err = c.Next()
		}
		if err != nil || event.Type != bridge.EventClose {
			t.Errorf("behind the messages comes %.60v, %v", event, err)
		}
		if event, err := c.Next(); err == nil {
			t.Errorf("behind the end comes %v", event)
		}
		b.ended(t, map[string]uint64{"kick": 1})
	})
}

// A client that has just reset its connection is not seen without its address, although the kernel has forgotten that.
func TestWhoIsGoneIsNotSeen(t *testing.T) {
	t.Parallel()
	overSockets(t, func(t *testing.T, p protocol) {
		b := newFixture(t, p.on(patient), plenty)
		b.lifetime.Store(&bridge.Lifetime{Address: netip.MustParseAddr("127.0.0.1")})
		server := b.serve(t, p)
		clients := []*rawClient{dial(t, server), dial(t, server), dial(t, server)}
		bridgetest.Eventually(t, "all have their first event", func() bool { return b.outlet.Stats().Frames >= uint64(len(clients)) })
		b.outlet.Each(func(of bridge.Lifetime, _ []bridge.Subject) {
			if of.Address != netip.MustParseAddr("127.0.0.1") {
				t.Errorf("a connection of %v", of.Address)
			}
			for _, c := range clients { // while the loop is here, it is not told
				reset(t, c.conn)
			}
			clients = nil
		})
		b.ended(t, map[string]uint64{"client": 3})
	})
}
