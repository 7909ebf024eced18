package outlet

import (
	"time"

	"golang.org/x/sys/unix"
)

// surveyEach is how many connections a loop looks at before others have their turns: at less than a microsecond each, it takes a small part of a
// round of writes.
const surveyEach = 256

// survey looks at the connections of a loop, a few in each turn.
type survey struct {
	loop   *loop
	next   int // descriptor
	found  *tally
	done   chan<- *tally
	queued bool
}

// survey sends a tally of the loop's connections.
func (l *loop) survey(most int, done chan<- *tally) {
	s := &survey{loop: l, found: newTally(most), done: done}
	if !l.enqueue(s) {
		done <- s.found
	}
}

func (s *survey) queuing() *bool { return &s.queued }

func (s *survey) turn() {
	l := s.loop
	for looked := 0; s.next < len(l.sockets) && looked < surveyEach; s.next++ {
		if socket := l.sockets[s.next]; socket != nil && socket.state <= stateEnding {
			s.found.count(socket.describe(s.found.most > 0), socket.name)
			looked++
		}
	}
	if s.next >= len(l.sockets) || !l.enqueue(s) {
		s.done <- s.found
	}
}

// describe returns the state of a connection. If asked, it is also that of the kernel.
func (s *socket) describe(asked bool) Connection {
	l := s.loop
	c := Connection{Writer: "loop", Age: l.now - s.opened}
	if s.group == nil {
		c.Lag = s.reader.Mark().Lag()
	}
	waits := sizeOf(s.rest)
	if waits > 0 || asked {
		unsent := queuedOf(s.fd, unix.SIOCOUTQ)
		if s.since != 0 {
			s.stalled(unsent, l.now, l.outlet.config.WriteTimeout) // it may have received something since the last look
		}
		if s.since != 0 {
			c.Stalled = l.now - s.since
		}
		c.Unsent = waits + unsent
	}
	if waits > 0 {
		c.Late = max(l.now-s.wrote, time.Nanosecond)
	}
	return c
}

// name fills in what the connection is about.
func (s *socket) name(c *Connection) {
	of := s.owner.Value()
	c.Subjects, c.Caller, c.Address = s.reader.Feed().Subjects(), of.caller, of.address
}
