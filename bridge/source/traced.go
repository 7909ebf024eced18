package source

import (
	"context"
	"sync/atomic"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/history"
)

// streamLog is a tap's stream for readers. It implements bridge.Log.
type streamLog struct {
	*history.History
	name   string
	tracer bridge.Tracer // nil for none
	last   atomic.Pointer[bridge.Position]
}

func (l *streamLog) Last() bridge.Position { return *l.last.Load() }

// Page is History.Page, traced: clients that are behind wait for it.
func (l *streamLog) Page(ctx context.Context, subjects []bridge.Subject, from, through uint64) (bridge.Page, error) {
	ctx, span := l.trace(ctx, "replay", from, through)
	page, err := l.History.Page(ctx, subjects, from, through)
	span.Set("messaging.batch.message_count", len(page.Messages))
	span.End(err)
	return page, err
}

// Newest is History.Newest, traced like Page.
func (l *streamLog) Newest(ctx context.Context, subjects []bridge.Subject, from, upTo uint64) (bridge.Page, error) {
	ctx, span := l.trace(ctx, "replay newest", from, upTo)
	page, err := l.History.Newest(ctx, subjects, from, upTo)
	span.Set("messaging.batch.message_count", len(page.Messages))
	span.End(err)
	return page, err
}

func (l *streamLog) trace(ctx context.Context, name string, from, through uint64) (context.Context, bridge.Span) {
	ctx, span := bridge.BeginSpan(ctx, l.tracer, name)
	span.Set("messaging.system", "nats")
	span.Set("tailwater.stream", l.name)
	span.Set("tailwater.from", from)
	span.Set("tailwater.through", through)
	return ctx, span
}
