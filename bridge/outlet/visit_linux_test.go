package outlet_test

import (
	"bufio"
	"net"
	"net/http"
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
			isOpen, looked, before := false, 0, uint64(0)
			see := func() bool {
				if looked++; looked == 1 {
					b.publish([]byte("meanwhile"))
				}
				if looked == few+1 && b.outlet.Stats().Frames == before {
					t.Errorf("%d connections were looked at before the message was written to any", few)
				}
				return true
			}
			b.lifetime.Store(&bridge.Lifetime{Revoked: func() bool { return isOpen && see() }})
			for range connections {
				response, err := http.ReadResponse(bufio.NewReader(ask(t, server, net.Dialer{}, "1.1")), nil)
				if err != nil {
					t.Fatal(err)
				}
				defer response.Body.Close()
			}
			bridgetest.Eventually(t, "all have their first event", func() bool { return b.outlet.Stats().Frames >= connections })
			isOpen, before = true, b.outlet.Stats().Frames
			look(b, see)
			b.ended(t, map[string]uint64{reason: connections})
			if looked != connections {
				t.Errorf("looked at %d connections", looked)
			}
		})
	}
}
