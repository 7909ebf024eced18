package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
)

// Publish sends a message and waits until its stream has stored it, or, where no stream holds the subject, until the
// server has taken it. ctx must have a deadline. header may be nil; its names are sent as they are spelled. The error wraps
// bridge.ErrTooLarge, bridge.ErrFull, bridge.ErrSubjectFull, bridge.ErrSealed, bridge.ErrUnfit, bridge.ErrKeyUsed,
// bridge.ErrRefused or bridge.ErrUnavailable, and with it bridge.ErrBroken. After the last two the message may still have arrived: the connection can break between the
// two. Sent again with the same Nats-Msg-Id, it is stored once.
func (s *Source) Publish(ctx context.Context, subject bridge.Subject, header map[string][]string, data []byte) (bridge.Receipt, error) {
	receipt, err := s.publish(ctx, subject, &nats.Msg{Subject: string(subject), Header: header, Data: data})
	if errors.Is(err, nats.ErrMaxPayload) {
		err = fmt.Errorf("%w: this NATS server takes at most %d bytes, headers included", bridge.ErrTooLarge, s.conn.MaxPayload())
	}
	if err != nil {
		return bridge.Receipt{}, fmt.Errorf("publish to %s: %w", subject, err)
	}
	return receipt, nil
}

func (s *Source) publish(ctx context.Context, subject bridge.Subject, msg *nats.Msg) (bridge.Receipt, error) {
	if err := ctx.Err(); err != nil { // nobody waits for it any more
		return bridge.Receipt{}, fmt.Errorf("%w: %w", bridge.ErrUnavailable, err)
	}
	connection := s.dials.Load()
	if !s.up.Load() {
		return bridge.Receipt{}, bridge.ErrUnavailable
	}
	holding, err := s.table.holding(ctx, subject)
	if err != nil {
		return bridge.Receipt{}, fmt.Errorf("%w: %w", bridge.ErrUnavailable, err)
	}
	if holding != nil {
		return s.store(ctx, holding, msg)
	}
	before, _ := s.refused.soFar()
	err = s.conn.PublishMsg(msg)
	if err == nil {
		err = s.flush(ctx, connection)
	}
	switch {
	case errors.Is(err, nats.ErrMaxPayload):
		return bridge.Receipt{}, err
	case err != nil:
		return bridge.Receipt{}, fmt.Errorf("%w: %w", bridge.ErrUnavailable, err)
	case s.refused.publishedSince(before, msg.Subject):
		return bridge.Receipt{}, bridge.ErrRefused
	}
	return bridge.Receipt{}, nil
}

// maxControlLine is how long a line can be by which a message is published: subject, reply subject and two sizes. A server
// closes the connection that sends a longer one, and with it all that is read here.
const maxControlLine, sizesInLine = 4096, 32

// store publishes to a stream.
func (s *Source) store(ctx context.Context, holding *stream, msg *nats.Msg) (bridge.Receipt, error) {
	if len(msg.Subject)+s.acks.replyBytes()+sizesInLine > maxControlLine {
		return bridge.Receipt{}, fmt.Errorf("%w: the subject is so long that NATS cannot acknowledge a message on it", bridge.ErrTooLarge)
	}
	name := holding.name()
	if s.isBroken() {
		return bridge.Receipt{}, errBroken(name)
	}
	answered := s.silence.ask(name)
	ack, err := s.acks.publish(ctx, s.conn, s.refused, name, msg)
	answered(err)
	switch {
	case errors.Is(err, nats.ErrMaxPayload):
		return bridge.Receipt{}, err
	case errors.Is(err, bridge.ErrRefused):
		return bridge.Receipt{}, err
	case err != nil && s.isBroken(): // since the message was sent
		return bridge.Receipt{}, errBroken(name)
	case err != nil:
		return bridge.Receipt{}, fmt.Errorf("%w: no acknowledgement from the stream %s: %w", bridge.ErrUnavailable, name, err)
	case ack.none:
		s.table.refresh()
		return bridge.Receipt{}, fmt.Errorf("%w: the stream %s is gone", bridge.ErrUnavailable, name)
	case ack.Error != nil:
		return bridge.Receipt{}, rejected(name, ack.Error)
	case ack.Duplicate:
		if err := s.checkDuplicate(ctx, holding, ack.Sequence, msg); err != nil {
			return bridge.Receipt{}, err
		}
	}
	receipt := bridge.Receipt{Stream: name, Position: bridge.Position{Seq: ack.Sequence}, Duplicate: ack.Duplicate}
	if s.table.reads(holding) {
		receipt.Position.Epoch = holding.epoch
	}
	return receipt, nil
}

func errBroken(stream string) error {
	return fmt.Errorf("%w: the stream %s", bridge.ErrBroken, stream)
}

// checkDuplicate makes sure that what a stream takes a message for is that message. It looks at the Nats-Msg-Id alone: the
// same one on another subject, or of another caller, would be answered as stored, and be lost. In a stream that transforms subjects, the
// stored one tells nothing.
func (s *Source) checkDuplicate(ctx context.Context, of *stream, seq uint64, msg *nats.Msg) error {
	stream, isMoved := of.name(), of.info.Config.SubjectTransform != nil
	first, err := s.api.stored(ctx, stream, msgGet{Seq: seq})
	switch {
	case err != nil:
		return fmt.Errorf("%w: look at what the stream %s takes for the same message: %w", bridge.ErrUnavailable, stream, err)
	case first.Seq == 0: // it is gone by now, and nothing tells that it was another
		return nil
	case first.Subject != msg.Subject && !isMoved || !bytes.Equal(first.Data, msg.Data):
		return fmt.Errorf("%w: the stream %s has it", bridge.ErrKeyUsed, stream)
	}
	return nil
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
