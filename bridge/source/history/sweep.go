package history

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

const (
	// sweepHeartbeat is how soon a server says that it has nothing to send: then it has come upon a message that is gone
	// since it looked, and goes on. It is the least that it allows.
	sweepHeartbeat = 100 * time.Millisecond
	// maxHoles is so many of these after which another consumer is quicker.
	maxHoles = 10
	// everything a stream holds: to look for a filter with very many subjects costs a server more than to give what lies between.
	everything bridge.Subject = ">"
	// closeTogether: to read so many messages costs as much as to ask for one of them.
	closeTogether = 8
)

// sweep finds the newest message of each subject of a filter: of more than one direct get gives. A consumer tells where they are;
// they are read in pages, by the pace of clients, while it goes on. (A consumer that leaves out the payloads would be quicker, but
// a message with a certain block of headers then stops the whole server; and one from which pages are pulled loses messages at
// the ends of pulls, as nats-server 2.15 does it.)
type sweep struct {
	history *History
	filter  bridge.Subject
	upTo    uint64 // the sequence as of which they are the newest; what had a newer one since may be left out

	mu        sync.Mutex
	seqs      []uint64 // ascending
	head      uint64   // up to here all were found
	isRunning bool
	holes     int // since the last message
	err       error
	news      chan struct{} // closed when the rest changes

	size atomic.Int64 // how many seqs there are
}

// stretch returns the newest messages from one sequence up to another, or as far as one read goes.
func (s *sweep) stretch(ctx context.Context, from, through uint64) (found []js.Entry, reached uint64, err error) {
	for {
		seqs, head, news, err := s.found(from, through)
		if err != nil || len(seqs) >= pageMessages || head >= through {
			if err != nil {
				return nil, 0, err
			}
			return s.history.eachOf(ctx, seqs, min(through, head))
		}
		select {
		case <-news:
		case <-ctx.Done():
			return nil, 0, fmt.Errorf("wait for the newest messages to be found: %w", ctx.Err())
		}
	}
}

// found returns what was found from one sequence up to another, and how far that reaches; it lets the search go on.
func (s *sweep) found(from, through uint64) (seqs []uint64, head uint64, news <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.err; err != nil {
		s.err = nil // whoever asks again tries again
		return nil, 0, nil, err
	}
	first, _ := slices.BinarySearch(s.seqs, from)
	seqs = s.seqs[first:]
	if end, found := slices.BinarySearch(seqs, through); found {
		seqs = seqs[:end+1]
	} else {
		seqs = seqs[:end]
	}
	if s.head < s.upTo && !s.isRunning {
		if err := s.history.sweeps.begin(s.run); err != nil {
			return nil, 0, nil, err
		}
		s.isRunning = true
	}
	return seqs, s.head, s.news, nil
}

// run searches, from the beginning where too many messages were gone: what was found before is passed over. A consumer that is lost
// ends it, until somebody asks again.
func (s *sweep) run() {
	ctx := s.history.sweeps.alive
	var err error
	for again := true; again; {
		s.holes = 0
		_, err = s.history.consume(ctx, nats.ConsumerConfig{
			FilterSubject: string(s.filter), DeliverPolicy: nats.DeliverLastPerSubjectPolicy, Heartbeat: sweepHeartbeat,
		}, s.note, func() bool { return s.goesOn(ctx) })
		s.mu.Lock()
		again = err == nil && ctx.Err() == nil && s.head < s.upTo
		s.mu.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.isRunning, s.err = false, err
	s.tell()
}

// tell wakes those who wait. The lock must be held.
func (s *sweep) tell() {
	close(s.news)
	s.news = make(chan struct{})
}

// note takes what a consumer brings, and reports whether more is wanted.
func (s *sweep) note(e js.Entry) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holes = 0
	if e.Seq > s.head {
		s.head = e.Seq
		if e.Seq <= s.upTo {
			s.seqs = append(s.seqs, e.Seq)
			s.size.Store(int64(len(s.seqs)))
		}
		if len(s.seqs)%pageMessages == 0 || s.head >= s.upTo {
			s.tell()
		}
	}
	return s.head < s.upTo
}

// goesOn is called when nothing comes, and reports whether something may: the leader knows.
func (s *sweep) goesOn(ctx context.Context) bool {
	s.mu.Lock()
	s.holes++
	holes, head := s.holes, s.head
	s.mu.Unlock()
	next, err := s.history.next(ctx, []bridge.Subject{s.filter}, head+1)
	if err != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if next > s.upTo {
		s.head = math.MaxUint64
		s.tell()
		return false
	}
	return holes < maxHoles
}

// eachOf reads a page of the messages of some sequences, which reach through. What is gone meanwhile had a newer message, or was
// deleted.
func (h *History) eachOf(ctx context.Context, rest []uint64, through uint64) (found []js.Entry, reached uint64, err error) {
	size := 0
	for len(rest) > 0 {
		if len(found) >= pageMessages || size >= pageBytes {
			return found, rest[0] - 1, nil
		}
		some, reached, err := h.listed(ctx, rest)
		if err != nil {
			return nil, 0, err
		}
		for _, e := range some {
			size += e.Size()
		}
		found = append(found, some...)
		done, _ := slices.BinarySearch(rest, reached+1)
		rest = rest[done:]
	}
	return found, through, nil
}

// listed reads the messages of the first of some sequences, and tells how far: where they lie close together, with what lies
// between, else one by one.
func (h *History) listed(ctx context.Context, seqs []uint64) (found []js.Entry, reached uint64, err error) {
	near := seqs[:min(len(seqs), pageMessages)]
	if from, through := near[0], near[len(near)-1]; through-from < closeTogether*uint64(len(near)) {
		found, reached, err = h.stretch(ctx, everything, from, through, ends{})
		return slices.DeleteFunc(found, func(e js.Entry) bool {
			_, isListed := slices.BinarySearch(near, e.Seq)
			return !isListed
		}), reached, err
	}
	few := seqs[:min(len(seqs), atOnce)]
	found, err = h.fetch(ctx, few)
	return found, few[len(few)-1], err
}
