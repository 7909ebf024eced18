package bridge_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// payload is what the measurements send: 128 bytes.
var payload = bytes.Repeat([]byte("0123456789abcde\n"), 8)

func BenchmarkEncodeRaw(b *testing.B)  { benchmarkEncode(b, bridge.Framing{}) }
func BenchmarkEncodeJSON(b *testing.B) { benchmarkEncode(b, bridge.Framing{Format: bridge.JSON}) }
func BenchmarkEncodeDatastar(b *testing.B) {
	benchmarkEncode(b, bridge.Framing{Format: bridge.Datastar})
}

// benchmarkEncode includes the append, which is small beside it; nobody reads.
func benchmarkEncode(b *testing.B, framing bridge.Framing) {
	hub, source := newHub(b, bridge.DefaultMemory)
	readIn(b, hub, framing, bridge.Resume{}, "chat.room1")
	feed := source.feed(b)
	feed.Begin(unstored(at(0)))
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for seq := uint64(1); b.Loop(); seq++ {
		feed.Append(&bridge.Message{Subject: "chat.room1", Position: at(seq), Data: payload})
	}
}

// BenchmarkAppendAndRead is one message from the source to all readers of its feed.
func BenchmarkAppendAndRead(b *testing.B) {
	for _, readers := range []int{1, 1000} {
		b.Run(fmt.Sprintf("readers=%d", readers), func(b *testing.B) {
			hub, source := newHub(b, bridge.DefaultMemory)
			all := make([]*bridge.Reader, readers)
			for i := range all {
				all[i] = read(b, hub, bridge.Resume{}, "chat.room1")
			}
			feed := source.feed(b)
			feed.Begin(unstored(at(0)))
			var batch [][]byte
			signal := bridge.NewSignal()
			for _, reader := range all {
				batch = reader.Next(batch[:0], 1<<20, signal)
			}
			b.ReportAllocs()
			for seq := uint64(1); b.Loop(); seq++ {
				feed.Append(&bridge.Message{Subject: "chat.room1", Position: at(seq), Data: payload})
				for _, reader := range all {
					if batch = reader.Next(batch[:0], 1<<20, signal); len(batch) != 1 {
						b.Fatalf("%d frames instead of one", len(batch))
					}
				}
			}
		})
	}
}

// BenchmarkOpenAndClose opens a feed for its first reader and lets it go, beside feeds that are open. What it costs must not
// grow with their number.
func BenchmarkOpenAndClose(b *testing.B) {
	for _, beside := range []int{100, 100_000} {
		b.Run(fmt.Sprintf("beside=%d", beside), func(b *testing.B) {
			source := &lastSource{}
			hub := bridge.NewHub(source, time.Hour, bridge.DefaultMemory)
			b.Cleanup(hub.Close)
			for i := range beside {
				read(b, hub, bridge.Resume{}, bridge.Subject(fmt.Sprintf("user.%d", i)))
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i++
				reader, err := hub.Read([]bridge.Subject{bridge.Subject(fmt.Sprintf("guest.%d", i))}, bridge.Framing{}, bridge.Resume{})
				if err != nil {
					b.Fatal(err)
				}
				source.feed.Begin(unstored(at(0)))
				reader.Close()
			}
		})
	}
}

// lastSource knows the feed that was attached last.
type lastSource struct{ feed *bridge.Feed }

func (s *lastSource) Attach(feed *bridge.Feed) { s.feed = feed }
func (s *lastSource) Detach(*bridge.Feed)      {}
