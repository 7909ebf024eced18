package history

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

const (
	// sweepHeartbeat is how soon a server reports that it has nothing to send. It then has found a message that was removed since
	// its search, and continues. This is the shortest interval allowed.
	sweepHeartbeat = 100 * time.Millisecond
	// sweepBytes and mostAtOnce limit what is on the way of a search.
	sweepBytes, mostAtOnce = 32 << 20, 512
	// maxHoles is the number of such messages after which a new consumer is quicker.
	maxHoles = 10
	// everything matches all messages of a stream: to look for a filter with very many subjects costs a server more than to send the messages between.
	everything bridge.Subject = ">"
	// closeTogether is how many messages cost as much to read in a row as to request one by itself.
	closeTogether = 8
)

// sweep finds the newest message of each subject of a filter, if there are more than one direct get returns. A consumer finds
// their sequences. Pages of them are read at the pace of clients, while the search continues. (A consumer without payloads would
// be quicker, but a message with a certain block of headers then stops the whole server.)
type sweep struct {
	history *History
	filter  bridge.Subject
	batch   int    // messages that are on the way at most
	upTo    uint64 // the messages are the newest as of this sequence; subjects with a newer one since may be left out

	holes int // removed messages since the last message; belongs to run

	// The lock of all sweeps guards these. Only run changes seqs and head, so it reads them without the lock.
	seqs      []uint64 // ascending
	head      uint64   // everything up to here was found
	isRunning bool
	err       error
	news      js.Signal // of a change of these
}

// swept returns the newest messages of a filter between two sequences, as of upTo or later, or as many as one read returns.
func (h *History) swept(ctx context.Context, filter bridge.Subject, from, through, upTo uint64) (found []js.Entry, reached uint64, err error) {
	of := h.sweeps.get(filter, upTo)
	if of == nil {
		info, err := h.info(ctx, "")
		if err != nil {
			return nil, 0, err
		}
		of = &sweep{
			history: h, filter: filter, batch: batchOf(info, h.conn().NATS().MaxPayload()),
			upTo: max(upTo, info.State.LastSeq),
		}
		h.sweeps.put(of)
	}
	return of.stretch(ctx, from, through)
}

// batchOf returns how many messages of a stream may be on the way: a server ends a connection for which 64 MiB wait.
func batchOf(info *jetstream.StreamInfo, maxPayload int64) int {
	if info.State.Bytes <= sweepBytes {
		return mostAtOnce
	}
	return int(max(1, min(sweepBytes/max(1, maxPayload), mostAtOnce))) // any number of the largest may come in a row
}

// stretch returns the newest messages between two sequences, or as many as one read returns.
func (s *sweep) stretch(ctx context.Context, from, through uint64) (found []js.Entry, reached uint64, err error) {
	for {
		seqs, head, news, err := s.found(from, through)
		if err != nil {
			return nil, 0, err
		}
		if len(seqs) >= pageMessages || head >= through {
			return s.history.eachOf(ctx, seqs, min(through, head))
		}
		select {
		case <-news:
		case <-ctx.Done():
			return nil, 0, fmt.Errorf("wait for the newest messages to be found: %w", ctx.Err())
		}
	}
}

// found returns the sequences found between two others, and how far the search has got. If the search has stopped early, found continues it.
func (s *sweep) found(from, through uint64) (seqs []uint64, head uint64, news <-chan struct{}, err error) {
	all := &s.history.sweeps
	all.mu.Lock()
	defer all.mu.Unlock()
	if err := s.err; err != nil {
		s.err = nil // the next reader starts another attempt
		return nil, 0, nil, err
	}
	first, _ := slices.BinarySearch(s.seqs, from)
	seqs = s.seqs[first:]
	end, _ := slices.BinarySearch(seqs, through+1)
	seqs = seqs[:end]
	if s.head < s.upTo && !s.isRunning {
		if all.closed {
			return nil, 0, nil, bridge.ErrClosed
		}
		all.running.Go(s.run)
		s.isRunning = true
	}
	return seqs, s.head, s.news.Wait(), nil
}

// run searches. If too many messages were removed, it starts again from the beginning, and skips what it has found. If the
// consumer is lost, run ends until the next reader restarts it.
func (s *sweep) run() {
	ctx := s.history.sweeps.alive
	var err error
	for again := true; again; {
		s.holes = 0
		_, err = s.history.consume(ctx, nats.ConsumerConfig{
			FilterSubject: string(s.filter), DeliverPolicy: nats.DeliverLastPerSubjectPolicy, Heartbeat: sweepHeartbeat, MaxRequestBatch: s.batch,
		}, s.note, s.goesOn)
		again = err == nil && ctx.Err() == nil && s.head < s.upTo
	}
	s.history.sweeps.mu.Lock()
	defer s.history.sweeps.mu.Unlock()
	s.isRunning, s.err = false, err
	s.news.Send()
}

// note records a message of the consumer, and reports whether more are wanted.
func (s *sweep) note(e js.Entry) bool {
	s.history.sweeps.mu.Lock()
	defer s.history.sweeps.mu.Unlock()
	s.holes = 0
	if e.Seq > s.head {
		s.head = e.Seq
		if e.Seq <= s.upTo {
			s.seqs = append(s.seqs, e.Seq)
		}
		if len(s.seqs)%pageMessages == 0 || s.head >= s.upTo {
			s.news.Send()
		}
	}
	return s.head < s.upTo
}

// goesOn asks the leader, when nothing arrives, whether anything can still arrive.
func (s *sweep) goesOn() bool {
	s.holes++
	next, err := s.history.next(s.history.sweeps.alive, []bridge.Subject{s.filter}, s.head+1)
	if err != nil {
		return false
	}
	if next <= s.upTo {
		return s.holes < maxHoles
	}
	s.history.sweeps.mu.Lock()
	defer s.history.sweeps.mu.Unlock()
	s.head = math.MaxUint64
	s.news.Send()
	return false
}

// eachOf reads a page of the messages with the given sequences, which reach up to through. A missing message was superseded or
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

// listed reads the messages of the first of the sequences, and returns how far it got. Messages close to each other are read in a
// row with those between them, others one by one.
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
