package source_test

import (
	"bytes"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/source"
	"github.com/tailwater/tailwater/embed"
)

// fill stores n messages of 128 bytes, without waiting for each.
func fill(b *testing.B, js jetstream.JetStream, subject string, n int) {
	b.Helper()
	payload := bytes.Repeat([]byte("x"), 128)
	for i := range n {
		if _, err := js.PublishAsync(subject, payload); err != nil {
			b.Fatal(err)
		}
		if i%1000 == 999 {
			<-js.PublishAsyncComplete()
		}
	}
	<-js.PublishAsyncComplete()
}

// BenchmarkReplay reads 100,000 stored messages of 128 bytes like a reconnected client, and compares with a consumer of nats.go
// that reads the same, in turn with it. The server is another process.
func BenchmarkReplay(b *testing.B) {
	const messages = 100_000
	dial := to(bridgetest.StartNATSServer(b).URL())
	js := manager(b, dial)
	stream := createStream(b, js, chats)
	fill(b, js, "chat.a", messages)
	var ours, theirs time.Duration
	for b.Loop() {
		start := time.Now()
		readAll(b, dial, messages)
		ours += time.Since(start)
		start = time.Now()
		consumeAll(b, stream, messages)
		theirs += time.Since(start)
	}
	b.ReportMetric(float64(b.N*messages)/ours.Seconds(), "messages/s")
	b.ReportMetric(float64(b.N*messages)/theirs.Seconds(), "consumer-messages/s")
	b.ReportMetric(theirs.Seconds()/ours.Seconds(), "x-consumer")
}

// readAll is a bridge whose only client requests all stored messages.
func readAll(b *testing.B, dial source.Dialer, messages int) {
	fixture := newFixture(b, dial, quiet)
	reader, err := fixture.hub.Read([]bridge.Subject{"chat.a"}, bridge.Framing{}, bridge.Resume{Since: bridge.Since{Kind: bridge.SinceAll}})
	if err != nil {
		b.Fatal(err)
	}
	defer reader.Close()
	frames, wait := [][]byte(nil), (<-chan struct{})(nil)
	for received := -1; received < messages; { // the first is the opening
		if frames, wait = bridgetest.Next(reader, frames[:0], 64<<10); wait != nil {
			<-wait
		}
		received += len(frames)
	}
}

func consumeAll(b *testing.B, stream jetstream.Stream, messages int) {
	consumer, err := stream.OrderedConsumer(b.Context(), jetstream.OrderedConsumerConfig{FilterSubjects: []string{"chat.a"}})
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan struct{})
	received := 0
	consuming, err := consumer.Consume(func(jetstream.Msg) {
		if received++; received == messages {
			close(done)
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	<-done
	consuming.Stop()
}

// BenchmarkTap compares the cost of a message that arrives by a tap with one that arrives by a subscription, on a stored subject,
// at 20,000 messages a second. The server and the publisher are other processes; the publisher's load is in both results.
func BenchmarkTap(b *testing.B) {
	const messages, pace = 40_000, 20_000
	var used [2]time.Duration
	for b.Loop() {
		for i, stored := range []bool{false, true} {
			used[i] += tapCost(b, stored, messages, pace)
		}
	}
	perMessage := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(b.N*messages) }
	b.ReportMetric(perMessage(used[0]), "µs-subscribed")
	b.ReportMetric(perMessage(used[1]), "µs-tapped")
	b.ReportMetric(used[1].Seconds()/used[0].Seconds(), "x-subscribed")
}

// tapCost receives messages by a tap or, if it cannot see the stream, by a subscription.
func tapCost(b *testing.B, tapped bool, messages, pace int) time.Duration {
	server := bridgetest.StartNATSServer(b)
	defer server.Kill()
	dial := to(server.URL())
	createStream(b, manager(b, dial), chats)
	fixture := newFixture(b, dial, quiet)
	filter := bridge.Subject("chat.a")
	if !tapped {
		filter = "*.a" // overlaps the stream's subjects, but is not inside them
	}
	c := fixture.readFramed(b, bridge.Framing{}, filter)
	c.wantOpen()
	conn := publisher(b, dial)
	payload := bytes.Repeat([]byte("x"), 128)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	before := cpu(b)
	go func() {
		for sent := 0; sent < messages; {
			<-tick.C
			for range pace / 1000 {
				_ = conn.Publish("chat.a", payload)
				sent++
			}
			_ = conn.Flush()
		}
	}()
	frames, wait := [][]byte(nil), (<-chan struct{})(nil)
	for received := 0; received < messages; received += len(frames) {
		if frames, wait = bridgetest.Next(c.reader, frames[:0], 64<<10); wait != nil {
			<-wait
		}
	}
	return cpu(b) - before
}

// BenchmarkPublishAcknowledged stores messages of 128 bytes from 16 publishers at once, in files of an embedded server.
func BenchmarkPublishAcknowledged(b *testing.B) {
	for name, sync := range map[string]embed.Interval{"1s": {Every: time.Second}, "always": {Always: true}} {
		b.Run("sync="+name, func(b *testing.B) {
			server := startEmbedded(b, embed.Config{Sync: embed.Setting[embed.Interval]{Value: sync, IsSet: true}})
			createStream(b, manager(b, server.Dial), chats)
			benchmarkPublish(b, newFixture(b, server.Dial, quiet))
		})
	}
}

func benchmarkPublish(b *testing.B, fixture *fixture) {
	const publishers = 16
	payload := bytes.Repeat([]byte("x"), 128)
	var next atomic.Int64
	var all sync.WaitGroup
	b.ResetTimer()
	for range publishers {
		all.Go(func() {
			for next.Add(1) <= int64(b.N) {
				if err := fixture.post(within(b, patience), "chat.a", nil, payload); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}
