package outlet

import (
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// group is the sockets of level readers of one Kin. One reader is read for all of them, its frames are joined once, and each socket costs one
// system call.
type group struct {
	loop    *loop
	lead    *bridge.Reader
	members []*socket
	queued  bool
	several bool // the last round had more than one frame
	waited  bool // for messages that arrive together
	waiting *time.Timer
}

// A round of writes to many sockets takes longer than the arrival of a burst of messages. Writing the first of them at once would mean several
// rounds. So if messages have arrived together, a group waits for more, about a fifth of the time that its writes will take. If they arrive one
// at a time, it does not wait; a timer would also cost more than its length, because the process falls asleep.
const (
	manyMembers = 256
	waitEach    = 700 * time.Nanosecond
	longestWait = time.Millisecond
)

// Wake implements bridge.Waker.
func (g *group) Wake() { g.loop.enqueue(g) }

func (g *group) queuing() *bool { return &g.queued }

// gather adds a socket to the group of its kin, if it is level with the group. Otherwise it is woken like the group, and can try again. A group
// needs two sockets: most feeds may have one reader each.
func (l *loop) gather(s *socket) {
	if s.alone {
		return
	}
	kin := s.reader.Kin()
	if g, found := l.groups[kin]; found {
		if !s.reader.Level(g.lead) {
			g.work() // the group may be behind
			if l.groups[kin] != g || !s.reader.Level(g.lead) {
				return
			}
		}
		g.add(s)
		return
	}
	if !s.reader.Level(s.reader) {
		return
	}
	other := l.alone[kin]
	if other != nil {
		other.alone = false
	}
	if other == nil || !other.reader.Level(s.reader) {
		l.alone[kin], s.alone = s, true
		return
	}
	delete(l.alone, kin)
	g := &group{loop: l, lead: s.reader.Fork()}
	l.groups[kin] = g
	g.add(other)
	g.add(s)
	g.work() // from now on the group has to be woken
}

func (g *group) add(s *socket) {
	s.group, s.index = g, int32(len(g.members))
	g.members = append(g.members, s)
}

// leave removes a socket from the group. The socket continues from the group's position.
func (g *group) leave(s *socket) {
	end := len(g.members) - 1
	g.members[s.index], g.members[end].index = g.members[end], s.index
	g.members[end] = nil
	g.members = g.members[:end]
	s.group = nil
	s.reader.CopyCursor(g.lead)
	if end == 0 {
		if g.waiting != nil {
			g.waiting.Stop()
		}
		g.lead.Close()
		delete(g.loop.groups, g.lead.Kin())
	}
}

// dissolve makes every socket continue by itself, because the feed has ended: each reader opens anew, and later groups form again.
func (g *group) dissolve() {
	for len(g.members) > 0 {
		s := g.members[len(g.members)-1]
		g.leave(s)
		g.loop.enqueue(s)
	}
}

// wait reports whether the group's work is delayed a little. If so, it has set the timer.
func (g *group) wait() bool {
	if !g.several || g.waited || len(g.members) < manyMembers {
		return false
	}
	g.waited = true
	while := min(time.Duration(len(g.members))*waitEach, longestWait)
	if g.waiting == nil {
		g.waiting = time.AfterFunc(while, g.Wake)
	} else {
		g.waiting.Reset(while)
	}
	return true
}

// work writes what there is to all members.
func (g *group) work() {
	if g.wait() {
		return
	}
	l := g.loop
	for writes := 0; writes < mostWrites; writes += len(g.members) {
		if len(g.members) == 0 {
			return
		}
		batch, since := g.lead.NextSince(l.batch[:0], maxWrite, g)
		l.batch = batch
		n := len(l.batch)
		if n == 0 {
			g.waited = false
			if g.lead.HasEnded() {
				g.dissolve()
			}
			return
		}
		g.several = n > 1
		packet := l.pack(nil, l.batch...)
		clear(l.batch)
		l.outlet.stats.frames.Add(uint64(n * len(g.members)))
		// From the last to the first: a member that leaves is replaced by one that was served already.
		for i := len(g.members) - 1; i >= 0; i-- {
			g.members[i].write(packet)
			l.observe(since)
		}
	}
	l.enqueue(g)
}
