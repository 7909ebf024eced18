package source_test

import (
	"bytes"
	"testing"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// BenchmarkDeliver takes messages of 128 bytes from a publisher in this process to one reader.
func BenchmarkDeliver(b *testing.B) {
	const window, unit = 32, 1024 // so much is on its way at most: less than anything on it holds
	dial := embedded(b)
	fixture := newFixture(b, dial, quiet)
	c := fixture.readFramed(b, bridge.Framing{}, "bench.a")
	c.wantOpen()
	other := publisher(b, dial)
	payload := bytes.Repeat([]byte("x"), 128)
	tokens := make(chan struct{}, window)
	published := make(chan error, 1)
	b.ReportAllocs()
	b.SetBytes(int64(len(payload)))
	b.ResetTimer()
	go func() {
		published <- func() error {
			for i := range b.N {
				if i%unit == 0 {
					tokens <- struct{}{}
				}
				if err := other.Publish("bench.a", payload); err != nil {
					return err
				}
			}
			return other.FlushTimeout(patience)
		}()
	}()
	var frames [][]byte
	for received := 0; received < b.N; {
		var wait <-chan struct{}
		frames, wait = bridgetest.Next(c.reader, frames[:0], 64<<10)
		if wait != nil {
			<-wait
			continue
		}
		for range frames {
			if received++; received%unit == 0 {
				<-tokens
			}
		}
	}
	b.StopTimer()
	if err := <-published; err != nil {
		b.Fatal(err)
	}
	if dropped := fixture.source.Stats().Dropped; dropped > 0 {
		b.Fatalf("%d messages were dropped", dropped)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}
