package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tailwater/tailwater/cmd/tailwater/client"
)

// script is a server that answers each request with its next answer, and remembers what it was asked.
type script struct {
	*httptest.Server
	mu      sync.Mutex
	answers []http.HandlerFunc
	asked   []*http.Request
	sent    []string // the bodies of asked
}

func answer(t *testing.T, answers ...http.HandlerFunc) *script {
	t.Helper()
	s := &script{answers: answers}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.asked, s.sent = append(s.asked, r), append(s.sent, string(body))
	next := s.answers[0]
	if len(s.answers) > 1 {
		s.answers = s.answers[1:]
	}
	s.mu.Unlock()
	next(w, r)
}

// headers returns a header of each request.
func (s *script) headers(name string) (values []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.asked {
		values = append(values, r.Header.Get(name))
	}
	return values
}

// events is an answer that breaks off after a text.
func events(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, ": tailwater\n"+text)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// silent is an answer in which nothing follows a text.
func silent(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, text)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
}

func status(code int, header http.Header, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for name, values := range header {
			w.Header()[name] = values
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, text)
	}
}

const (
	opening = "retry: 1\nevent: tailwater:open\ndata: {\"subjects\":[\"chat.a\"],\"heartbeat\":15}\nid: e-1\n\n"
	problem = `{"type":"https://example.com/#forbidden","title":"Forbidden","status":403,"detail":"no permission to read"}`
)

func at(t *testing.T, s *script, config client.Config) *client.Client {
	t.Helper()
	var err error
	if config.URL, err = url.Parse(s.URL); err != nil {
		t.Fatal(err)
	}
	c := client.New(config)
	t.Cleanup(c.Close)
	return c
}

var errEnough = errors.New("enough")

// read reads until so many messages have arrived.
func read(t *testing.T, c *client.Client, most int) (got []string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err = c.Read(ctx, c.At(nil, "chat.a"), func(event client.Event) error {
		if event.Type == "" {
			got = append(got, event.Data)
		}
		if len(got) == most {
			return errEnough
		}
		return nil
	})
	return got, err
}

// After each kind of cut, and after a proxy without a bridge, reading continues after the last whole event. That a bridge asks to reconnect is
// no trouble.
func TestReadContinues(t *testing.T) {
	t.Parallel()
	s := answer(t,
		events(opening+"data: one\nid: e-2\n\ndata: cut\nid: e-3\n"),
		status(502, nil, "<html>no bridge</html>"),
		status(503, http.Header{"Content-Type": {"application/problem+json"}}, `{"type":"x#unavailable"}`),
		events(opening+"data: two\nid: e-4\n\nretry: 1\nevent: tailwater:close\ndata: {\"reason\":\"age\"}\n\n"),
		events("retry: 1\ndata: three\nid: e-5\n\ndata: more\n\n"),
	)
	var troubles []string
	got, err := read(t, at(t, s, client.Config{Trouble: func(err error, _ time.Duration) { troubles = append(troubles, err.Error()) }}), 3)
	if want := []string{"one", "two", "three"}; !errors.Is(err, errEnough) || !reflect.DeepEqual(got, want) {
		t.Errorf("got %q and %v, want %q", got, err, want)
	}
	if got, want := s.headers("Last-Event-ID"), []string{"", "e-2", "e-2", "e-2", "e-4"}; !reflect.DeepEqual(got, want) {
		t.Errorf("it asked for what follows %q, want %q", got, want)
	}
	if len(troubles) != 3 {
		t.Errorf("it told %q, want a cut and two statuses", troubles)
	}
}

// Some answers will not change: they end the reading, and say why.
func TestReadIsRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		says   string
	}{
		"a problem":                  {status(403, http.Header{"Content-Type": {"application/problem+json"}}, problem), "403 Forbidden: no permission to read"},
		"a problem of another kind":  {status(502, nil, `{"type":"https://example.com/#refused","detail":"not allowed by NATS"}`), "502 Bad Gateway: not allowed by NATS"},
		"a page":                     {status(200, http.Header{"Content-Type": {"text/html"}}, "<html>"), "not an event stream"},
		"another server":             {status(404, nil, "404 page not found"), "404 Not Found: this is not the answer of a bridge"},
		"a redirect to another host": {status(302, http.Header{"Location": {"https://example.com/login"}}, ""), "leads to https://example.com/login"},
		"the end":                    {status(204, nil, ""), client.ErrComplete.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := answer(t, test.answer)
			if _, err := read(t, at(t, s, client.Config{}), 1); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %s", err, test.says)
			}
			if n := len(s.headers("Accept")); n != 1 {
				t.Errorf("it asked %d times", n)
			}
		})
	}
}

