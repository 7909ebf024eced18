package load

import (
	"sync"
	"sync/atomic"
	"time"
)

// Progress is the state of a run.
type Progress struct {
	Phase       string
	Elapsed     time.Duration // since the run began
	Connections int           // that are open, stalled ones included
	Wanted      int
	Received    int           // messages, each counted on each connection
	Rate        float64       // received per second since the last Progress
	P99         time.Duration // latency, since the run began
	Trouble     int           // duplicates, messages out of order, gaps, resets, and closed connections
}

// watching is what is observed during a run.
type watching struct {
	phase atomic.Pointer[string]
	peak  uint64 // of the server's memory, in bytes; belongs to startWatching's goroutine, until it has ended
}

func (w *watching) enter(phase string) { w.phase.Store(&phase) }

const (
	watchEvery  = 200 * time.Millisecond // interval of reading memory
	toldEveryNr = 5                      // Watch is called every so many intervals
)

// startWatching reads memory and reports progress until stop is called.
func (r *run) startWatching() (stop func()) {
	quit := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		var before Progress
		for i := 1; ; i++ {
			select {
			case <-tick.C:
			case <-quit:
				return
			}
			if used, err := r.server.usage(); err == nil {
				r.watching.peak = max(r.watching.peak, used.sum().rss)
			}
			if r.plan.Watch != nil && i%toldEveryNr == 0 {
				before = r.progress(before)
				r.plan.Watch(before)
			}
		}
	})
	return func() {
		close(quit)
		running.Wait()
	}
}

func (r *run) progress(before Progress) Progress {
	is, _ := r.counts()
	p := Progress{
		Phase: *r.watching.phase.Load(), Elapsed: r.target.now(),
		Connections: is.streams + is.stalled, Wanted: r.plan.Connections + r.plan.Stalled,
		Received: is.received,
		P99:      time.Duration(r.latencies().ValueAtQuantile(99)) * time.Microsecond,
		Trouble:  is.duplicates + is.disordered + is.gaps + is.resets + is.closed + is.misdirected,
	}
	p.Rate = float64(p.Received-before.Received) / (p.Elapsed - before.Elapsed).Seconds()
	return p
}
