package history

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// consume reads messages by a consumer, which it deletes at the end. It passes on the messages that were stored when the consumer
// was made, until take returns false, and returns how many these were. Some may have been removed since. So whenever the server
// has nothing to send for a while, consume calls quiet, unless nil, and continues if it returns true.
func (h *History) consume(ctx context.Context, config nats.ConsumerConfig, take func(js.Entry) bool, quiet func() bool) (pending uint64, err error) {
	select {
	case h.consumers <- struct{}{}:
		defer func() { <-h.consumers }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	on := h.conn()
	pull := h.api.NewPull(on, h.name)
	incoming, over := make(chan *nats.Msg, pageMessages), make(chan struct{})
	defer close(over)
	if err := pull.Subscribe(func(msg *nats.Msg) {
		select {
		case incoming <- msg:
		case <-over:
		}
	}); err != nil {
		return 0, err
	}
	defer pull.Close()
	if pending, err = pull.Make(ctx, config, h.Decoder().Config.ConsumerLimits); err != nil {
		return 0, err
	}
	silence := time.NewTimer(js.LostAfter)
	defer silence.Stop()
	for taken, more := uint64(0), true; more && (taken < pending || quiet != nil); {
		select {
		case msg := <-incoming:
			silence.Reset(js.LostAfter)
			a, isIdle, err := pull.Take(msg)
			switch {
			case err != nil:
				return 0, err
			case isIdle && (quiet == nil || !quiet()):
				return taken, nil
			case a.StreamSeq > 0:
				taken++
				more = take(js.Received(msg, a.StreamSeq, a.Time))
			}
		case <-silence.C:
			if pull.MayCome(ctx) {
				silence.Reset(js.LostAfter)
				continue
			}
			h.answered(on, js.ErrSilent)
			return 0, pull.Silent()
		case <-ctx.Done():
			return 0, fmt.Errorf("wait for messages: %w", ctx.Err())
		}
	}
	return pending, nil
}
