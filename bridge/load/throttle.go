package load

import (
	"context"
	"time"
)

// throttle decides when messages are published.
type throttle interface {
	// wait waits until message k may be published, and returns when it was due. ok is false if publishing is over.
	wait(ctx context.Context, k int) (due time.Duration, ok bool)
}

// pace publishes messages at fixed times, whether or not earlier ones have arrived.
type pace struct {
	target *target
	begins time.Duration
	rate   float64
	length time.Duration
}

func (p *pace) wait(ctx context.Context, k int) (due time.Duration, ok bool) {
	after := time.Duration(float64(k) / p.rate * float64(time.Second))
	due = p.begins + min(after, p.length) // after the last message, wait for the rest of the time
	return due, p.sleep(ctx, due-p.target.now()) && after < p.length
}

// sleep reports false if ctx has ended.
func (p *pace) sleep(ctx context.Context, length time.Duration) bool {
	if length <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// closedLoop publishes a message when an earlier one has arrived.
type closedLoop struct {
	target *target
	window *window
	ends   time.Duration
	stuck  bool // messages have stopped arriving
}

func (c *closedLoop) wait(ctx context.Context, k int) (due time.Duration, ok bool) {
	if c.target.now() >= c.ends || ctx.Err() != nil {
		return 0, false
	}
	ok = c.window.wait(ctx, k)
	c.stuck = !ok && ctx.Err() == nil
	return c.target.now(), ok
}
