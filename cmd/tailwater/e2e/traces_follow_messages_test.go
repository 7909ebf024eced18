package e2e

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/tailwater/tailwater/cmd/tailwater/node"
)

// traceCollector receives spans as an OpenTelemetry collector does.
type traceCollector struct {
	url string

	mu    sync.Mutex
	spans []*otlp.Span
	about []string // of the programs that have sent them
}

func startTraceCollector(t *testing.T) *traceCollector {
	c := &traceCollector{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var sent collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &sent)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, resource := range sent.ResourceSpans {
			c.about = append(c.about, resource.Resource.String())
			for _, scope := range resource.ScopeSpans {
				c.spans = append(c.spans, scope.Spans...)
			}
		}
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

// await waits for a span of that name within a trace, or within any if it is empty.
func (c *traceCollector) await(t *testing.T, name, trace string) (found *otlp.Span) {
	t.Helper()
	eventually(t, "the span "+name+" has come", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, span := range c.spans {
			if span.Name == name && (trace == "" || hex.EncodeToString(span.TraceId) == trace) {
				found = span
			}
		}
		return found != nil
	})
	return found
}

func attributesOf(span *otlp.Span) map[string]string {
	all := map[string]string{}
	for _, attribute := range span.Attributes {
		all[attribute.Key] = attribute.Value.GetStringValue()
	}
	return all
}

const (
	clientTrace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	clientSpan   = "00f067aa0ba902b7"
	clientParent = "00-" + clientTrace + "-" + clientSpan + "-01"
)

// postTraced posts within the client's trace.
func postTraced(t *testing.T, url, body string) int {
	t.Helper()
	code, _ := status(t, http.MethodPost, url, body, "Traceparent: "+clientParent)
	return code
}

// spanIn returns the span that a traceparent names within the client's trace.
func spanIn(t *testing.T, parent string) string {
	t.Helper()
	match := regexp.MustCompile(`^00-` + clientTrace + `-([0-9a-f]{16})-01$`).FindStringSubmatch(parent)
	if match == nil {
		t.Fatalf("traceparent: %s", parent)
	}
	return match[1]
}

