package source

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
)

// Publish sends a message and waits until the server has taken it. ctx must have a deadline. header may be nil; its names
// are sent as they are spelled. The error wraps bridge.ErrTooLarge, bridge.ErrRefused or bridge.ErrUnavailable. After the
// last the message may still have arrived: the connection can break between the two.
func (s *Source) Publish(ctx context.Context, subject bridge.Subject, header map[string][]string, data []byte) error {
	connection := s.dials.Load()
	if !s.up.Load() {
		return fmt.Errorf("publish to %s: %w", subject, bridge.ErrUnavailable)
	}
	err := s.conn.PublishMsg(&nats.Msg{Subject: string(subject), Header: header, Data: data})
	if err == nil {
		err = s.flush(ctx, connection)
	}
	switch {
	case err == nil && s.refused.published(subject, connection):
		return fmt.Errorf("publish to %s: %w", subject, bridge.ErrRefused)
	case err == nil:
		return nil
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("publish to %s: %w: this NATS server takes at most %d bytes, headers included", subject, bridge.ErrTooLarge, s.conn.MaxPayload())
	default:
		return fmt.Errorf("publish to %s: %w: %w", subject, bridge.ErrUnavailable, err)
	}
}

// flush waits until the server has what was sent on a connection. The answer of a later one proves nothing: what the
// first had not yet sent is lost.
func (s *Source) flush(ctx context.Context, connection uint64) error {
	if !s.up.Load() {
		return nats.ErrDisconnected
	}
	if err := s.conn.FlushWithContext(ctx); err != nil {
		return err
	}
	if !s.refused.noted(ctx, s.conn) || s.dials.Load() != connection {
		return nats.ErrDisconnected
	}
	return nil
}
