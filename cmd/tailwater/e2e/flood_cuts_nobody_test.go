package e2e

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// A flood into one subject, for many readers of which some are slow, but never stop: nobody misses anything, and nobody is
// cut for being slow.
func TestChaosFlood(t *testing.T) {
	t.Parallel()
	messages := length(4000, 100_000)
	readers := length(30, 200)
	slowReaders := readers / 10
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(length(60, 240))*time.Second)
	defer cancel()
	admin := fmt.Sprintf("127.0.0.1:%d", bridgetest.FreePort(t))
	b := startBridge(t, settings{"HISTORY": "chat.>", "HISTORY_MAX_PER_SUBJECT": "1000000", "ADMIN_LISTEN": admin, "LOG_LEVEL": "info"})

	// Each reader holds what it sees against the number that must be next, which keeps 20 million events out of a ledger.
	ledger := bridgetest.NewLedger()
	var running sync.WaitGroup
	var opened atomic.Int64
	for i := range readers {
		next := 0
		client := &bridgetest.Client{
			Log: ledger.NewLog(fmt.Sprint("reader ", i), false, "chat.a"), Path: "/events/chat.a", Node: func() string { return b.address },
			Forget: true,
			Done: func(event bridgetest.Event) bool {
				switch {
				case next == 0 && event.Type == "tailwater:open":
					opened.Add(1)
					next = 1
				case event.Type == "message" && event.Data == strconv.Itoa(next):
					next++
				default:
					t.Errorf("reader %d expects %d and gets %+v", i, next, event)
					return true
				}
				return next > messages
			},
		}
		if i < slowReaders {
			client.Slow = &bridgetest.Slow{Bytes: 4 << 10, Every: 20 * time.Millisecond, Buffer: 32 << 10}
		}
		running.Go(func() {
			if err := client.Run(ctx); err != nil {
				t.Errorf("reader %d: %v", i, err)
			}
		})
	}
	defer running.Wait()
	eventually(t, "every reader is open", func() bool { return opened.Load() == int64(readers) })

	js := connectJetStream(t, b.nats)
	began := time.Now()
	for i := 1; i <= messages; i++ {
		if _, err := js.PublishAsync("chat.a", []byte(strconv.Itoa(i)), jetstream.WithStallWait(patience)); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-ctx.Done():
		t.Error("not everything was acknowledged")
	}
	published := time.Since(began)
	running.Wait()
	t.Logf("%d messages were published in %v and reached %d readers in %v", messages, published, readers, time.Since(began))
	if slow := figureOf(t, "http://"+admin, `tailwater_connections_closed_total{reason="slow"}`); slow > 0 {
		t.Errorf("%d readers were cut", slow)
	}
}
