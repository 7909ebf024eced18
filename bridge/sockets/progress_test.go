package sockets

import (
	"testing"
	"time"
)

// A client is stalled when it has taken nothing for the timeout, since it was first seen so.
func TestProgress(t *testing.T) {
	const timeout = 20
	var p Progress
	for i, step := range []struct {
		now           time.Duration
		sends, unsent int
		stalled       bool
	}{
		{now: 1, sends: 100, unsent: 0},
		{now: 50, sends: 100, unsent: 100},
		{now: 69, unsent: 100},
		{now: 70, unsent: 100, stalled: true},
		{now: 71, unsent: 99}, // it has taken a byte
		{now: 90, sends: 500, unsent: 599},
		{now: 91, unsent: 599, stalled: true},
		{now: 95, unsent: 0},
		{now: 200, sends: 1, unsent: 1}, // after a silence the time begins anew
		{now: 219, unsent: 1},
		{now: 220, unsent: 1, stalled: true},
	} {
		p.Sent += uint64(step.sends)
		if got := p.Stalled(step.unsent, step.now, timeout); got != step.stalled {
			t.Errorf("step %d: stalled is %v", i, got)
		}
	}
}
