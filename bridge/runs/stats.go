package runs

import "sync/atomic"

type counters struct {
	asked, unheard, ended, failed, silent, stopped, replied atomic.Uint64
}

// Stats is what Runs has done, and has.
type Stats struct {
	Open    int    // runs that this bridge has asked, and that have not ended
	Asked   uint64 // questions that reached a responder
	Unheard uint64 // questions that reached none
	Ended   uint64 // runs of this bridge that are complete
	Failed  uint64 // runs of this bridge that ended with an error, silence included
	Silent  uint64 // runs that were ended because nobody answered
	Stopped uint64 // requests to stop
	Replied uint64 // answers to queries of whoever answers
}

// Stats returns the present counts.
func (r *Runs) Stats() Stats {
	s := Stats{
		Asked: r.stats.asked.Load(), Unheard: r.stats.unheard.Load(), Ended: r.stats.ended.Load(),
		Failed: r.stats.failed.Load(), Silent: r.stats.silent.Load(), Stopped: r.stats.stopped.Load(), Replied: r.stats.replied.Load(),
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Open = r.all
	return s
}
