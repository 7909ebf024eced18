package outlet

import (
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// survey sends a tally of the loop's connections.
func (l *loop) survey(most int, done chan<- *tally) {
	found := &tally{most: most}
	l.visit(func(s *socket) {
		of, isThere := bridge.Lifetime{}, true
		if most > 0 {
			of, isThere = s.whose()
		}
		if s.state <= stateEnding && isThere {
			found.count(s.describe(most > 0), func(c *Connection) {
				c.Subjects, c.Caller, c.Address = s.reader.Feed().Subjects(), of.Caller, of.Address
			})
		}
	}, func() { done <- found })
}

// describe returns the state of a connection. If asked, it is also that of the kernel.
func (s *socket) describe(asked bool) Connection {
	l := s.loop
	c := Connection{Writer: "loop", Age: l.now - s.opened}
	if s.group == nil {
		c.Lag = s.reader.Cursor().Lag()
	}
	waits := sizeOf(s.rest)
	if waits > 0 || asked {
		unsent := s.Unsent()
		if s.Since != 0 {
			s.Stalled(unsent, l.now, l.outlet.config.WriteTimeout) // it may have received something since the last look
		}
		if s.Since != 0 {
			c.Stalled = l.now - s.Since
		}
		c.Unsent = waits + unsent
	}
	if waits > 0 {
		c.Late = max(l.now-s.wrote, time.Nanosecond)
	}
	return c
}
