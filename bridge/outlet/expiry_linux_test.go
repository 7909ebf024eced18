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
