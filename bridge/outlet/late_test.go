package outlet_test

// Connections that come when the outlet has ended already.

import (
	"context"
	"testing"

	"github.com/tailwater/tailwater/bridge"
)

// A request that runs while the outlet ends is answered like one during the drain: behind a proxy, a connection without an answer would be a 502,
// which ends an EventSource.
func TestWhoComesBehindTheEndIsToldToComeBack(t *testing.T) {
	overProtocols(t, func(t *testing.T, p protocol) {
		b := newFixture(t, p.on(patient), plenty)
		server := b.serve(t, p)
		b.outlet.Drain(context.Background(), 0)
		b.close()
		c, event := connect(t, server, "")
		for event.Type != bridge.EventClose { // an open may come first
			event = c.next(t)
		}
		if event.Data != `{"reason":"drain"}` || c.Retry == 0 {
			t.Errorf("%+v, retry %v", event, c.Retry)
		}
		c.end(t)
		b.ended(t, map[string]uint64{"drain": 1})
	})
}
