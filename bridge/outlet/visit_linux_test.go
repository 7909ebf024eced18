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
	const connections, few = 300, 256
	p := protocols[3] // one loop
	b := newFixture(t, p.on(patient), plenty)
	server := b.serve(t, p)
	for range connections {
		response, err := http.ReadResponse(bufio.NewReader(ask(t, server, net.Dialer{}, "1.1")), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
	}
	bridgetest.Eventually(t, "all have their first event", func() bool { return b.outlet.Stats().Frames >= connections })
	looked, before := 0, b.outlet.Stats().Frames
	b.outlet.Kick(func(bridge.Lifetime, []bridge.Subject) bool {
		if looked++; looked == 1 {
			b.publish([]byte("meanwhile"))
		}
		if looked == few+1 && b.outlet.Stats().Frames == before {
			t.Errorf("%d connections were looked at before the message was written to any", few)
		}
		return true
	})
	if looked != connections {
		t.Errorf("looked at %d connections", looked)
	}
	b.ended(t, map[string]uint64{"kick": connections})
}
