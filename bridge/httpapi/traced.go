package httpapi

import (
	"context"
	"net/http"

	"github.com/tailwater/tailwater/bridge"
)

// traced serves a POST within a span, if requests are traced. The span continues the client's.
func (a *API) traced(w http.ResponseWriter, r *http.Request, t target, serve func(http.ResponseWriter, *http.Request, target) error) (err error) {
	if a.config.Tracer == nil {
		return serve(w, r, t)
	}
	ctx, span := a.config.Tracer.Begin(r.Context(), r.Method+" "+t.route.Pattern(), r.Header.Get(bridge.HeaderTraceparent))
	span.Set("http.request.method", r.Method)
	span.Set("http.route", t.route.Pattern())
	defer func() { // also if the answer breaks off, as event streams do
		if err == nil {
			span.End(nil)
			return
		}
		status := problemOf(err).Status
		span.Set("http.response.status_code", status)
		if status < http.StatusInternalServerError {
			span.End(nil) // the client's fault is no error of the server
			return
		}
		span.End(err)
	}()
	return serve(w, r.WithContext(ctx), t)
}

// toNATS begins the span of a message to NATS, and makes the message's headers name it: whoever receives the message continues there.
func (a *API) toNATS(ctx context.Context, name string, subject bridge.Subject, header map[string][]string, size int) (context.Context, bridge.Span) {
	ctx, span := bridge.BeginSpan(ctx, a.config.Tracer, name)
	if a.config.Tracer == nil {
		return ctx, span
	}
	span.Set("messaging.system", "nats")
	span.Set("messaging.destination.name", string(subject))
	span.Set("messaging.message.body.size", size)
	if parent := a.config.Tracer.Parent(ctx); parent != "" {
		header[bridge.HeaderTraceparent] = []string{parent}
	}
	return ctx, span
}
