package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// batchGet asks any replica of a stream for several messages.
type batchGet struct {
	Seq       uint64           `json:"seq,omitempty"`
	NextFor   bridge.Subject   `json:"next_by_subj,omitempty"`
	MultiLast []bridge.Subject `json:"multi_last,omitempty"`
	UpToSeq   uint64           `json:"up_to_seq,omitempty"`
	Batch     int              `json:"batch"`
	MaxBytes  int              `json:"max_bytes"`
}

// batch is what it gives.
type batch struct {
	found   []entry
	pending uint64 // how many there are beyond
	upTo    uint64 // with MultiLast: the sequence as of which they are the last; 0 where there are none
}

// errUnclear: behind what was found there is a message that a direct get cannot give, because of its headers.
var errUnclear = errors.New("a message has headers that hide what a direct get says of it")

// errSilent: who was asked by a direct get does not go on.
var errSilent = errors.New("a direct get is not answered")

// errTooMany: the newest messages of more subjects than a server gives at once.
var errTooMany = errors.New("too many subjects for one direct get")

// Headers that a server adds to what it gives by a direct get, behind the publisher's own, which may have the same names.
const (
	headerStream   = "Nats-Stream"
	headerSubject  = "Nats-Subject"
	headerSequence = "Nats-Sequence"
	headerTime     = "Nats-Time-Stamp"
	headerPending  = "Nats-Num-Pending"
	headerLast     = "Nats-Last-Sequence"
	headerUpTo     = "Nats-UpTo-Sequence"

	headerStatus      = "Status"
	headerDescription = "Description"
)

// batch reads messages by a direct get, from another replica where one is silent. What one has given before it fell silent is
// good where messages follow each other; of the newest of several filters, only the end tells as of when they are.
func (h *history) batch(ctx context.Context, request batchGet) (batch, error) {
	for {
		b, err := h.batchOnce(ctx, request)
		switch {
		case !errors.Is(err, errSilent) || ctx.Err() != nil:
			return b, err
		case len(b.found) > 0 && request.NextFor != "":
			b.pending = 1
			return b, nil
		}
	}
}

// batchOnce reads messages by one direct get. The answers are read here rather than by a library, which takes a message with
// certain headers for the server's word. The error is errUnclear where only what was found before a message is clear.
func (h *history) batchOnce(ctx context.Context, request batchGet) (batch, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return batch{}, fmt.Errorf("ask for messages: %w", err)
	}
	answers := make(chan *nats.Msg, pageMessages+1)
	reads := h.conn()
	inbox := reads.NewInbox()
	sub, err := reads.ChanSubscribe(inbox, answers)
	if err != nil {
		return batch{}, fmt.Errorf("subscribe to an answer: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }() // of a connection that is closed there is nothing to end
	if err := reads.PublishRequest(h.api.Subject(js.AskDirect+h.name), inbox, body); err != nil {
		return batch{}, fmt.Errorf("ask for messages: %w", err)
	}
	begun := time.Now()
	silence := time.NewTimer(js.TryTime)
	defer silence.Stop()
	var b batch
	for change := h.api.Tries(); ; {
		select {
		case msg := <-answers:
			silence.Reset(js.TryTime)
			size := blockSize(msg)
			if isWord(msg.Header, size) {
				return b, b.end(msg)
			}
			if !isGiven(msg.Header, size, h.name) {
				return b, errUnclear
			}
			found, err := stripped(msg, headerPending, headerLast)
			if err == nil {
				err = request.check(found, b.found)
			}
			if err != nil {
				return batch{}, err
			}
			b.found = append(b.found, found)
		case <-silence.C:
			return b, errSilent
		case <-change:
			if change = h.api.Tries(); time.Since(begun) > js.TryAgain {
				return b, errSilent
			}
		case <-ctx.Done():
			return batch{}, fmt.Errorf("wait for messages: %w", ctx.Err())
		}
	}
}

// end reads what a server says behind the last message.
func (b *batch) end(msg *nats.Msg) error {
	switch status := msg.Header.Get(headerStatus); {
	case status == "204":
		var err error
		if b.pending, err = strconv.ParseUint(msg.Header.Get(headerPending), 10, 64); err != nil {
			return fmt.Errorf("read the end of a batch: %w", err)
		}
		if upTo := msg.Header.Get(headerUpTo); upTo != "" {
			if b.upTo, err = strconv.ParseUint(upTo, 10, 64); err != nil {
				return fmt.Errorf("read the end of a batch: %w", err)
			}
		}
		return nil
	case status == "404" && len(b.found) == 0:
		return nil
	case status == "413":
		return errTooMany
	case status == "503":
		return fmt.Errorf("a direct get finds nobody: %w", nats.ErrNoResponders)
	default:
		return fmt.Errorf("a direct get is answered %s %s", status, msg.Header.Get(headerDescription))
	}
}

// check refuses what was not asked for: what a server adds comes last, but nothing rests on that alone.
func (g batchGet) check(found entry, before []entry) error {
	least := g.Seq
	if n := len(before); n > 0 {
		least = before[n-1].seq + 1
	}
	filters := g.MultiLast
	if g.NextFor != "" {
		filters = []bridge.Subject{g.NextFor}
	}
	if found.seq < least || len(filters) > 0 && bridge.FirstMatch(filters, found.subject) == "" {
		return fmt.Errorf("a direct get gives message %d on %s, which was not asked for", found.seq, found.subject)
	}
	return nil
}

// stripped gives a message as it was published: without what a server adds, and in a batch adds beside.
func stripped(msg *nats.Msg, beside ...string) (entry, error) {
	header := msg.Header
	take := func(name string) string {
		values := header[name]
		if len(values) == 0 {
			return ""
		}
		last := values[len(values)-1]
		if header[name] = values[:len(values)-1]; len(header[name]) == 0 {
			delete(header, name)
		}
		return last
	}
	e := entry{subject: take(headerSubject), data: msg.Data}
	var errSeq, errTime error
	e.seq, errSeq = strconv.ParseUint(take(headerSequence), 10, 64)
	at, errTime := time.Parse(time.RFC3339Nano, take(headerTime))
	if err := errors.Join(errSeq, errTime); err != nil {
		return entry{}, fmt.Errorf("read a message of a direct get: %w", err)
	}
	e.time = at.UnixNano()
	for _, name := range append(beside, headerStream) {
		take(name)
	}
	if len(header) > 0 {
		e.header = header
	}
	return e, nil
}
