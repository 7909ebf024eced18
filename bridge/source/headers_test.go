package source_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// A message arrives with its payload, and with its readable headers, whatever its block of headers: live, and again from the
// stream, in each way of reading. Other messages are unaffected.
func TestOddHeaders(t *testing.T) {
	t.Parallel()
	for _, direct := range []bool{true, false} {
		for _, keep := range []int64{-1, 1} {
			t.Run(fmt.Sprintf("direct gets: %t, keeping %d", direct, keep), func(t *testing.T) {
				server := startEmbedded(t, embedListening)
				js := manager(t, server.Dial)
				config := chats
				config.AllowDirect, config.MaxMsgsPerSubject = direct, keep
				createStream(t, js, config)
				log, logged := warnings()
				b := newFixture(t, server.Dial, log)
				live := b.read(t, "chat.>").wantOpen()
				raw := newRawPublisher(t, server.URL())
				raw.publish("chat.first", "", "", "first")
				broken := uint64(0)
				for i, odd := range bridgetest.OddHeaders {
					raw.publish(fmt.Sprint("chat.odd.", i), "", odd.Block, odd.Name)
					raw.publish(fmt.Sprint("chat.empty.", i), "", odd.Block, "")
					raw.publish(fmt.Sprint("chat.between.", i), "", "NATS/1.0\r\nA: b\r\n\r\n", "between")
					if odd.Broken {
						broken += 2
					}
				}
				raw.flush()
				store(t, js, "chat.last", "last")

				var want []message
				for len(want) == 0 || want[len(want)-1].Data != "last" {
					want = append(want, live.message())
				}
				wantOdd(t, want)
				if got := b.source.Stats().BrokenHeaders; got != broken {
					t.Errorf("%d messages are counted as broken, want %d", got, broken)
				}
				awaitLine(t, logged, "subject=chat.odd.0")
				for _, since := range []bridge.SinceKind{bridge.SinceAll, bridge.SinceLast} {
					again := newFixture(t, server.Dial, quiet)
					c := again.since(t, bridge.Since{Kind: since}, "chat.>").wantOpen()
					c.wantMessages(t, want...)
					c.wantSynced()
					if got := again.source.Stats().BrokenHeaders; got != broken {
						t.Errorf("since %d: %d messages are counted as broken, want %d", since, got, broken)
					}
				}
				fresh := newFixture(t, server.Dial, quiet)
				for i := range want[:len(want)-1] {
					c := fresh.resume(t, want[i].ID, "chat.>").wantOpen()
					c.wantMessages(t, want[i+1])
				}
			})
		}
	}
}

// wantOdd checks the live messages of TestOddHeaders.
func wantOdd(t *testing.T, got []message) {
	t.Helper()
	if len(got) != 3*len(bridgetest.OddHeaders)+2 {
		t.Fatalf("got %d messages", len(got))
	}
	for i, odd := range bridgetest.OddHeaders {
		with, without := got[1+3*i], got[2+3*i]
		if with.Data != odd.Name || without.Data != "" || odd.Broken && (with.Headers != nil || without.Headers != nil) {
			t.Errorf("%s: got %+v and %+v", odd.Name, with, without)
		}
	}
}

func (c *client) wantMessages(t *testing.T, want ...message) {
	t.Helper()
	for _, m := range want {
		if got := c.message(); !reflect.DeepEqual(got, m) {
			t.Fatalf("got %+v, want %+v", got, m)
		}
	}
}

// A newest message with broken headers hides no other subject, in each way of looking up newest messages.
func TestBrokenHeadersAmongNewest(t *testing.T) {
	t.Parallel()
	for _, keep := range []int64{-1, 1, 5} {
		for _, n := range []int{200, 1500} { // more than one direct get returns
			t.Run(fmt.Sprintf("keeping %d, of %d", keep, n), func(t *testing.T) {
				server := startEmbedded(t, embedListening)
				js := manager(t, server.Dial)
				createStream(t, js, jetstream.StreamConfig{Name: "KV_T", Subjects: []string{"$KV.T.>"}, AllowDirect: true, MaxMsgsPerSubject: keep})
				raw := newRawPublisher(t, server.URL())
				for i := range n {
					raw.publish(fmt.Sprint("$KV.T.", i), "", "", "value")
					if i%100 == 50 {
						raw.publish(fmt.Sprint("$KV.T.", i), "", "NATS/1.0\r\nno colon\r\n\r\n", "value")
					}
				}
				raw.flush()
				store(t, js, "$KV.T.last", "last")
				c := newFixture(t, server.Dial, quiet).since(t, bridge.Since{Kind: bridge.SinceLast}, "$KV.T.*").wantOpen()
				for i := range n {
					if m := c.message(); m.Data != "value" || m.Subject != fmt.Sprint("$KV.T.", i) {
						t.Fatalf("got %+v, want the value of %d", m, i)
					}
				}
				c.wantData("last")
				c.wantSynced()
			})
		}
	}
}
