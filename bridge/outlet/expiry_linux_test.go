package outlet

import (
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// A token that expires after longer than a Duration can say costs no look at each tick.
func TestFarExpiry(t *testing.T) {
	t.Parallel()
	now := time.Now()
	l := &loop{outlet: &Outlet{config: Config{Heartbeat: time.Hour}}, clock: now, wheel: newWheel(time.Second)}
	for _, expires := range []time.Time{now.Add(time.Hour), now.AddDate(400, 0, 0), time.Unix(1e18, 0)} {
		s := &socket{loop: l, owner: &bridge.Lifetime{Until: expires}, until: time.Hour}
		s.timer.socket = s
		l.now = time.Duration(l.wheel.at) * time.Second
		s.set()
		looks := 0
		l.wheel.advance(time.Duration(l.wheel.at+30)*time.Second, func(s *socket) {
			looks++
			l.now = time.Duration(l.wheel.at) * time.Second
			s.set()
		})
		if looks != 0 {
			t.Errorf("expiry at %v: %d looks in 30 s", expires, looks)
		}
		l.wheel.stop(&s.timer)
	}
}

// A silent connection is looked at for its heartbeat, and one with data that its client has not taken only for the client.
func TestLookForAHeartbeat(t *testing.T) {
	t.Parallel()
	const heartbeat, timeout = 15 * time.Second, 20 * time.Second
	for _, test := range []struct {
		rest  [][]byte
		since time.Duration // when it was first seen that something is not taken
		want  time.Duration
	}{{nil, 0, heartbeat}, {[][]byte{{1}}, time.Second, time.Second + timeout}} {
		l := &loop{outlet: &Outlet{config: Config{Heartbeat: heartbeat, WriteTimeout: timeout}}, wheel: newWheel(time.Second)}
		s := &socket{loop: l, owner: somebody, until: time.Hour, rest: test.rest}
		s.timer.socket, s.Since = s, test.since
		s.set()
		looked := time.Duration(0)
		for now := time.Duration(0); looked == 0 && now < time.Minute; now += time.Second {
			l.wheel.advance(now, func(*socket) { looked = now })
		}
		if looked < test.want || looked > test.want+time.Second {
			t.Errorf("it is looked at after %v instead of %v", looked, test.want)
		}
	}
}
