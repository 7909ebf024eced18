package source_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// requests counts the requests to JetStream until the returned function is called.
func requests(t *testing.T, conn *nats.Conn) (end func() map[string]int) {
	t.Helper()
	var mu sync.Mutex
	kinds := map[string]int{}
	sub, err := conn.Subscribe("$JS.API.>", func(msg *nats.Msg) {
		mu.Lock()
		defer mu.Unlock()
		kinds[strings.TrimPrefix(msg.Subject, "$JS.API.")]++
	})
	if err != nil {
		t.Fatal(err)
	}
	flush(t, conn)
	return func() map[string]int {
		if err := sub.Unsubscribe(); err != nil {
			t.Fatal(err)
		}
		flush(t, conn)
		mu.Lock()
		defer mu.Unlock()
		return kinds
	}
}

// If many clients reconnect at once after a restart, their missed messages are read once: 1,000 messages on a subject by at most
// three requests.
func TestHerdCostsFewRequests(t *testing.T) {
	const backlog, herd = 1000, 1000 // a client for each position
	dial, js, _ := embeddedChats(t, func(config *jetstream.StreamConfig) { config.MaxMsgsPerSubject = 10_000 })
	store(t, js, "chat.a", numbers(0, backlog+1)...)
	store(t, js, "chat.b", "of another subject, the last in the stream")
	b := newFixture(t, dial, quiet)
	first := b.since(t, bridge.Since{Kind: bridge.SinceAll}, "chat.a").wantOpen()
	var ids []string
	for range backlog {
		ids = append(ids, first.message().ID)
	}

	for name, seq := range map[string]func(int) int{
		"from one position":   func(int) int { return 0 },
		"from many positions": func(i int) int { return i % backlog },
	} {
		t.Run(name, func(t *testing.T) {
			restarted := newFixture(t, dial, quiet)
			restarted.read(t, "chat.a").wantOpen() // starts the tap and the feed
			end := requests(t, publisher(t, dial))
			var all sync.WaitGroup
			for i := range herd {
				c := restarted.resume(t, ids[seq(i)], "chat.a")
				// They ask in the order of their positions, so that the time they take does not matter: TestHerdIsReadOnce has them in any order.
				frames, wait := bridgetest.Next(c.reader, nil, 1<<20)
				all.Go(func() {
					missing := backlog - seq(i) + 1 // including the open
					for missing -= len(frames); missing > 0; missing -= len(frames) {
						if wait != nil {
							<-wait
						}
						frames, wait = bridgetest.Next(c.reader, nil, 1<<20)
					}
				})
			}
			all.Wait()
			kinds := end()
			delete(kinds, "STREAM.NAMES") // asked every five seconds as a sign of life
			sum := asked(kinds, "")
			t.Logf("%d clients that missed %d messages cost %d requests: %v", herd, backlog, sum, kinds)
			if sum > 3 {
				t.Errorf("more than 3 requests")
			}
		})
	}
}
