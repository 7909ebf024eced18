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
	if after >= p.length || ctx.Err() != nil {
		return 0, false
	}
	due = p.begins + after
	ahead := due - p.target.now()
	if ahead <= 0 {
		return due, true
	}
	timer := time.NewTimer(ahead)
	defer timer.Stop()
	select {
	case <-timer.C:
		return due, true
	case <-ctx.Done():
		return 0, false
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
