package e2e

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// questions are settings with a route that asks.
func questions(more settings) settings {
	return with(settings{"ROUTES": "ASK /ask/{model}=llm.{model}", "ANONYMOUS_PUBLISH": "chat.>,llm.>", "LIMIT_PUBLISH_RATE": "0"}, more)
}

// work makes a program on NATS answer questions.
func work(t *testing.T, url, subject string, answer func(*nats.Msg)) {
	t.Helper()
	worker := publisher(t, url)
	if _, err := worker.Subscribe(subject, answer); err != nil {
		t.Fatal(err)
	}
	noError(t, worker.Flush())
}

// replies returns a worker that replies with each of the answers.
func replies(answers ...string) func(*nats.Msg) {
	return func(m *nats.Msg) {
		for _, answer := range answers {
			_ = m.Respond([]byte(answer))
		}
	}
}

const asStream = "Accept: text/event-stream"

// runReader is a client that reads a run.
type runReader struct {
	*bridgetest.Stream
	t      *testing.T
	last   bridgetest.Event
	path   string // of the run
	gotten []string
}

// follow reads the answer to a request.
func follow(t *testing.T, response *http.Response) *runReader {
	t.Helper()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		t.Fatalf("%s %s: %s %s", response.Request.Method, response.Request.URL, response.Status, text)
	}
	return &runReader{Stream: bridgetest.NewStream(response.Body), t: t, path: response.Header.Get("Content-Location")}
}

// next returns the next event that is not about the connection, as "type data".
func (r *runReader) next() string {
	r.t.Helper()
	for {
		event, err := r.Next()
		if err != nil {
			r.t.Fatalf("after %q: %v", r.gotten, err)
		}
		r.last = event
		if event.Type == bridge.EventOpen || event.Type == bridge.EventSynced {
			continue
		}
		said := event.Type + " " + event.Data
		r.gotten = append(r.gotten, said)
		return said
	}
}

// rest reads to the clean end of the response, and returns all events but those about the connection.
func (r *runReader) rest() []string {
	r.t.Helper()
	for {
		event, err := r.Next()
		switch {
		case errors.Is(err, io.EOF) && !errors.Is(err, bridgetest.ErrBroken) && !errors.Is(err, io.ErrUnexpectedEOF):
			return r.gotten
		case err != nil:
			r.t.Fatalf("after %q: %v", r.gotten, err)
		}
		r.last = event
		if event.Type != bridge.EventOpen && event.Type != bridge.EventSynced {
			r.gotten = append(r.gotten, event.Type+" "+event.Data)
		}
	}
}
