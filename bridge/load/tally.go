package load

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// tally counts what the connections of one loop have received.
type tally struct {
	tag    []byte
	window *window // nil without one

	mu      sync.Mutex
	readers []reader
	counts  counts
	latency *hdrhistogram.Histogram // in µs
	last    time.Duration           // when the last message arrived
	failure error                   // the first connection that could not be opened, unless the machine was the reason
	machine error                   // what the machine lacked for a connection
	found   found                   // of the present read
}

// counts of connections and messages.
type counts struct {
	opened, skipped          int // connections; skipped ones were not opened because the machine lacked something
	reached                  int // readers that received a probe
	closed, stalledClosed    int // by the server
	received                 int // different messages
	duplicates, disordered   int
	misdirected              int // messages on another subject
	gaps, resets             int
	bytes                    int64
	streams, stalled, waited int // open connections: readers, stalled ones; and readers that no probe has reached
}

func (c *counts) add(other counts) {
	c.opened += other.opened
	c.skipped += other.skipped
	c.reached += other.reached
	c.closed += other.closed
	c.stalledClosed += other.stalledClosed
	c.received += other.received
	c.duplicates += other.duplicates
	c.disordered += other.disordered
	c.misdirected += other.misdirected
	c.gaps += other.gaps
	c.resets += other.resets
	c.bytes += other.bytes
	c.streams += other.streams
	c.stalled += other.stalled
	c.waited += other.waited
}

const (
	latencyLimit  = 10 * 60 * 1e6 // µs
	latencyDigits = 3
)

func newLatency() *hdrhistogram.Histogram { return hdrhistogram.New(1, latencyLimit, latencyDigits) }

func newTally(plan *Plan, tag []byte, window *window, first, step int) *tally {
	return &tally{tag: tag, window: window, readers: newReaders(plan, first, step), latency: newLatency()}
}

var errClosed = errors.New("the server has ended the connection")

// take counts the data that a connection brought: buffer[headroom:], which it overwrites, as well as what is before. It returns an error
// if nothing more will arrive. The tally is locked.
func (t *tally) take(r *reader, buffer []byte, now time.Duration) error {
	t.counts.bytes += int64(len(buffer) - headroom)
	if r.phase == opening {
		rest, err := t.begin(r, buffer[headroom:])
		if err != nil || r.phase == opening {
			return err
		}
		buffer = buffer[:headroom+copy(buffer[headroom:], rest)]
	}
	if r.stalled {
		return nil
	}
	if r.chunked {
		body, err := r.chunks.strip(buffer[headroom:])
		if err != nil {
			return err
		}
		buffer = buffer[:headroom+len(body)]
	}
	t.found = found{records: t.found.records[:0]}
	r.scanner.scan(t.tag, buffer, &t.found)
	t.counts.gaps += t.found.gaps
	t.counts.resets += t.found.resets
	for _, rec := range t.found.records {
		t.receive(r, rec, now)
	}
	if r.chunks.ended() {
		return errClosed
	}
	return nil
}

// begin reads the head of the answer, and returns what follows it.
func (t *tally) begin(r *reader, data []byte) (rest []byte, err error) {
	r.head = append(r.head, data...)
	answer, err := readHead(r.head, false)
	if err != nil || answer == nil {
		return nil, err
	}
	rest = r.head[len(r.head)-answer.body:]
	r.head, r.chunked, r.phase = nil, answer.chunked, open
	t.counts.opened++
	switch {
	case r.stalled:
		t.counts.stalled++
	default:
		t.counts.streams++
		t.counts.waited++
		if t.window != nil {
			t.window.join(int(r.subject))
		}
	}
	return rest, nil
}

// receive counts one message.
func (t *tally) receive(r *reader, rec record, now time.Duration) {
	switch {
	case rec.subject != int(r.subject):
		t.counts.misdirected++
		return
	case rec.seq == probe:
		if !r.reached {
			r.reached = true
			t.counts.reached++
			t.counts.waited--
		}
		return
	}
	is, moved := r.order.take(rec.seq)
	switch is {
	case duplicate:
		t.counts.duplicates++
		return
	case late:
		t.counts.disordered++
	}
	t.counts.received++
	t.last = now
	_ = t.latency.RecordValue(min(int64((now-rec.at)/time.Microsecond), latencyLimit))
	if t.window != nil {
		for seq := rec.seq - moved + 1; seq <= rec.seq; seq++ {
			t.window.reached(indexOf(rec.subject, seq, t.window.subjects))
		}
	}
}

// end records a connection's end. The tally is locked.
func (t *tally) end(r *reader, why error) {
	was := r.phase
	r.phase = over
	switch {
	case was == opening:
		if _, err := readHead(r.head, true); err != nil && len(r.head) > 0 {
			why = err
		}
		r.head = nil
		if t.failure == nil {
			t.failure = why
		}
	case was == open && r.stalled:
		t.counts.stalledClosed++
		t.counts.stalled--
	case was == open:
		t.counts.closed++
		t.counts.streams--
		if !r.reached {
			t.counts.waited--
		}
		if t.window != nil {
			t.window.leave(int(r.subject), r.order.highest)
		}
	}
}

// skip gives up a connection because the machine lacked something. The tally is locked.
func (t *tally) skip(r *reader, why error) {
	r.phase = over
	t.counts.skipped++
	if t.machine == nil {
		t.machine = why
	}
}

// isMachine returns what to do if a connection failed because the machine lacked something, otherwise nil.
func isMachine(err error) error {
	switch {
	case isFileLimit(err):
		return fmt.Errorf("this machine has no more open files or memory for connections: %w", err)
	case isPortLimit(err):
		return fmt.Errorf("this machine has no more free ports or addresses to connect from: %w", err)
	}
	return nil
}
