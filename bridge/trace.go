package bridge

import "context"

// Tracer measures single requests, for those who follow one through several programs. Its methods do not block.
type Tracer interface {
	// Begin begins a span within that of ctx; or if parent is a valid W3C traceparent, within that one.
	Begin(ctx context.Context, name, parent string) (context.Context, Span)
	// Parent returns the traceparent with which others continue the span of ctx; "" if there is none.
	Parent(ctx context.Context) string
}

// Span is one measured step. Set is called before End, and End once.
type Span interface {
	Set(key string, value any) // a string, int or uint64
	End(err error)             // nil for success
}

// HeaderTraceparent is the header of requests and messages that names a span (W3C Trace Context).
const HeaderTraceparent = "traceparent"

// BeginSpan begins a span within that of ctx. Without a tracer the span is not measured.
func BeginSpan(ctx context.Context, tracer Tracer, name string) (context.Context, Span) {
	if tracer == nil {
		return ctx, noSpan{}
	}
	return tracer.Begin(ctx, name, "")
}

type noSpan struct{}

func (noSpan) Set(string, any) {}
func (noSpan) End(error)       {}
