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