// A connection on which not even heartbeats arrive is dead, although nobody has closed it.
func TestSilenceEndsAConnection(t *testing.T) {
	t.Parallel()
	s := answer(t,
		silent(strings.Replace(opening, ":15}", ":0.01}", 1)+"data: one\nid: e-2\n\n"),
		events(opening+"data: two\nid: e-3\n\n"))
	var troubles []string
	got, err := read(t, at(t, s, client.Config{Trouble: func(err error, _ time.Duration) { troubles = append(troubles, err.Error()) }}), 2)
	if want := []string{"one", "two"}; !errors.Is(err, errEnough) || !reflect.DeepEqual(got, want) {
		t.Errorf("got %q and %v, want %q", got, err, want)
	}
	if len(troubles) != 1 || !strings.Contains(troubles[0], "heartbeats") {
		t.Errorf("it told %q", troubles)
	}
}

// Nobody waits longer than they want to.
func TestGivesUp(t *testing.T) {
	t.Parallel()
	s := answer(t, status(502, nil, ""))
	c := at(t, s, client.Config{Patience: time.Millisecond})
	if _, err := read(t, c, 1); !errors.Is(err, client.ErrGaveUp) || !strings.Contains(err.Error(), "502") {
		t.Errorf("read: %v", err)
	}
	if _, err := c.Publish(t.Context(), c.At(nil, "chat.a"), client.Message{Key: "k"}); !errors.Is(err, client.ErrGaveUp) {
		t.Errorf("publish: %v", err)
	}
}

// Each attempt has the token of the moment, and a redirect does not get it.
func TestEveryAttemptIsSigned(t *testing.T) {
	t.Parallel()
	s := answer(t, events(opening), events(opening+"data: one\nid: e-2\n\n"))
	n := 0
	token := func() (string, error) { n++; return fmt.Sprint("token", n), nil }
	c := at(t, s, client.Config{Token: token, Header: http.Header{"X-Mine": {"yes"}, "Host": {"events.example.com"}}})
	if _, err := read(t, c, 1); !errors.Is(err, errEnough) {
		t.Error(err)
	}
	if got, want := s.headers("Authorization"), []string{"Bearer token1", "Bearer token2"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if r := s.asked[0]; r.Host != "events.example.com" || r.Header.Get("X-Mine") != "yes" {
		t.Errorf("host %s, header %v", r.Host, r.Header)
	}
}

// A message is sent again with its key until it is answered.
func TestPublishRepeats(t *testing.T) {
	t.Parallel()
	broken := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	receipt := `{"subject":"chat.a","id":"e-7","stream":"S","seq":7,"duplicate":true}` + "\n"
	s := answer(t, broken, status(502, nil, ""), status(429, nil, ""), status(201, nil, receipt))
	c := at(t, s, client.Config{})
	got, err := c.Publish(t.Context(), c.At(nil, "chat.a"), client.Message{Body: []byte("hello"), Key: "k1", Event: "note"})
	if err != nil || got.Seq != 7 || !got.Duplicate || got.Stream != "S" || string(got.JSON) != strings.TrimSpace(receipt) {
		t.Errorf("got %+v and %v", got, err)
	}
	if got, want := s.headers("Idempotency-Key"), []string{"k1", "k1", "k1", "k1"}; !reflect.DeepEqual(got, want) {
		t.Errorf("keys %q, want %q", got, want)
	}
	for i, body := range s.sent {
		if body != "hello" || s.asked[i].Header.Get("Tailwater-Event") != "note" {
			t.Errorf("attempt %d: %q, %v", i, body, s.asked[i].Header)
		}
	}
}

// What subjects and paths lead to.
func TestAt(t *testing.T) {
	t.Parallel()
	base, err := url.Parse("https://example.com/below/")
	if err != nil {
		t.Fatal(err)
	}
	c := client.New(client.Config{URL: base})
	query := url.Values{"since": {"all"}}
	for _, test := range []struct {
		targets []string
		want    string
	}{
		{[]string{"chat.a"}, "https://example.com/below/events/chat.a?since=all"},
		{[]string{"chat.>"}, "https://example.com/below/events/chat.%3E?since=all"},
		{[]string{"chat.Größe?#%"}, "https://example.com/below/events/chat.Gr%C3%B6%C3%9Fe%3F%23%25?since=all"},
		{[]string{"chat.a", "chat.b"}, "https://example.com/below/events?since=all&subject=chat.a&subject=chat.b"},
		{[]string{"chat.a/b"}, "https://example.com/below/events?since=all&subject=chat.a%2Fb"},
		{[]string{"/inbox"}, "https://example.com/below/inbox?since=all"},
		{[]string{"/chat/a%20b?presence=1"}, "https://example.com/below/chat/a%20b?presence=1&since=all"},
	} {
		if got := c.At(query, test.targets...).String(); got != test.want {
			t.Errorf("%q leads to %s, want %s", test.targets, got, test.want)
		}
	}
}
