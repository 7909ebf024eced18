package source_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

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

// An attempt to connect that fails is counted once, whatever it failed for: nats.go reports only some of them.
func TestFailedConnectionsAreCounted(t *testing.T) {
	t.Parallel()
	guarded := bridgetest.StartNATSServer(t, "-c", configFile(t, `authorization { user: app, password: other }`))
	for name, url := range map[string]string{
		"refused password": fmt.Sprintf("nats://app:swordfish@127.0.0.1:%d", guarded.Port),
		"nobody there":     fmt.Sprintf("nats://127.0.0.1:%d", bridgetest.FreePort(t)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var dials, rounds atomic.Int64
			dial := to(url)
			b := newFixture(t, func(options ...nats.Option) (*nats.Conn, error) {
				isFirst := dials.Add(1) == 1 // the second connection is for replays
				return dial(append(options, nats.CustomReconnectDelay(func(int) time.Duration {
					if isFirst {
						rounds.Add(1) // the attempt before this wait has failed
					}
					return time.Millisecond
				}))...)
			}, quiet)
			eventually(t, "it has failed often", func() bool { return rounds.Load() > 20 })
			least := rounds.Load() - 2 // the last two may not be counted yet
			if counted := int64(b.source.Stats().Errors["connect"]); counted < least || counted > rounds.Load() {
				t.Errorf("%d of %d failures are counted", counted, rounds.Load())
			}
		})
	}
}
