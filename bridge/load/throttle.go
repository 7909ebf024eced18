package load

import (
	"context"
	"time"
)

// throttle says when messages go.
type throttle interface {
	// wait waits until message k may go, and gives when it was due. It gives false where no more shall be published.
	wait(ctx context.Context, k int) (due time.Duration, ok bool)
}

// pace lets messages go at fixed times, whether those before have arrived or not.
type pace struct {
	target *target
	begins time.Duration
	rate   float64
	length time.Duration
}

func (p *pace) wait(ctx context.Context, k int) (due time.Duration, ok bool) {
	after := time.Duration(float64(k) / p.rate * float64(time.Second))
	due = p.begins + min(after, p.length) // after the last, the rest of the time is waited for
	return due, p.sleep(ctx, due-p.target.now()) && after < p.length
}

// sleep tells whether ctx has not ended.
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

// closedLoop lets a message go when an earlier one has arrived.
type closedLoop struct {
	target *target
	window *window
	ends   time.Duration
	stuck  bool // nothing arrived any more
}

func (c *closedLoop) wait(ctx context.Context, k int) (due time.Duration, ok bool) {
	if c.target.now() >= c.ends || ctx.Err() != nil {
		return 0, false
	}
	ok = c.window.wait(ctx, k)
	c.stuck = !ok && ctx.Err() == nil
	return c.target.now(), ok
}
