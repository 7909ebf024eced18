package js

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
)

// BatchGet asks any replica of a stream for several messages.
type BatchGet struct {
	Seq       uint64           `json:"seq,omitempty"`
	NextFor   bridge.Subject   `json:"next_by_subj,omitempty"`
	MultiLast []bridge.Subject `json:"multi_last,omitempty"`
	UpToSeq   uint64           `json:"up_to_seq,omitempty"`
	Batch     int              `json:"batch"`
	MaxBytes  int              `json:"max_bytes"`
}

// Batch is the answer.
type Batch struct {
	Found   []Entry
	Pending uint64 // how many messages remain
	UpTo    uint64 // with MultiLast: the sequence as of which the messages are the newest; 0 if there are none
}

// ErrNotDirect means that the next message cannot be read by a direct get: it has headers that hide the server's description of it, or NATS
// refuses direct gets to this bridge.
var ErrNotDirect = errors.New("a message cannot be read by a direct get")

// ErrSilent means that a replica has stopped answering a direct get.
var ErrSilent = errors.New("a direct get was not answered")

// ErrTooMany means that the newest messages are on more subjects than a server returns at once.
var ErrTooMany = errors.New("too many subjects for one direct get")

// Headers that a server adds to the answer of a direct get, after the publisher's own, which may have the same names.
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

// Batch reads messages by one direct get. A library would mistake messages with certain headers for the server's answers, so
// Batch reads the answers itself. If the error is ErrNotDirect, the batch holds the messages before that one.
func (a API) Batch(ctx context.Context, on *Conn, stream string, request BatchGet) (Batch, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return Batch{}, fmt.Errorf("ask for messages: %w", err)
	}
	answers := make(chan *nats.Msg, request.Batch+1)
	inbox := on.NATS().NewInbox()
	sub, err := on.NATS().ChanSubscribe(inbox, answers)
	if err != nil {
		return Batch{}, fmt.Errorf("subscribe to an answer: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }() // on a closed connection there is nothing to end
	subject, asked, begun := a.Subject(AskDirect+stream), on.Link().Now(), time.Now()
	if err := on.NATS().PublishRequest(subject, inbox, body); err != nil {
		return Batch{}, fmt.Errorf("ask for messages: %w", err)
	}
	silence := time.NewTimer(tryTime)
	defer silence.Stop()
	var b Batch
	for change := a.Tries(); ; {
		violations := asked.Violations()
		if a.IsRefused(asked, subject) {
			return b, ErrNotDirect
		}
		select {
		case <-violations:
		case msg := <-answers:
			silence.Reset(tryTime)
			size := blockSize(msg)
			if isWord(msg.Header, size) {
				return b, b.end(msg)
			}
			if !isGiven(msg.Header, size, stream) {
				return b, ErrNotDirect
			}
			found, err := stripped(msg, headerPending, headerLast)
			if err == nil {
				err = request.check(found, b.Found)
			}
			if err != nil {
				return Batch{}, err
			}
			b.Found = append(b.Found, found)
		case <-silence.C:
			if !on.mayCome(ctx, func() bool { return len(answers) > 0 }) {
				return b, ErrSilent
			}
			silence.Reset(tryTime)
		case <-asked.Lost():
			return b, ErrSilent
		case <-change:
			if change = a.Tries(); time.Since(begun) > tryAgain {
				return b, ErrSilent
			}
		case <-ctx.Done():
			return Batch{}, fmt.Errorf("wait for messages: %w", ctx.Err())
		}
	}
}

// end reads the server's answer after the last message.
func (b *Batch) end(msg *nats.Msg) error {
	switch status := msg.Header.Get(headerStatus); {
	case status == "204":
		var err error
		if b.Pending, err = strconv.ParseUint(msg.Header.Get(headerPending), 10, 64); err != nil {
			return fmt.Errorf("read the end of a batch: %w", err)
		}
		if upTo := msg.Header.Get(headerUpTo); upTo != "" {
			if b.UpTo, err = strconv.ParseUint(upTo, 10, 64); err != nil {
				return fmt.Errorf("read the end of a batch: %w", err)
			}
		}
		return nil
	case status == "404" && len(b.Found) == 0:
		return nil
	case status == "413":
		return ErrTooMany
	case status == "503":
		return fmt.Errorf("nobody answers a direct get: %w", nats.ErrNoResponders)
	default:
		return fmt.Errorf("a direct get was answered %s %s", status, msg.Header.Get(headerDescription))
	}
}

// check refuses messages that were not asked for. The server's headers come last and should suffice; check is a second guard.
func (g BatchGet) check(found Entry, before []Entry) error {
	least := g.Seq
	if n := len(before); n > 0 {
		least = before[n-1].Seq + 1
	}
	filters := g.MultiLast
	if g.NextFor != "" {
		filters = []bridge.Subject{g.NextFor}
	}
	if found.Seq < least || len(filters) > 0 && bridge.FirstMatch(filters, found.Subject) == "" {
		return fmt.Errorf("a direct get returned message %d on %s, which was not asked for", found.Seq, found.Subject)
	}
	return nil
}

// stripped returns a message as it was published: without the headers that the server adds to it, or to a batch.
func stripped(msg *nats.Msg, beside ...string) (Entry, error) {
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
	e := Entry{Subject: take(headerSubject), Data: msg.Data}
	var errSeq, errTime error
	e.Seq, errSeq = strconv.ParseUint(take(headerSequence), 10, 64)
	at, errTime := time.Parse(time.RFC3339Nano, take(headerTime))
	if err := errors.Join(errSeq, errTime); err != nil {
		return Entry{}, fmt.Errorf("read a message of a direct get: %w", err)
	}
	e.Time = at.UnixNano()
	for _, name := range append(beside, headerStream) {
		take(name)
	}
	if len(header) > 0 {
		e.Header = header
	}
	return e, nil
}

// GetEach reads the messages with the given sequences into found, by direct gets. An entry stays empty if the replica does not
// have its message.
func (a API) GetEach(ctx context.Context, on *Conn, stream string, seqs []uint64, found []Entry) error {
	answers := make(chan *nats.Msg, len(seqs))
	inbox := on.NATS().NewInbox() + "."
	sub, err := on.NATS().ChanSubscribe(inbox+"*", answers)
	if err != nil {
		return fmt.Errorf("subscribe to answers: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	for i, seq := range seqs {
		body, err := json.Marshal(MsgGet{Seq: seq})
		if err == nil {
			err = on.NATS().PublishRequest(a.Subject(AskDirect+stream), inbox+strconv.Itoa(i), body)
		}
		if err != nil {
			return fmt.Errorf("ask for a message: %w", err)
		}
	}
	silence := time.NewTimer(tryTime)
	defer silence.Stop()
	for left := len(seqs); left > 0; {
		select {
		case msg := <-answers:
			left--
			if !isGiven(msg.Header, blockSize(msg), stream) {
				continue // no such message, or the leader is asked
			}
			e, err := stripped(msg)
			i, atErr := strconv.Atoi(strings.TrimPrefix(msg.Subject, inbox))
			if err != nil || atErr != nil || i < 0 || i >= len(seqs) || e.Seq != seqs[i] {
				return fmt.Errorf("a direct get returned message %d, which was not asked for: %w", e.Seq, err)
			}
			found[i] = e
			silence.Reset(tryTime)
		case <-silence.C:
			if !on.mayCome(ctx, func() bool { return len(answers) > 0 }) {
				return nil // the leader is asked
			}
			silence.Reset(tryTime)
		case <-ctx.Done():
			return fmt.Errorf("wait for messages: %w", ctx.Err())
		}
	}
	return nil
}