// A client's trace goes on through the bridge to whoever receives the message: a NATS client, a worker, a reader of format=json. Replays are
// traced too.
func TestTracesFollowMessages(t *testing.T) {
	to := startTraceCollector(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", to.url)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
	n := startNode(t, settings{"ROUTES": "ASK /ask/{model}=chat.{model}", "DEMO_TIME": "false"})
	conn := publisher(t, n.NATSURL())
	received := make(chan string, 1)
	if _, err := conn.Subscribe("chat.room1", func(m *nats.Msg) { received <- m.Header.Get("traceparent") }); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Subscribe("chat.worker", func(m *nats.Msg) {
		received <- m.Header.Get("traceparent")
		_ = m.Respond([]byte("42"))
		_ = m.Respond(nil)
	}); err != nil {
		t.Fatal(err)
	}
	noError(t, conn.Flush())
	reader, _ := subscribe(t, n.URL()+"/events/chat.room1?format=json", "")

	if status := postTraced(t, n.URL()+"/events/chat.room1", "hello"); status != http.StatusCreated {
		t.Fatal(status)
	}
	publish, serve := to.await(t, "publish", clientTrace), to.await(t, "POST /events/{subject...}", clientTrace)
	if hex.EncodeToString(serve.ParentSpanId) != clientSpan || hex.EncodeToString(publish.ParentSpanId) != hex.EncodeToString(serve.SpanId) {
		t.Errorf("the spans are not within each other: %v, %v", serve, publish)
	}
	parent := <-received
	if spanIn(t, parent) != hex.EncodeToString(publish.SpanId) {
		t.Errorf("NATS got %s, the span is %x", parent, publish.SpanId)
	}
	var shown struct{ Headers map[string][]string }
	if err := json.Unmarshal([]byte(reader.next().Data), &shown); err != nil || strings.Join(shown.Headers["traceparent"], " ") != parent {
		t.Errorf("format=json shows %v, %v", shown, err)
	}
	if about := attributesOf(publish); about["messaging.destination.name"] != "chat.room1" || about["tailwater.stream"] != "TAILWATER" {
		t.Errorf("the message is described as %v", about)
	}

	postTraced(t, n.URL()+"/ask/worker", "6*7")
	ask := to.await(t, "ask", clientTrace)
	if asked := to.await(t, "POST /ask/{model}", clientTrace); hex.EncodeToString(ask.ParentSpanId) != hex.EncodeToString(asked.SpanId) {
		t.Errorf("the question is not within its request: %v, %v", asked, ask)
	}
	if parent := <-received; spanIn(t, parent) != hex.EncodeToString(ask.SpanId) {
		t.Errorf("the worker got %s, the span is %x", parent, ask.SpanId)
	}

	subscribe(t, n.URL()+"/events/chat.room1?since=all", "")
	if replay := attributesOf(to.await(t, "replay", "")); replay["tailwater.stream"] != "TAILWATER" {
		t.Errorf("the replay is described as %v", replay)
	}
	if status := postTraced(t, n.URL()+"/events/secret", ""); status != http.StatusForbidden {
		t.Error(status)
	}
	to.mu.Lock()
	defer to.mu.Unlock()
	if about := to.about[0]; !strings.Contains(about, `"tailwater"`) || !strings.Contains(about, "deployment.environment.name") {
		t.Errorf("the bridge is described as %s", about)
	}
}

// Without a collector, the client's traceparent goes to NATS as it is.
func TestTraceparentIsPassedOn(t *testing.T) {
	t.Parallel()
	n := startNode(t, nil)
	reader, _ := subscribe(t, n.URL()+"/events/chat.room1?format=json", "")
	postTraced(t, n.URL()+"/events/chat.room1", "hello")
	if event := reader.next(); !strings.Contains(event.Data, `"traceparent":["`+clientParent+`"]`) {
		t.Error(event.Data)
	}
}

// The variables of OpenTelemetry may be in the file of --env-file. The environment wins, and check says what serve does.
func TestTracesAreReadFromTheEnvFile(t *testing.T) {
	t.Parallel()
	to := startTraceCollector(t)
	file := writeFile(t, t.TempDir(), "tailwater.env", "OTEL_EXPORTER_OTLP_ENDPOINT="+to.url+"\nOTEL_BSP_SCHEDULE_DELAY=20\nOTEL_RESOURCE_ATTRIBUTES=from=file\nOTEL_EXPORTER_OTLP_HEADERS=a=b,bearer\n")
	p := startCommand(t, func(path string) *exec.Cmd { return exec.Command(path, "--env-file="+file) }, "OTEL_RESOURCE_ATTRIBUTES=from=environment")
	if status := postTraced(t, p.http+"/events/chat.room1", "hello"); status != http.StatusCreated {
		t.Fatal(status)
	}
	to.await(t, "publish", clientTrace)
	to.mu.Lock()
	if about := to.about[0]; !strings.Contains(about, "environment") || strings.Contains(about, "file") {
		t.Errorf("the bridge is described as %s", about)
	}
	to.mu.Unlock()

	if code, out, stderr := call(t, nil, "check", "--env-file="+file); code != 0 || !strings.Contains(out, "collector of OTEL_EXPORTER_OTLP_ENDPOINT") ||
		!strings.Contains(out, "! OTEL_EXPORTER_OTLP_HEADERS: header 2 is not sent") {
		t.Errorf("check: exit code %d: %s%s", code, out, stderr)
	}
	nowhere := writeFile(t, t.TempDir(), "tailwater.env", "OTEL_EXPORTER_OTLP_ENDPOINT=collector:4318\n")
	for _, command := range []string{"check", "serve"} {
		if code, _, stderr := call(t, nil, command, "--env-file="+nowhere); code != exitUsage || !strings.Contains(stderr, "OTEL_EXPORTER_OTLP_ENDPOINT is not a URL") {
			t.Errorf("%s: exit code %d: %s", command, code, stderr)
		}
	}
}

// An environment that would send traces nowhere is refused.
func TestTracesAreRefusedWhereTheyCannotBeSent(t *testing.T) {
	for _, variables := range []map[string]string{
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "::"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
	} {
		t.Run("", func(t *testing.T) {
			for name, value := range variables {
				t.Setenv(name, value)
			}
			opened, err := openNode(t, nil)
			if !errors.As(err, new(node.SettingsError)) || !strings.Contains(err.Error(), "OTEL_EXPORTER_OTLP_") {
				t.Errorf("%v, %v", opened, err)
			}
		})
	}
}
