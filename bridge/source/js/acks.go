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

// Acks takes the acknowledgements of streams for messages that were published: from one subscription, however many are on
// their way.
type Acks struct {
	conn  *Conn
	inbox string // of which each message gets a token of its own

	mu      sync.Mutex
	number  uint64
	waiting map[string]awaited
}

type awaited struct {
	stream string
	answer chan Acknowledgement // holds one
}

// Acknowledgement is what a stream says of a message.
type Acknowledgement struct {
	jetstream.PubAck
	Error *jetstream.APIError `json:"error"`
	None  bool                `json:"-"` // no stream takes the subject, nor does anybody else
}

// ReplyBytes returns how long a reply subject can be.
func (a *Acks) ReplyBytes() int { return len(a.inbox) + len("18446744073709551615") }

// OpenAcks subscribes to the inbox.
func OpenAcks(conn *Conn) (*Acks, error) {
	a := &Acks{conn: conn, inbox: conn.NewInbox() + ".", waiting: map[string]awaited{}}
	if _, err := conn.Subscribe(a.inbox+"*", a.take); err != nil {
		return a, fmt.Errorf("subscribe to acknowledgements: %w", err)
	}
	return a, nil
}

// take hands an answer to whoever waits for it. A message that is stored may also be answered by someone who just listens
// to its subject: only what a stream could have said counts.
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

// Publish sends a message to a stream, and waits for the answer, or until NATS refuses the subject: then no stream ever
// hears of it.
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
	if err := a.conn.PublishMsg(msg); err != nil {
		return Acknowledgement{}, err
	}
	for {
		change := sent.Violations()
		if sent.PublishRefused(msg.Subject) {
			return Acknowledgement{}, bridge.ErrRefused
		}
		select {
		case answer := <-waits.answer:
			return answer, nil
		case <-change:
		case <-ctx.Done():
			return Acknowledgement{}, ctx.Err()
		}
	}
}
