package outlet

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Every timer fires once, when it is due or up to a tick later; also timers beyond the reach of the wheel.
func TestWheel(t *testing.T) {
	const tick = 10 * time.Millisecond
	w := newWheel(tick)
	due := map[*socket]time.Duration{}
	timers := make([]timer, 1000)
	for i := range timers {
		s := &socket{}
		timers[i].socket = s
		due[s] = rand.N(4 * wheelSlots * tick)
		w.set(&timers[i], due[s])
		switch i % 10 {
		case 0:
			w.stop(&timers[i])
			delete(due, s)
		case 1: // it is set to another time
			due[s] = rand.N(wheelSlots * tick)
			w.set(&timers[i], due[s])
		}
	}
	of := map[*socket]*timer{}
	for i := range timers {
		of[timers[i].socket] = &timers[i]
	}
	for now := time.Duration(0); now < 5*wheelSlots*tick; now += rand.N(3 * tick) {
		w.advance(now, func(s *socket) {
			at, known := due[s]
			switch {
			case !known:
				t.Error("a timer is looked at that was stopped, or was looked at before")
			case at > now:
				w.set(of[s], at) // too early, because it was far off
			default:
				delete(due, s)
			}
		})
		for _, at := range due {
			if now > at+2*tick {
				t.Fatalf("at %v one is still waiting that was due at %v", now, at)
			}
		}
	}
	if len(due) > 0 {
		t.Errorf("%d are never looked at", len(due))
	}
}
