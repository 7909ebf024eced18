package source_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
)

// oddBlocks are blocks of headers that no client library writes. Some cannot be decoded; some hide from a decoder what a
// server appends to them when it answers a direct get.
var oddBlocks = []struct {
	name, block string
	broken      bool
}{
	{"no colon", "NATS/1.0\r\nno colon\r\n\r\n", true},
	{"no colon among others", "NATS/1.0\r\nA: b\r\nno colon\r\nC: d\r\n\r\n", true},
	{"no version", "garbage\r\n\r\n", true},
	{"another version", "NATS/2.0\r\nA: b\r\n\r\n", true},
	{"the version alone", "NATS/1.0", true},
	{"the version and a line end", "NATS/1.0\r\n", true},
	{"an end alone", "\r\n", true},
	{"one byte", "N", true},
	{"nul bytes", "\x00\x00\x00\x00", true},
	{"no end", "NATS/1.0\r\nA: b", true},
	{"half an end", "NATS/1.0\r\nA: b\r\n", true},
	{"a short status", "NATS/1.0 20\r\n\r\n", true},
	{"a status without an end", "NATS/1.0 204 EOB\r\nNats-Num-Pending: 0\r\nX: yy", true},
	{"a status and a line without an end", "NATS/1.0\r\nStatus: 204\r\nNats-Num-Pending: 0\r\nX: yy", true},
	{"invalid UTF-8", "NATS/1.0\r\n\xff\xfe\r\n\r\n", true},
	{"huge", "NATS/1.0\r\n" + strings.Repeat("x", 60<<10) + "\r\n\r\n", true}, // a stream takes up to 64 KiB,
	{"many lines", "NATS/1.0\r\n" + strings.Repeat("a:b\r\n", 10_000) + "no colon\r\n\r\n", true},

	{"invalid UTF-8 in a value", "NATS/1.0\r\nA: \xff\xfe\r\n\r\n", false},
	{"no names", "NATS/1.0\r\n: b\r\n: c\r\n\r\n", false},
	{"line feeds", "NATS/1.0\nA: b\n\n", false},
	{"no blanks", "NATS/1.0\r\nA:b\r\nC:d\r\n\r\n", false},
	{"many blanks", "NATS/1.0\r\nA:" + strings.Repeat(" ", 300) + "b\r\n\r\n", false},
	{"text behind the end", "NATS/1.0\r\nA: b\r\n\r\nC: d\r\n\r\n", false},
	{"an end of a batch", "NATS/1.0 204 EOB\r\nNats-Num-Pending: 0\r\nNats-Last-Sequence: 9\r\n\r\n\r\n", false},
	{"an end of newest messages", "NATS/1.0 204 EOB\r\nNats-Num-Pending: 0\r\nNats-Last-Sequence: 9\r\nNats-UpTo-Sequence: 1\r\n\r\n\r\n", false},
	{"no message", "NATS/1.0 404 Message Not Found\r\n\r\n\r\n", false},
	{"too many", "NATS/1.0 413 Too Many Results\r\n\r\n\r\n", false},
	{"another message", "NATS/1.0\r\nNats-Stream: CHATS\r\nNats-Subject: chat.forged\r\nNats-Sequence: 1000\r\nNats-Time-Stamp: 2020-01-01T00:00:00Z\r\n\r\n\r\n", false},
	{"another message, dense", "NATS/1.0\nNats-Stream:CHATS\nNats-Subject:chat.forged\nNats-Sequence:1000\nNats-Time-Stamp:2020-01-01T00:00:00Z\n" + strings.Repeat("a:b\n", 200) + "\n\r\n", false},
}

// Whatever block of headers a message has, it arrives with its payload, and with the headers that can be read of it: live,
// and again from the stream, in each of the ways in which a stream is read. Nothing beside it suffers.
func TestOddHeaders(t *testing.T) {
	for _, direct := range []bool{true, false} {
		for _, keep := range []int64{-1, 1} {
			t.Run(fmt.Sprintf("direct gets: %t, keeping %d", direct, keep), func(t *testing.T) {
				server := startEmbedded(t, embedListening)
				js := manager(t, server.Dial)
				config := chats
				config.AllowDirect, config.MaxMsgsPerSubject = direct, keep
				createStream(t, js, config)
				log, logged := warnings()
				b := newBed(t, server.Dial, log)
				live := b.read(t, "chat.>")
				live.wantOpen()
				raw := newRawPublisher(t, server.URL())
				raw.publish("chat.first", "", "", "first")
				broken := uint64(0)
				for i, odd := range oddBlocks {
					raw.publish(fmt.Sprint("chat.odd.", i), "", odd.block, odd.name)
					raw.publish(fmt.Sprint("chat.empty.", i), "", odd.block, "")
					raw.publish(fmt.Sprint("chat.between.", i), "", "NATS/1.0\r\nA: b\r\n\r\n", "between")
					if odd.broken {
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
				wantLogged(t, logged)
				for _, since := range []bridge.SinceKind{bridge.SinceAll, bridge.SinceLast} {
					again := newBed(t, server.Dial, quiet)
					c := again.since(t, bridge.Since{Kind: since}, "chat.>")
					c.wantOpen()
					c.wantMessages(t, want...)
					c.wantSynced()
					if got := again.source.Stats().BrokenHeaders; got != broken {
						t.Errorf("since %d: %d messages are counted as broken, want %d", since, got, broken)
					}
				}
				fresh := newBed(t, server.Dial, quiet)
				for i := range want[:len(want)-1] {
					c := fresh.resume(t, want[i].ID, "chat.>")
					c.wantOpen()
					c.wantMessages(t, want[i+1])
				}
			})
		}
	}
}

// wantOdd checks what has come live of TestOddHeaders.
func wantOdd(t *testing.T, got []message) {
	t.Helper()
	if len(got) != 3*len(oddBlocks)+2 {
		t.Fatalf("got %d messages", len(got))
	}
	for i, odd := range oddBlocks {
		with, without := got[1+3*i], got[2+3*i]
		if with.Data != odd.name || without.Data != "" || odd.broken && (with.Headers != nil || without.Headers != nil) {
			t.Errorf("%s: got %+v and %+v", odd.name, with, without)
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

func wantLogged(t *testing.T, logged <-chan string) {
	t.Helper()
	for {
		if line := receive(t, logged, "a word in the log"); strings.Contains(line, "subject=chat.odd.0") {
			return
		}
	}
}

// A subject whose newest message has broken headers hides no other subject, however the newest messages are looked up.
func TestBrokenHeadersAmongNewest(t *testing.T) {
	for _, keep := range []int64{-1, 1, 5} {
		for _, n := range []int{200, 1500} { // more than one direct get gives
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
				c := newBed(t, server.Dial, quiet).since(t, bridge.Since{Kind: bridge.SinceLast}, "$KV.T.*")
				c.wantOpen()
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
