package source

import (
	"context"

	"github.com/tailwater/tailwater/bridge"
)

// Page is History.Page, traced: clients that are behind wait for it.
func (t *tap) Page(ctx context.Context, subjects []bridge.Subject, from, through uint64) (bridge.Page, error) {
	ctx, span := t.trace(ctx, "replay", from, through)
	page, err := t.History.Page(ctx, subjects, from, through)
	span.Set("messaging.batch.message_count", len(page.Messages))
	span.End(err)
	return page, err
}

// Newest is History.Newest, traced like Page.
func (t *tap) Newest(ctx context.Context, subjects []bridge.Subject, from, upTo uint64) (bridge.Page, error) {
	ctx, span := t.trace(ctx, "replay newest", from, upTo)
	page, err := t.History.Newest(ctx, subjects, from, upTo)
	span.Set("messaging.batch.message_count", len(page.Messages))
	span.End(err)
	return page, err
}

func (t *tap) trace(ctx context.Context, name string, from, through uint64) (context.Context, bridge.Span) {
	ctx, span := bridge.BeginSpan(ctx, t.source.tracer, name)
	span.Set("messaging.system", "nats")
	span.Set("tailwater.stream", t.name)
	span.Set("tailwater.from", from)
	span.Set("tailwater.through", through)
	return ctx, span
}
