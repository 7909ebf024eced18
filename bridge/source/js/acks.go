package js

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
)

// Acks receives the acknowledgements of streams for published messages, by one subscription for all of them.
type Acks struct {
	conn  *Conn
	inbox string // each message gets a token below it

	mu      sync.Mutex
	number  uint64
	waiting map[string]awaited
}

type awaited struct {
	stream string
	answer chan Acknowledgement // buffers one
}

// Acknowledgement is a stream's answer to a published message.
type Acknowledgement struct {
	jetstream.PubAck
	Error *jetstream.APIError `json:"error"`
	None  bool                `json:"-"` // no stream holds the subject, and nobody else subscribes to it
}

// ReplyBytes returns the length of the longest reply subject.
func (a *Acks) ReplyBytes() int { return len(a.inbox) + len("18446744073709551615") }

// OpenAcks subscribes to the inbox.
func OpenAcks(conn *Conn) (*Acks, error) {
	a := &Acks{conn: conn, inbox: conn.NATS().NewInbox() + ".", waiting: map[string]awaited{}}
	err := conn.Keep(func() error {
		_, err := conn.NATS().Subscribe(a.inbox+"*", a.take)
		return err
	})
	if err != nil {
		return a, fmt.Errorf("subscribe to acknowledgements: %w", err)
	}
	return a, nil
}

// take hands an answer to the call of Publish that waits for it. Any subscriber of the subject may answer a message, too, so only
// answers that a stream could have given count.
func (a *Acks) take(msg *nats.Msg) {
	var answer Acknowledgement
	answer.None = len(msg.Data) == 0 && msg.Header.Get("Status") == "503"
	if !answer.None && json.Unmarshal(msg.Data, &answer) != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	waits, found := a.waiting[strings.TrimPrefix(msg.Subject, a.inbox)]
	if !found || !answer.None && (answer.Stream != waits.stream || answer.Error == nil && answer.Sequence == 0) {
		return
	}
	select {
	case waits.answer <- answer:
	default:
	}
}

// Publish sends a message to a stream. It returns when the stream has answered, or when NATS refuses the subject or the size: then no
// stream receives the message.
func (a *Acks) Publish(ctx context.Context, stream string, msg *nats.Msg) (Acknowledgement, error) {
	sent := a.conn.Link().Now()
	waits := awaited{stream, make(chan Acknowledgement, 1)}
	a.mu.Lock()
	a.number++
	token := strconv.FormatUint(a.number, 10)
	a.waiting[token] = waits
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		delete(a.waiting, token)
		a.mu.Unlock()
	}()
	msg.Reply = a.inbox + token
	on := a.conn.NATS()
	if err := on.PublishMsg(msg); err != nil {
		return Acknowledgement{}, err
	}
	for lost := sent.Lost(); ; {
		change := sent.Violations()
		if sent.PublishRefused(msg.Subject) {
			return Acknowledgement{}, bridge.ErrRefused
		}
		select {
		case answer := <-waits.answer:
			return answer, nil
		case <-change:
		case <-lost: // an answer may arrive on the next link
			if lost = nil; a.conn.IsTooLarge(ctx, on, msg) {
				return Acknowledgement{}, nats.ErrMaxPayload
			}
		case <-ctx.Done():
			return Acknowledgement{}, ctx.Err()
		}
	}
}
