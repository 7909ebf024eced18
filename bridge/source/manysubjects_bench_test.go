package source_test

import (
	"bytes"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// BenchmarkReplayOfManySubjects reads stored messages of 100,000 subjects by one wildcard, in a stream whose limit per subject has
// removed messages of a busy one, so that a page is complete only if no other subject is full. Ten clients read at once, each from
// another time on. The server is another process. If the subjects are counted for every page, it takes over fifteen times as long.
func BenchmarkReplayOfManySubjects(b *testing.B) {
	const subjects, each, clients = 100_000, 3, 10
	dial := to(bridgetest.StartNATSServer(b).URL())
	js := manager(b, dial)
	config := chats
	config.MaxMsgsPerSubject = 100
	createStream(b, js, config)
	var starts []time.Time
	for n := range subjects * each {
		if n%(subjects*each/clients/2) == 0 && len(starts) < clients {
			<-js.PublishAsyncComplete()
			starts = append(starts, time.Now())
		}
		subject := "chat." + strconv.Itoa(n%subjects)
		if n%1000 == 0 {
			subject = "chat.busy"
		}
		if _, err := js.PublishAsync(subject, nil, jetstream.WithStallWait(patience)); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := js.Publish(b.Context(), "chat.last", []byte("last")); err != nil {
		b.Fatal(err)
	}
	var received int
	var mu sync.Mutex
	for b.Loop() {
		fixture := newFixture(b, dial, quiet)
		var done sync.WaitGroup
		for _, start := range starts {
			done.Go(func() {
				n := readSince(b, fixture, start)
				mu.Lock()
				received += n
				mu.Unlock()
			})
		}
		done.Wait()
	}
	b.ReportMetric(float64(received)/b.Elapsed().Seconds(), "messages/s")
}

func readSince(b *testing.B, fixture *fixture, start time.Time) (received int) {
	reader, err := fixture.hub.Read([]bridge.Subject{"chat.*"}, bridge.Framing{}, bridge.Resume{Since: bridge.Since{Kind: bridge.SinceTime, Time: start}})
	if err != nil {
		b.Error(err)
		return 0
	}
	defer reader.Close()
	frames, wait := [][]byte(nil), (<-chan struct{})(nil)
	for {
		if frames, wait = bridgetest.Next(reader, frames[:0], 64<<10); wait != nil {
			<-wait
		}
		received += len(frames)
		for _, frame := range frames {
			if bytes.Contains(frame, []byte("last\n")) {
				return received
			}
		}
	}
}
