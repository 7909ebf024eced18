package history

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// CountFull returns how many subjects of a filter have as many messages in a stream as the limit.
func CountFull(ctx context.Context, dial js.Dialer, stream string, created time.Time, filter bridge.Subject, limit uint64) (uint64, error) {
	conn := js.New(js.Events{Failed: func(error) {}, Missed: func(*js.Conn) {}, Error: func(c *js.Conn, _ *nats.Subscription, err error) { c.Note(err) }})
	if err := conn.Dial(dial, "a test"); err != nil {
		return 0, err
	}
	defer conn.Close()
	h := &History{api: js.API{Conn: conn}, name: stream, created: created}
	c, err := h.count(ctx, filter, limit, jetstream.StreamState{})
	if err != nil {
		return 0, err
	}
	return c.fulls, nil
}
