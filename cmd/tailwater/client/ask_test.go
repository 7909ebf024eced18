package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tailwater/tailwater/cmd/tailwater/client"
)

// kept is an answer that also says where the run is kept.
func kept(path string, answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Location", path)
		answer(w, r)
	}
}

// ask asks, and returns the messages of the answer.
func ask(ctx context.Context, c *client.Client) (got []string, err error) {
	err = c.Ask(ctx, c.At(map[string][]string{"format": {"raw"}}, "/ask/echo"), client.Message{Body: []byte("why"), Key: "k1"}, func(event client.Event) error {
		if event.Type == "" {
			got = append(got, event.Data)
		}
		return nil
	})
	return got, err
}

// requests returns the method, path, position and key of each request.
func (s *script) requests() (lines []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, r := range s.asked {
		lines = append(lines, fmt.Sprintf("%s %s %s %s %s", r.Method, r.URL, r.Header.Get("Last-Event-ID"), r.Header.Get("Idempotency-Key"), s.sent[i]))
	}
	return lines
}

// A question is repeated with its key until there is an answer. The rest of the answer is read where it is kept: the question is not asked
// again by a bridge that knows nothing of it.
func TestAskContinues(t *testing.T) {
	t.Parallel()
	s := answer(t,
		status(502, nil, ""),
		kept("/answers/r1", events(opening+"data: one\nid: e-2\n\ndata: cut\n")),
		status(502, nil, ""),
		events(opening+"data: two\nid: e-3\n\nevent: tailwater:end\ndata: {}\nid: e-4\n\ndata: late\nid: e-5\n\n"))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	got, err := ask(ctx, at(t, s, client.Config{}))
	if want := []string{"one", "two"}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %q and %v, want %q", got, err, want)
	}
	want := []string{
		"POST /ask/echo?format=raw  k1 why", "POST /ask/echo?format=raw  k1 why",
		"GET /answers/r1?format=raw e-2  ", "GET /answers/r1?format=raw e-2  ",
	}
	if got := s.requests(); !reflect.DeepEqual(got, want) {
		t.Errorf("it sent %q, want %q", got, want)
	}
}

// An answer that fails, or that nobody gives, is an error at once.
func TestAskFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		says   string
	}{
		"an error":      {kept("/answers/r1", events(opening+"event: tailwater:error\ndata: {\"code\":\"404\",\"description\":\"no model\"}\n\n")), "the answer has failed: no model (404)"},
		"no responders": {status(503, nil, `{"type":"https://example.com/#no-responders","detail":"nobody listens"}`), "nobody listens"},
		"gone":          {status(404, nil, `{"type":"https://example.com/#not-found","detail":"no such run"}`), "no such run"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := answer(t, test.answer)
			if _, err := ask(t.Context(), at(t, s, client.Config{})); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %s", err, test.says)
			}
			if n := len(s.requests()); n != 1 {
				t.Errorf("it asked %d times", n)
			}
		})
	}
}

// An asker that leaves stops the answer, also if a proxy serves the bridge below a path of which the bridge knows nothing.
func TestAskStops(t *testing.T) {
	t.Parallel()
	s := answer(t, kept("/answers/r1", silent(opening+"data: one\nid: e-2\n\n")), status(202, nil, ""))
	ctx, cancel := context.WithCancelCause(t.Context())
	below, err := url.Parse(s.URL + "/below")
	if err != nil {
		t.Fatal(err)
	}
	c := client.New(client.Config{URL: below})
	defer c.Close()
	left := errors.New("left")
	err = c.Ask(ctx, c.At(nil, "/ask/echo"), client.Message{Key: "k1"}, func(event client.Event) error {
		if event.Type == "" {
			cancel(left)
		}
		return nil
	})
	if !errors.Is(err, left) {
		t.Errorf("got %v", err)
	}
	if got, want := s.requests(), []string{"POST /below/ask/echo  k1 ", "DELETE /below/answers/r1   "}; !reflect.DeepEqual(got, want) {
		t.Errorf("it sent %q, want %q", got, want)
	}
}
