package source

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

// acks takes the acknowledgements of streams for messages that were published: from one subscription, however many are on
// their way.
type acks struct {
	inbox string // of which each message gets a token of its own

	mu      sync.Mutex
	number  uint64
	waiting map[string]awaited
}

type awaited struct {
	stream string
	answer chan acknowledgement // holds one
}

// acknowledgement is what a stream says of a message.
type acknowledgement struct {
	jetstream.PubAck
	Error *jetstream.APIError `json:"error"`
	none  bool                // no stream takes the subject, nor does anybody else
}

// replyBytes returns how long a reply subject can be.
func (a *acks) replyBytes() int { return len(a.inbox) + len("18446744073709551615") }

// openAcks subscribes to the inbox.
func openAcks(conn *nats.Conn) (*acks, error) {
	a := &acks{inbox: conn.NewInbox() + ".", waiting: map[string]awaited{}}
	if _, err := conn.Subscribe(a.inbox+"*", a.take); err != nil {
		return a, fmt.Errorf("subscribe to acknowledgements: %w", err)
	}
	return a, nil
}

// take hands an answer to whoever waits for it. A message that is stored may also be answered by someone who just listens
// to its subject: only what a stream could have said counts.
func (a *acks) take(msg *nats.Msg) {
	var answer acknowledgement
	answer.none = len(msg.Data) == 0 && msg.Header.Get("Status") == "503"
	if !answer.none && json.Unmarshal(msg.Data, &answer) != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	waits, found := a.waiting[strings.TrimPrefix(msg.Subject, a.inbox)]
	if !found || !answer.none && (answer.Stream != waits.stream || answer.Error == nil && answer.Sequence == 0) {
		return
	}
	select {
	case waits.answer <- answer:
	default:
	}
}

// publish sends a message to a stream, and waits for what it says, or until NATS refuses the subject: then no stream ever
// hears of it.
func (a *acks) publish(ctx context.Context, conn *nats.Conn, refused *refusals, stream string, msg *nats.Msg) (acknowledgement, error) {
	before, change := refused.soFar()
	waits := awaited{stream, make(chan acknowledgement, 1)}
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
	if err := conn.PublishMsg(msg); err != nil {
		return acknowledgement{}, err
	}
	for {
		select {
		case answer := <-waits.answer:
			return answer, nil
		case <-change:
			if _, change = refused.soFar(); refused.publishedSince(before, msg.Subject) {
				return acknowledgement{}, bridge.ErrRefused
			}
		case <-ctx.Done():
			return acknowledgement{}, ctx.Err()
		}
	}
}
