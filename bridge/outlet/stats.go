package outlet

import (
	"sync/atomic"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

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
	opened, frames, bytes atomic.Uint64
	polls, pollsCut       atomic.Uint64
	ended                 bridge.Counts // connections by reason
}

// Stats returns the present counts.
func (o *Outlet) Stats() Stats {
	o.mu.Lock()
	open, plain, polls := o.open, len(o.plain), o.polls
	o.mu.Unlock()
	return Stats{
		Open:   open,
		Plain:  plain,
		Opened: o.stats.opened.Load(),
		Ended:  o.stats.ended.Load(),
		Frames: o.stats.frames.Load(),
		Bytes:  o.stats.bytes.Load(),

		Polls:    polls,
		PollsAll: o.stats.polls.Load(),
		PollsCut: o.stats.pollsCut.Load(),
	}
}

// Observer receives durations in seconds.
type Observer interface{ Observe(seconds float64) }

// An observation costs a tenth of a write. So an event loop makes one for so many writes, and one after so much time if there are fewer.
const (
	observeEach  = 64
	observeEvery = time.Millisecond
)

// observe passes on how long ago a message was published, in nanoseconds of Unix time; 0 stands for no message.
func (o *Outlet) observe(since int64) {
	if since != 0 && o.config.Delays != nil {
		o.config.Delays.Observe(max(0, o.clock().Sub(time.Unix(0, since)).Seconds())) // the clock of a server may be ahead of this one
	}
}
