package source

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
)

// Ask sends a question, whose answers go to the reply subject, and waits until the server has it. ctx must have a deadline. The error wraps
// bridge.ErrNoResponders, bridge.ErrTooLarge, bridge.ErrRefused or bridge.ErrUnavailable. After the last one the question may still have
// arrived.
func (s *Source) Ask(ctx context.Context, subject, reply bridge.Subject, header map[string][]string, data []byte) error {
	err := s.ask(ctx, &nats.Msg{Subject: string(subject), Reply: string(reply), Header: header, Data: data})
	if err != nil {
		return fmt.Errorf("ask %s: %w", subject, err)
	}
	return nil
}

// ask uses the connection on which streams are read: NATS says on one subscription of a connection that nobody listens, and feeds may have
// another one on the same subject of the other connection.
func (s *Source) ask(ctx context.Context, question *nats.Msg) error {
	conn := s.reads
	if !conn.Link().IsUp() {
		conn = s.conn
	}
	link := conn.Link()
	if !link.IsUp() {
		return bridge.ErrUnavailable
	}
	sub, err := conn.SubscribeFirst(question.Reply)
	if err != nil {
		return fmt.Errorf("%w: %w", bridge.ErrUnavailable, err)
	}
	defer func() { _ = sub.Unsubscribe() }() // on a connection that is closed it has ended already
	answered := link.Ask("")
	err = send(ctx, conn, link, question)
	if conn == s.reads {
		answered(err) // it may stand still by itself
	}
	if err != nil {
		return err
	}
	// The server says that nobody listens before it answers the ping of a flush.
	if _, err := sub.NextMsg(noWait); errors.Is(err, nats.ErrNoResponders) {
		return bridge.ErrNoResponders
	}
	return nil
}

// noWait is how long to wait for a message that is there.
const noWait = 1
