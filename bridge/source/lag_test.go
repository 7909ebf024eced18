package source_test

import (
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/source"
)

// A tap that does not keep up says so, and when it has caught up. A lost connection is counted, with its time.
func TestLagAndErrorsAreTold(t *testing.T) {
	t.Parallel()
	dial := to(bridgetest.StartNATSServer(t).URL())
	createStream(t, manager(t, dial), chats)
	b, conn := newFixture(t, dial, quiet), publisher(t, dial)
	b.read(t, "chat.a").wantOpen()
	if stats := b.source.Stats(); stats.Taps != 1 || stats.TapsWaiting != 0 || stats.TapLag != (source.TapLag{}) || !stats.LastError.IsZero() {
		t.Errorf("at rest: %+v", stats)
	}
	eventually(t, "a flood is not received at once", func() bool {
		for range 1000 {
			if err := conn.Publish("chat.a", make([]byte, 500)); err != nil {
				t.Fatal(err)
			}
		}
		lag := b.source.Stats().TapLag
		return lag.Messages > 0 && lag.Time > 0
	})
	flush(t, conn)
	eventually(t, "all of it has been received", func() bool { return b.source.Stats().TapLag == source.TapLag{} })

	before := time.Now()
	b.cut(t)
	eventually(t, "the loss is counted", func() bool {
		stats := b.source.Stats()
		return stats.Errors["lost"] == 1 && !stats.LastError.Before(before)
	})
}
