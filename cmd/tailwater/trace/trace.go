// Package trace sends the bridge's spans to an OpenTelemetry collector, by the standard environment variables: OTEL_EXPORTER_OTLP_ENDPOINT
// and the others of the OTLP exporter (over HTTP), OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER, OTEL_BSP_…
package trace

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/time/rate"

	"github.com/tailwater/tailwater/bridge"
)

// Tracer is a bridge.Tracer whose spans are sent in the background. If the collector does not keep up, spans are dropped.
type Tracer struct {
	provider *sdk.TracerProvider
	exporter sdk.SpanExporter
	tracer   trace.Tracer
}

// The variables that name the collector, for traces alone or for everything.
var endpoints = []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"}

// Destination returns the variable that names the collector; "" if the environment asks for no traces. An error means that the environment
// cannot be used.
func Destination() (variable string, err error) {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return "", nil
	}
	for _, name := range endpoints {
		if os.Getenv(name) != "" {
			return name, check()
		}
	}
	return "", nil
}

// check refuses what the library would pass over, and send traces elsewhere, or nowhere.
func check() error {
	for _, name := range endpoints {
		if at := os.Getenv(name); at != "" {
			if parsed, err := url.Parse(at); err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" {
				return fmt.Errorf("%s is not a URL such as http://127.0.0.1:4318", name)
			}
		}
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if protocol := os.Getenv(name); protocol != "" && protocol != "http/protobuf" {
			return fmt.Errorf("%s is %s; Tailwater sends traces by http/protobuf, on port 4318 of most collectors", name, protocol)
		}
	}
	return nil
}

// headerVariables name headers for the collector, such as an authorization.
var headerVariables = []string{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"}

// headerName is what the library accepts as the name of a header.
var headerName = regexp.MustCompile("^[-!#$%&'*+.^_`|~0-9A-Za-z]+$")

// Unsent returns a line for each header of the environment that the library passes over, because it cannot read it. The lines contain no value.
func Unsent() (lines []string) {
	for _, variable := range headerVariables {
		for i, pair := range strings.Split(os.Getenv(variable), ",") {
			if strings.TrimSpace(pair) == "" {
				continue
			}
			name, value, isPair := strings.Cut(pair, "=")
			_, err := url.PathUnescape(value)
			if !isPair || !headerName.MatchString(strings.TrimSpace(name)) || err != nil {
				lines = append(lines, fmt.Sprintf("%s: header %d is not sent; write name=value, with percent signs and commas of the value as %%25 and %%2C", variable, i+1))
			}
		}
	}
	return lines
}

// Open returns a tracer, or nil if the environment names no collector. The collector need not answer. An error means that the environment cannot
// be used.
func Open(version string, log *slog.Logger) (*Tracer, error) {
	to, err := Destination()
	if to == "" || err != nil {
		return nil, err
	}
	otel.SetLogger(logr.Discard()) // it would log headers that it cannot read, secrets included
	failures := rate.Sometimes{First: 1, Interval: time.Minute}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		failures.Do(func() { log.Warn("cannot send traces", "error", err) })
	}))
	ctx := context.Background()
	exporter, err := otlptracehttp.New(ctx) // connects later
	if err != nil {
		return nil, fmt.Errorf("set up traces: %w", err)
	}
	// The environment comes last, and so wins.
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithHost(),
		resource.WithAttributes(attribute.String("service.name", "tailwater"), attribute.String("service.version", version)), resource.WithFromEnv())
	if err != nil {
		log.Warn("a part of what describes this bridge in traces is missing", "error", err)
	}
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(about))
	log.Info("sending traces", "variable", to)
	for _, line := range Unsent() {
		log.Warn(line)
	}
	return &Tracer{provider: provider, exporter: exporter, tracer: provider.Tracer("github.com/tailwater/tailwater")}, nil
}

// closePatience is how long the collector may take to receive the last spans.
const closePatience = 2 * time.Second

// Close sends what is left. t may be nil.
func (t *Tracer) Close() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closePatience)
	defer cancel()
	_ = t.provider.Shutdown(ctx)                  // the error handler has logged what could not be sent
	_ = t.exporter.Shutdown(context.Background()) // ends a request that is on its way
}

// Begin implements bridge.Tracer.
func (t *Tracer) Begin(ctx context.Context, name, parent string) (context.Context, bridge.Span) {
	if parent != "" {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{bridge.HeaderTraceparent: parent})
	}
	ctx, begun := t.tracer.Start(ctx, name, trace.WithSpanKind(kindOf(name)))
	return ctx, span{begun}
}

func kindOf(name string) trace.SpanKind {
	switch {
	case strings.HasPrefix(name, "POST "):
		return trace.SpanKindServer
	case name == "publish", name == "ask":
		return trace.SpanKindProducer
	}
	return trace.SpanKindClient // of a stream
}

// Parent implements bridge.Tracer.
func (t *Tracer) Parent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier[bridge.HeaderTraceparent]
}

type span struct{ trace.Span }

// Set implements bridge.Span.
func (s span) Set(key string, value any) {
	switch value := value.(type) {
	case string:
		s.SetAttributes(attribute.String(key, value))
	case int:
		s.SetAttributes(attribute.Int(key, value))
	case uint64:
		s.SetAttributes(attribute.Int64(key, int64(value))) // sequences stay far below the limit
	}
}

// End implements bridge.Span.
func (s span) End(err error) {
	if err != nil {
		s.SetStatus(codes.Error, err.Error())
	}
	s.Span.End()
}
