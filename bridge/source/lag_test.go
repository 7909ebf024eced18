package source_test

import (
	"strconv"
	"strings"
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

// What a tap was behind by is forgotten if the stream is purged before the rest was sent: nothing is left that it could catch up with.
func TestPurgeEndsTheLag(t *testing.T) {
	t.Parallel()
	const messages, size = 200, 64 << 10 // much more than a server sends before it is answered
	server := bridgetest.StartNATSServer(t)
	js := manager(t, to(server.URL()))
	stream := createStream(t, js, chats)
	link := bridgetest.StartFreezer(t, "127.0.0.1:"+strconv.Itoa(server.Port))
	b := newFixture(t, to("nats://"+link.Addr().String()), quiet)
	b.read(t, "chat.a").wantOpen()
	b.isAway.Store(true)
	b.cut(t)
	for range messages {
		store(t, js, "chat.a", strings.Repeat("x", size))
	}
	restore := link.Slow(4 << 20)
	b.isAway.Store(false)
	eventually(t, "the tap is behind", func() bool { return b.source.Stats().TapLag.Messages > 0 })
	thaw := link.FreezeAnswers(t)
	if err := stream.Purge(within(t, patience)); err != nil {
		t.Fatal(err)
	}
	restore()
	thaw()
	eventually(t, "it is not behind any more", func() bool { return b.source.Stats().TapLag == source.TapLag{} })
	if got := b.source.Stats().Messages; got == messages {
		t.Errorf("all %d messages came before the purge", got)
	}
}
