package history

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

const (
	// pageMessages and pageBytes limit one read. A read has a fixed cost, so small ones are expensive. A server answers one
	// without a pause, so large ones delay others.
	pageMessages = 1024
	pageBytes    = 1 << 20
	// staleWait is the first wait for a replica that lags behind the stream's leader; it doubles.
	staleWait = 10 * time.Millisecond
	// maxAtLimit is how many full subjects are checked one by one for removed messages.
	maxAtLimit = 64
	// historyConsumers is how many consumers may be open at once to read one stream, if direct gets are not possible.
	historyConsumers = 4
)

// Close waits for the History's goroutines, after alive has ended.
func (h *History) Close() { h.sweeps.close() }

// Page implements bridge.Log.
func (h *History) Page(ctx context.Context, subjects []bridge.Subject, from, through uint64) (bridge.Page, error) {
	page, err := h.page(ctx, subjects, from, through)
	if err != nil {
		return bridge.Page{}, fmt.Errorf("read the stream %s from sequence %d: %w", h.name, from, err)
	}
	return page, nil
}

func (h *History) page(ctx context.Context, subjects []bridge.Subject, from, through uint64) (bridge.Page, error) {
	var all []js.Entry
	ends := h.ends(ctx, subjects, through)
	for _, subject := range subjects {
		found, reached, err := h.stretch(ctx, subject, from, through, ends)
		if err != nil {
			return bridge.Page{}, err
		}
		all = append(all, found...)
		through = min(through, reached)
	}
	all = merge(all, through)
	lostBelow, err := h.lostBelow(ctx, subjects, all, from, through)
	if err != nil {
		return bridge.Page{}, err
	}
	return bridge.Page{Messages: h.decode(all), Through: through, LostBelow: lostBelow}, nil
}

// stretch reads the messages of a filter between two sequences, or as many as one read returns.
func (h *History) stretch(ctx context.Context, filter bridge.Subject, from, through uint64, ends ends) (found []js.Entry, reached uint64, err error) {
	end := through // nothing behind it is missing
	if last, known := ends.last(filter); known {
		end = min(end, last)
	}
	if ends.none && ends.of[filter] {
		if missed, err := h.get(ctx, js.MsgGet{Seq: from, NextFor: filter}); err != nil || missed.Seq == 0 || missed.Seq > through {
			return nil, through, err
		}
	}
	next := from
	for wait := staleWait; next <= end; wait *= 2 {
		some, more, err := h.read(ctx, filter, next, through)
		if errors.Is(err, js.ErrLost) && js.Sleep(ctx, wait) == nil {
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		if n := len(some); n > 0 {
			found, next = append(found, some...), some[n-1].Seq+1
			if more || len(found) >= pageMessages {
				return found, min(next-1, through), nil
			}
			if next > end {
				break
			}
		}
		// The replica has no more messages. It may lag; only the leader knows.
		missed, err := h.get(ctx, js.MsgGet{Seq: next, NextFor: filter})
		if err != nil {
			return nil, 0, err
		}
		if missed.Seq == 0 || missed.Seq > through {
			break
		}
		if err := js.Sleep(ctx, wait); err != nil {
			return nil, 0, fmt.Errorf("a replica has not caught up with sequence %d: %w", missed.Seq, err)
		}
	}
	return found, through, nil
}

// read returns the messages that one replica has on a filter, from a sequence on, and whether it has more. It asks for no more messages
// than there are sequences up to through.
func (h *History) read(ctx context.Context, filter bridge.Subject, from, through uint64) (found []js.Entry, more bool, err error) {
	if h.canGet() {
		request := js.BatchGet{Seq: from, NextFor: filter, Batch: int(min(pageMessages, through-from+1))}
		batch, err := h.batch(ctx, request)
		if !errors.Is(err, js.ErrNotDirect) {
			return batch.Found, batch.Pending > 0, err
		}
		if len(batch.Found) > 0 {
			return batch.Found, true, nil
		}
	}
	found, more, err = h.readByConsumer(ctx, filter, from)
	if refusal := (*jetstream.APIError)(nil); errors.As(err, &refusal) {
		return h.readOneByOne(ctx, filter, from)
	}
	return found, more, err
}

// batch reads messages by a direct get, and asks another replica if one falls silent. The messages received before the silence
// are valid, because they follow each other.
func (h *History) batch(ctx context.Context, request js.BatchGet) (js.Batch, error) {
	for {
		b, err := h.batchOnce(ctx, request)
		switch {
		case !errors.Is(err, js.ErrSilent) || ctx.Err() != nil:
			return b, err
		case len(b.Found) > 0:
			b.Pending = 1
			return b, nil
		}
	}
}

// readByConsumer is read without direct gets.
func (h *History) readByConsumer(ctx context.Context, filter bridge.Subject, from uint64) (found []js.Entry, more bool, err error) {
	size := 0
	pending, err := h.consume(ctx, nats.ConsumerConfig{
		FilterSubject: string(filter), DeliverPolicy: nats.DeliverByStartSequencePolicy, OptStartSeq: from,
	}, func(e js.Entry) bool {
		found = append(found, e)
		size += e.Size()
		return len(found) < pageMessages && size < pageBytes
	}, nil)
	return found, uint64(len(found)) < pending, err
}

// readOneByOne is read if no consumer can be made either: it asks the leader for each message.
func (h *History) readOneByOne(ctx context.Context, filter bridge.Subject, from uint64) (found []js.Entry, more bool, err error) {
	for range atOnce {
		at, err := h.get(ctx, js.MsgGet{Seq: from, NextFor: filter})
		if err != nil || at.Seq == 0 {
			return found, false, err
		}
		found = append(found, at)
		from = at.Seq + 1
	}
	return found, true, nil
}

// Stored implements bridge.Log.
func (h *History) Stored(ctx context.Context, seq uint64) (bridge.Position, uint64, error) {
	at := bridge.Position{Epoch: h.epoch, Seq: seq}
	found, err := h.get(ctx, js.MsgGet{Seq: seq})
	if err != nil {
		return at, 0, fmt.Errorf("look for message %d of the stream %s: %w", seq, h.name, err)
	}
	if found.Seq == seq {
		at.Time = found.Time
		return at, seq, nil
	}
	info, err := h.info(ctx, "")
	if err != nil {
		return at, 0, err
	}
	return at, info.State.LastSeq, nil
}

// Since implements bridge.Log.
func (h *History) Since(ctx context.Context, t time.Time) (uint64, error) {
	found, err := h.get(ctx, js.MsgGet{StartTime: &t})
	if err != nil {
		return 0, fmt.Errorf("look for messages of the stream %s since %v: %w", h.name, t, err)
	}
	if found.Seq > 0 {
		return found.Seq, nil
	}
	info, err := h.info(ctx, "")
	if err != nil {
		return 0, err
	}
	if !info.State.LastTime.Before(t) && info.State.Msgs > 0 {
		return info.State.FirstSeq, nil // stored after the question
	}
	return info.State.LastSeq + 1, nil
}
