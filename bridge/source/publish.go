package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/catalog"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// Publish sends a message and waits until its stream has stored it. If no stream holds the subject, Publish waits until the
// server has received the message. ctx must have a deadline. header may be nil; its names are sent as spelled. The error wraps
// bridge.ErrTooLarge, bridge.ErrFull, bridge.ErrSubjectFull, bridge.ErrSealed, bridge.ErrUnfit, bridge.ErrKeyUsed,
// bridge.ErrRefused or bridge.ErrUnavailable, and with it bridge.ErrBroken. After the last two the message may still have been
// stored, because the connection can break before the acknowledgement. A message sent again with the same Nats-Msg-Id is stored
// once.
func (s *Source) Publish(ctx context.Context, subject bridge.Subject, header map[string][]string, data []byte) (bridge.Receipt, error) {
	receipt, err := s.publish(ctx, subject, &nats.Msg{Subject: string(subject), Header: header, Data: data})
	if err != nil {
		return bridge.Receipt{}, fmt.Errorf("publish to %s: %w", subject, err)
	}
	return receipt, nil
}

// IsConnected reports whether there is a connection to NATS.
func (s *Source) IsConnected() bool { return s.conn.Link().IsUp() }

func (s *Source) publish(ctx context.Context, subject bridge.Subject, msg *nats.Msg) (bridge.Receipt, error) {
	if err := ctx.Err(); err != nil { // the caller has given up
		return bridge.Receipt{}, fmt.Errorf("%w: %w", bridge.ErrUnavailable, err)
	}
	link := s.conn.Link()
	if !link.IsUp() {
		return bridge.Receipt{}, bridge.ErrUnavailable
	}
	known, giveUp := context.WithCancel(ctx)
	defer giveUp()
	defer link.AfterLoss(giveUp)() // nothing was sent; without NATS a publish fails at once
	holding, err := s.table.Holding(known, subject)
	if err != nil {
		return bridge.Receipt{}, fmt.Errorf("%w: %w", bridge.ErrUnavailable, err)
	}
	if holding != nil {
		return s.store(ctx, holding, msg)
	}
	return bridge.Receipt{}, send(ctx, s.conn, link, msg)
}

// maxControlLine is the longest line by which a message is published: subject, reply subject and two sizes. A server closes the
// connection that sends a longer one, with everything that is read on it.
const maxControlLine, sizesInLine = 4096, 32

// store publishes to a stream.
func (s *Source) store(ctx context.Context, holding *catalog.Stream, msg *nats.Msg) (bridge.Receipt, error) {
	if len(msg.Subject)+s.acks.ReplyBytes()+sizesInLine > maxControlLine {
		return bridge.Receipt{}, fmt.Errorf("%w: the subject is so long that NATS cannot acknowledge a message on it", bridge.ErrTooLarge)
	}
	name := holding.Name()
	if s.isBroken() {
		return bridge.Receipt{}, errBroken(name)
	}
	answered := s.conn.Link().Ask(name)
	ack, err := s.acks.Publish(ctx, name, msg)
	answered(err)
	switch {
	case errors.Is(err, nats.ErrMaxPayload):
		return bridge.Receipt{}, errTooLarge(s.conn)
	case errors.Is(err, bridge.ErrRefused):
		return bridge.Receipt{}, err
	case err != nil && s.isBroken(): // since the message was sent
		return bridge.Receipt{}, errBroken(name)
	case err != nil:
		return bridge.Receipt{}, fmt.Errorf("%w: no acknowledgement from the stream %s: %w", bridge.ErrUnavailable, name, err)
	case ack.None:
		s.table.Doubt(name)
		return bridge.Receipt{}, fmt.Errorf("%w: the stream %s is gone", bridge.ErrUnavailable, name)
	case ack.Error != nil:
		return bridge.Receipt{}, rejected(name, ack.Error)
	case ack.Duplicate:
		if err := s.checkDuplicate(ctx, holding, ack.Sequence, msg); err != nil {
			return bridge.Receipt{}, err
		}
	}
	receipt := bridge.Receipt{Stream: name, Position: bridge.Position{Seq: ack.Sequence}, Duplicate: ack.Duplicate}
	if s.table.IsRead(holding) {
		receipt.Position.Epoch = holding.Epoch
	}
	return receipt, nil
}

func errBroken(stream string) error {
	return fmt.Errorf("%w: the stream %s", bridge.ErrBroken, stream)
}

// checkDuplicate checks that a duplicate, to the stream, is the same message. The stream compares the Nats-Msg-Id alone: with the
// same id, another message on another subject, or of another caller, would be answered as stored, and be lost. In a stream that
// transforms subjects, the stored subject proves nothing.
func (s *Source) checkDuplicate(ctx context.Context, of *catalog.Stream, seq uint64, msg *nats.Msg) error {
	stream, isMoved := of.Name(), of.Info.Config.SubjectTransform != nil
	first, err := s.api.Stored(ctx, stream, js.MsgGet{Seq: seq})
	switch {
	case err != nil:
		return fmt.Errorf("%w: read the message that the stream %s has under this key: %w", bridge.ErrUnavailable, stream, err)
	case first.Seq == 0: // already removed; nothing shows that it was another
		return nil
	case first.Subject != msg.Subject && !isMoved || !bytes.Equal(first.Data, msg.Data):
		return fmt.Errorf("%w: the stream %s has it", bridge.ErrKeyUsed, stream)
	}
	return nil
}

func errTooLarge(conn *js.Conn) error {
	return fmt.Errorf("%w: this NATS server accepts at most %d bytes, headers included", bridge.ErrTooLarge, conn.NATS().MaxPayload())
}

// send sends a message on a link, and waits until the server has received it.
func send(ctx context.Context, conn *js.Conn, link *js.Link, msg *nats.Msg) error {
	sent, on := link.Now(), conn.NATS()
	err := on.PublishMsg(msg)
	if err == nil {
		err = flush(ctx, conn, link)
	}
	switch {
	case errors.Is(err, nats.ErrMaxPayload), err != nil && conn.IsTooLarge(ctx, on, msg):
		return errTooLarge(conn)
	case err != nil:
		return fmt.Errorf("%w: %w", bridge.ErrUnavailable, err)
	case sent.PublishRefused(msg.Subject):
		return bridge.ErrRefused
	}
	return nil
}

// flush waits until the server has received everything sent on the link. An answer on a later link proves nothing: unsent data of
// the earlier one is lost.
func flush(ctx context.Context, conn *js.Conn, link *js.Link) error {
	if !link.IsUp() {
		return nats.ErrDisconnected
	}
	if err := conn.NATS().FlushWithContext(ctx); err != nil {
		return err
	}
	if !conn.Noted(ctx) || conn.Link() != link {
		return nats.ErrDisconnected
	}
	return nil
}
