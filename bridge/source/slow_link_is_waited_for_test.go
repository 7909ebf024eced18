package source_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// On a link that carries one answer at a time, slowly, the others are waited for: nothing is asked for twice, no consumer is made anew, and no
// connection is given up.
func TestSlowLinkIsWaitedFor(t *testing.T) {
	t.Parallel() // it mostly waits
	const (
		readers, messages, size = 4, 16, 32 << 10
		pace                    = readers * messages * size / 4 // four seconds in all
	)
	for _, direct := range []bool{true, false} { // without direct gets, consumers read
		t.Run(fmt.Sprint("direct gets: ", direct), func(t *testing.T) {
			t.Parallel()
			server := bridgetest.StartNATSServer(t)
			dial := to(server.URL())
			js := manager(t, dial)
			createStream(t, js, jetstream.StreamConfig{Name: "CHAT", Subjects: []string{"chat.>"}, AllowDirect: direct})
			subject := func(reader int) bridge.Subject { return bridge.Subject(fmt.Sprintf("chat.%d", reader)) }
			for i := range readers {
				for range messages {
					store(t, js, string(subject(i)), strings.Repeat("x", size))
				}
			}
			link := bridgetest.StartFreezer(t, "127.0.0.1:"+strconv.Itoa(server.Port))
			b := newFixture(t, to("nats://"+link.Addr().String()), quiet)
			createStream(t, js, jetstream.StreamConfig{Name: "NEWS", Subjects: []string{"news.>"}})
			b.read(t, "news.quiet").wantOpen()
			b.read(t, "chat.busy").wantOpen() // whose messages keep signs of life of the other one waiting
			end := requests(t, publisher(t, dial))
			restore := link.Slow(pace)
			for range readers * messages {
				store(t, js, "chat.busy", strings.Repeat("x", size))
			}
			var done sync.WaitGroup
			for i := range readers {
				resume := bridge.Resume{Since: bridge.Since{Kind: bridge.SinceAll}, Account: bridge.Account(i + 1)} // each has a turn
				c := b.open(t, bridge.Framing{Format: bridge.JSON}, resume, subject(i))
				done.Go(func() {
					c.wantOpen()
					for range messages {
						c.message()
					}
				})
			}
			done.Wait()
			restore()
			kinds := end()
			gets, consumers := asked(kinds, "DIRECT.GET"), 0
			for kind := range kinds {
				if strings.HasPrefix(kind, "CONSUMER.CREATE") { // which may be sent twice
					consumers++
				}
			}
			if gets+consumers != readers {
				t.Errorf("%d readers cost %d direct gets and %d consumers: %v", readers, gets, consumers, kinds)
			}
			if connects := b.source.Stats().Connects; connects != 1 {
				t.Errorf("it has connected %d times", connects)
			}
		})
	}
}
