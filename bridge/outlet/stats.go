package outlet

import "sync/atomic"

// Stats are counters since New. They are for metrics, not for decisions.
type Stats struct {
	Open   int               // connections now
	Plain  int               // of these, written by goroutines; event loops write the others
	Opened uint64            // connections
	Ended  map[string]uint64 // connections by reason
	Frames uint64            // written: messages and Tailwater's own events
	Bytes  uint64            // written

	Polls    int    // running
	PollsAll uint64 // started
	PollsCut uint64 // whose clients disconnected, or received nothing for the write timeout
}

type counters struct {
	plain                                                            atomic.Int64
	opened, client, slow, auth, age, drain, kick, run, frames, bytes atomic.Uint64
	polls, pollsCut                                                  atomic.Uint64
}

func (c *counters) end(reason string) {
	switch reason {
	case endSlow:
		c.slow.Add(1)
	case endAuth:
		c.auth.Add(1)
	case endAge:
		c.age.Add(1)
	case endDrain:
		c.drain.Add(1)
	case endKick:
		c.kick.Add(1)
	case endRun:
		c.run.Add(1)
	default:
		c.client.Add(1)
	}
}

// Stats returns the present counts.
func (o *Outlet) Stats() Stats {
	o.mu.Lock()
	open, polls := o.open, o.polls
	o.mu.Unlock()
	return Stats{
		Open:   open,
		Plain:  int(o.stats.plain.Load()),
		Opened: o.stats.opened.Load(),
		Ended: map[string]uint64{
			endClient: o.stats.client.Load(),
			endSlow:   o.stats.slow.Load(),
			endAuth:   o.stats.auth.Load(),
			endAge:    o.stats.age.Load(),
			endDrain:  o.stats.drain.Load(),
			endKick:   o.stats.kick.Load(),
			endRun:    o.stats.run.Load(),
		},
		Frames: o.stats.frames.Load(),
		Bytes:  o.stats.bytes.Load(),

		Polls:    polls,
		PollsAll: o.stats.polls.Load(),
		PollsCut: o.stats.pollsCut.Load(),
	}
}
