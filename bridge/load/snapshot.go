package load

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// snapshot holds values that are compared between two moments.
type snapshot struct {
	at            time.Duration
	server        usages
	own           time.Duration
	busy, machine float64 // processor seconds of the machine: used, and total
	waiting       time.Duration
	received      int
}

func (r *run) snapshot() snapshot {
	is, _ := r.counts()
	s := snapshot{at: r.target.now(), server: r.usage(), own: ownCPU(), waiting: r.client.waiting(), received: is.received}
	s.busy, s.machine = machineCPU()
	return s
}

// counts returns the sum of all tallies, and the first failure.
func (r *run) counts() (sum counts, failure error) {
	for _, t := range r.tallies {
		t.mu.Lock()
		sum.add(t.counts)
		if failure == nil {
			failure = t.failure
		}
		t.mu.Unlock()
	}
	return sum, failure
}

// machine returns what the machine lacked for connections, or nil.
func (r *run) machine() error {
	for _, t := range r.tallies {
		t.mu.Lock()
		err := t.machine
		t.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// usage returns what each process of the server has used, and records if one has ended.
func (r *run) usage() usages {
	used, err := r.server.usage()
	if err != nil && r.gone == nil {
		r.gone = err
	}
	return used
}

// usages is what each process of the server has used.
type usages []usage

func (u usages) sum() (all usage) {
	for _, one := range u {
		all.cpu += one.cpu
		all.rss += one.rss
	}
	return all
}

// latencies returns the latencies of all tallies together.
func (r *run) latencies() *hdrhistogram.Histogram {
	all := newLatency()
	for _, t := range r.tallies {
		t.mu.Lock()
		all.Merge(t.latency)
		t.mu.Unlock()
	}
	return all
}
