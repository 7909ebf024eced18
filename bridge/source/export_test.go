package source

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// HoldDelivery stops the delivering goroutine until release is called, as a starved processor would.
func (s *Source) HoldDelivery() (release func()) {
	s.mu.Lock()
	return s.mu.Unlock
}

// HoldTake stops what empties nats.go's channel until release is called.
func (s *Source) HoldTake() (release func()) {
	s.intake.mu.Lock()
	return s.intake.mu.Unlock
}

// SetIntakeBudget sets how many bytes may wait for delivery.
func (s *Source) SetIntakeBudget(bytes int64) {
	s.intake.mu.Lock()
	defer s.intake.mu.Unlock()
	s.intake.budget = bytes
}

// Intake tells how many bytes wait for delivery, and how many messages were lost because they found no room.
func (s *Source) Intake() (held int64, lost int) {
	s.intake.mu.Lock()
	defer s.intake.mu.Unlock()
	for _, n := range s.intake.lost {
		lost += n
	}
	return s.intake.held.Load(), lost
}

// MessageCost is what a message takes beside its subject and payload.
const MessageCost = messageCost

// IncomingBuffer is how many messages nats.go's channel holds.
const IncomingBuffer = incomingBuffer

// CountFull tells how many subjects of a filter have as many messages in a stream as the limit.
func CountFull(ctx context.Context, dial Dialer, stream string, created time.Time, filter bridge.Subject, limit uint64) (uint64, error) {
	conn := js.New(js.Events{Failed: func(error) {}, Error: func(*nats.Subscription, error) {}})
	if err := conn.Dial(dial, "a test"); err != nil {
		return 0, err
	}
	defer conn.Close()
	h := &history{api: js.API{Conn: conn}, name: stream, created: created}
	c, err := h.count(ctx, filter, limit, jetstream.StreamState{})
	if err != nil {
		return 0, err
	}
	return c.fulls, nil
}

// Given reads what answers a direct get from a block of headers: whether it is a message, of which subject and sequence, or a word
// of the server.
func Given(header nats.Header, size int, stream string) (isMessage bool, subject string, seq uint64, isWord bool) {
	if isGiven(header, size, stream) {
		e, err := stripped(&nats.Msg{Header: header}, headerPending, headerLast)
		return err == nil, e.subject, e.seq, isWordOf(header, size)
	}
	return false, "", 0, isWordOf(header, size)
}

var isWordOf = isWord
