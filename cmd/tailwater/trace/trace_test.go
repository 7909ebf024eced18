package trace_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tailwater/tailwater/cmd/tailwater/trace"
)

// opens tells this program, run by a test, to open a tracer and end.
const opens = "TRACE_TEST_OPENS"

func TestMain(m *testing.M) {
	if os.Getenv(opens) == "" {
		goleak.VerifyTestMain(m)
		return
	}
	tracer, err := trace.Open("test", slog.New(slog.DiscardHandler))
	if err != nil {
		panic(err)
	}
	tracer.Close()
}

// The library says nothing by itself: what it cannot read it would print as it is, secrets included.
func TestLibraryPrintsNothing(t *testing.T) {
	t.Parallel()
	command := exec.CommandContext(t.Context(), os.Args[0])
	command.Env = append(os.Environ(), opens+"=1", "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1",
		"OTEL_EXPORTER_OTLP_HEADERS=swordfish,authorization=swordfish%zz", "OTEL_EXPORTER_OTLP_TIMEOUT=swordfish", "OTEL_TRACES_SAMPLER=swordfish")
	if out, err := command.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v: it prints %q", err, out)
	}
}

// Headers that the library passes over are named, without their values.
func TestUnsentHeadersAreNamed(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "a=b%20c, , swordfish,authorization=swordfish%zz")
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "two words=swordfish,=swordfish,x-key==,")
	var got []string
	for _, line := range trace.Unsent() {
		at, rest, _ := strings.Cut(line, " is not sent")
		if got = append(got, at); strings.Contains(rest, "swordfish") {
			t.Errorf("a value is told: %s", line)
		}
	}
	want := []string{
		"OTEL_EXPORTER_OTLP_HEADERS: header 3", "OTEL_EXPORTER_OTLP_HEADERS: header 4",
		"OTEL_EXPORTER_OTLP_TRACES_HEADERS: header 1", "OTEL_EXPORTER_OTLP_TRACES_HEADERS: header 2",
	}
	if !slices.Equal(got, want) {
		t.Errorf("named are %q, want %q", got, want)
	}
}

// A collector that does not answer holds up nothing: after Close, no request is on its way.
func TestCloseEndsRequests(t *testing.T) {
	asked, ended := make(chan struct{}), make(chan struct{})
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // from then on the server notices the end
		close(asked)
		<-r.Context().Done()
		close(ended)
	}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
	tracer, err := trace.Open("test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	_, span := tracer.Begin(context.Background(), "publish", "")
	span.End(nil)
	<-asked
	tracer.Close()
	select {
	case <-ended:
	case <-time.After(5 * time.Second): // it would go on for eight
		t.Error("the request goes on")
	}
}
