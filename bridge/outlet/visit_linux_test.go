package outlet_test

import (
	"bufio"
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// While many connections are looked at, or ended, a message that arrives is written after a few hundred of them, not after all.
func TestLooksAtManyDelayNoMessage(t *testing.T) {
	t.Parallel()
	for reason, look := range map[string]func(b *fixture, see func() bool){
		bridge.CloseKick: func(b *fixture, see func() bool) {
			b.outlet.Kick(func(bridge.Lifetime, []bridge.Subject) bool { return see() })
		},
		bridge.CloseAuth: func(b *fixture, _ func() bool) { b.outlet.Recheck() },
	} {
		t.Run(reason, func(t *testing.T) {
			const connections, few = 300, 256
			p := protocols[3] // one loop
			b := newFixture(t, p.on(patient), plenty)
			server := b.serve(t, p)
			looked, before := 0, uint64(0)
			var isOpen atomic.Bool
			see := func() bool {
				if looked++; looked == 1 {
					b.publish([]byte("meanwhile"))
				}
				if looked == few+1 && b.outlet.Stats().Frames == before {
					t.Errorf("%d connections were looked at before the message was written to any", few)
				}
				return true
			}
			b.lifetime.Store(&bridge.Lifetime{Revoked: func() bool { return isOpen.Load() && see() }})
			for range connections {
				response, err := http.ReadResponse(bufio.NewReader(ask(t, server, net.Dialer{}, "1.1")), nil)
				if err != nil {
					t.Fatal(err)
				}
				defer response.Body.Close()
			}
			bridgetest.Eventually(t, "all have their first event", func() bool { return b.outlet.Stats().Frames >= connections })
			before = b.outlet.Stats().Frames
			isOpen.Store(true)
			look(b, see)
			b.ended(t, map[string]uint64{reason: connections})
			if looked != connections {
				t.Errorf("looked at %d connections", looked)
			}
		})
	}
}

// A token that is revoked while connections are looked at for the last revocation is found, although its connection has been looked at.
func TestRevocationDuringALookIsSeen(t *testing.T) {
	t.Parallel()
	const connections = 300 // more than are looked at together
	p := protocols[3]
	b := newFixture(t, p.on(patient), plenty)
	server := b.serve(t, p)
	isRevoked, looked := false, 0
	var isOpen atomic.Bool
	b.lifetime.Store(&bridge.Lifetime{Revoked: func() bool {
		if looked++; isOpen.Load() && looked == connections+2 { // the second of them
			isRevoked = true
			b.outlet.Recheck()
		}
		return isRevoked
	}})
	for range connections {
		connect(t, server, "")
	}
	isOpen.Store(true)
	b.outlet.Recheck()
	b.ended(t, map[string]uint64{"auth": connections})
}
