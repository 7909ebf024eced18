package node

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/live"
)

// ClockSubject is the subject of the clock.
const ClockSubject bridge.Subject = "time.now"

// startClock publishes the time of day each second until stop is called: the simplest stream, for a first look.
func startClock(to *live.Bridge, log *slog.Logger) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		for {
			now := time.Now()
			select {
			case <-time.After(now.Truncate(time.Second).Add(time.Second).Sub(now)):
			case <-ctx.Done():
				return
			}
			if err := tick(ctx, to); err != nil {
				log.Debug("cannot publish the time", "error", err)
			}
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}

// tick publishes the time, or gives up before the time is out of date.
func tick(ctx context.Context, to *live.Bridge) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, err := to.Publish(ctx, ClockSubject, nil, []byte(time.Now().UTC().Format(time.RFC3339)))
	return err
}
