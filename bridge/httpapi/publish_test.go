package httpapi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

func TestPost(t *testing.T) {
	b := start(t, config())
	body := append([]byte("\xef\xbb\xbf <b> hello\r\n"), make([]byte, 5000)...)
	a := b.do(t, http.MethodPost, "/events/chat/a%26%3Cb", bytes.NewReader(body))
	if a.status != http.StatusAccepted || a.body != `{"subject":"chat.a&<b"}`+"\n" || a.header.Get("Content-Type") != "application/json" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%+v", a)
	}
	got := b.publisher.all()
	if len(got) != 1 || got[0].subject != "chat.a&<b" || !bytes.Equal(got[0].data, body) || len(got[0].header) != 0 {
		t.Errorf("%d published, the first on %s, %v, %d bytes", len(got), got[0].subject, got[0].header, len(got[0].data))
	}
	for target, status := range map[string]int{
		"/events?subject=chat.room1":                    http.StatusAccepted,
		"/events/chat.room1?format=nonsense":            http.StatusAccepted, // GET's parameters mean nothing here
		"/events?subject=chat.room1&subject=chat.room2": http.StatusBadRequest,
		"/events": http.StatusBadRequest,
	} {
		if a := b.do(t, http.MethodPost, target, strings.NewReader("x")); a.status != status {
			t.Errorf("POST %s: %d instead of %d", target, a.status, status)
		}
	}
	if a := b.do(t, http.MethodPost, "/events/chat.room1", nil); a.status != http.StatusAccepted {
		t.Errorf("an empty body: %+v", a)
	}
	b.quiet(t)
}

// meansMuchToNATS are headers that change what NATS or a reader does with a message, or that belong to the request alone.
var meansMuchToNATS = []string{
	"Nats-Rollup", "all", "Nats-Msg-Id", "forged", "Nats-Expected-Stream", "S", "Nats-TTL", "1s", "Nats-Schedule", "@every 1s",
	"Status", "503", "Description", "x", "Cookie", "session=1", "Authorization", "Bearer x", "Tracestate", "x", "Baggage", "x",
	"X-Forwarded-For", "1.2.3.4", "Content-Type", "text/plain", "User-Agent", "x", "Tailwater-Anything", "x", "Last-Event-ID", "test-1",
}

// NATS gives headers a meaning, so no header of a client becomes one, except those that the bridge checks.
func TestPostPassesOnThreeHeaders(t *testing.T) {
	b := start(t, config())
	parent := "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	a := b.do(t, http.MethodPost, "/events/chat.room1", strings.NewReader("hello"),
		slices.Concat(meansMuchToNATS, []string{"Tailwater-Event", "joined 🎉", "Idempotency-Key", `"8e03978e-40d5-43dd"`, "Traceparent", parent})...)
	if a.status != http.StatusAccepted {
		t.Fatalf("%+v", a)
	}
	id := bridge.MessageID(bridge.Caller{}, "chat.room1", `"8e03978e-40d5-43dd"`, "joined 🎉", []byte("hello"))
	want := map[string][]string{"Tailwater-Event": {"joined 🎉"}, "Nats-Msg-Id": {id}, "traceparent": {parent}}
	if got := b.publisher.all()[0].header; !maps.EqualFunc(got, want, func(a, b []string) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
		t.Errorf("%v", got)
	}
	for name, test := range map[string]struct{ header, value, slug string }{
		"open":               {"Tailwater-Event", "open", "bad-event-name"},
		"error":              {"Tailwater-Event", "error", "bad-event-name"},
		"message":            {"Tailwater-Event", "message", "bad-event-name"},
		"Tailwater's own":    {"Tailwater-Event", "tailwater:gap", "bad-event-name"},
		"too long a name":    {"Tailwater-Event", strings.Repeat("x", 513), "bad-event-name"},
		"not UTF-8":          {"Tailwater-Event", "\xff", "bad-event-name"},
		"tab":                {"Tailwater-Event", "a\tb", "bad-event-name"},
		"too long a key":     {"Idempotency-Key", strings.Repeat("x", 257), "bad-header"},
		"a key with a blank": {"Idempotency-Key", "a b", "bad-header"},
		"a key in UTF-8":     {"Idempotency-Key", "é", "bad-header"},
	} {
		t.Run(name, func(t *testing.T) {
			b.do(t, http.MethodPost, "/events/chat.room1", strings.NewReader("x"), test.header, test.value).problem(t, http.StatusBadRequest, test.slug)
		})
	}
	// Without a key there is no id, whatever is sent. What only traces a request does not refuse one.
	if a := b.do(t, http.MethodPost, "/events/chat.room1", strings.NewReader("x"), slices.Concat(meansMuchToNATS, []string{"Traceparent", strings.Repeat("x", 300)})...); a.status != http.StatusAccepted {
		t.Errorf("%+v", a)
	}
	if got := b.publisher.all(); len(got) != 2 || len(got[1].header) != 0 {
		t.Errorf("%d were published, the last with %v", len(got), got[len(got)-1].header)
	}
}

func TestBodyLimit(t *testing.T) {
	b := start(t, config())
	for size, status := range map[int]int{0: 202, bodyLimit: 202, bodyLimit + 1: 413, 10 << 20: 413} {
		for name, chunked := range map[string]bool{"Content-Length": false, "chunked": true} {
			t.Run(fmt.Sprint(size, " ", name), func(t *testing.T) {
				var body io.Reader = bytes.NewReader(make([]byte, size))
				if chunked {
					body = io.MultiReader(body) // hides the size from the client
				}
				a := b.do(t, http.MethodPost, "/events/chat.room1", body)
				if status == http.StatusAccepted {
					if a.status != status {
						t.Errorf("%+v", a)
					}
					return
				}
				if p := a.problem(t, status, "too-large"); !strings.Contains(p.Detail, fmt.Sprint(bodyLimit)) || !strings.Contains(p.Detail, "TAILWATER_LIMIT_BODY") {
					t.Error(p.Detail)
				}
			})
		}
	}
	for _, p := range b.publisher.all() {
		if len(p.data) > bodyLimit {
			t.Errorf("%d bytes were published", len(p.data))
		}
	}
	b.quiet(t)
}

func TestBodyThatIsNoText(t *testing.T) {
	b := start(t, config())
	for _, test := range []struct {
		contentType string
		isText      bool
	}{
		{"text/plain", true},
		{"text/plain; charset=utf-8", true},
		{"text/plain; charset", true}, // a type, although its parameter is none
		{"TEXT/PLAIN", true},
		{"text/html", true},
		{"application/json", true},
		{"application/json; charset=utf-8", true},
		{"application/octet-stream", false},
		{"application/x-www-form-urlencoded", false}, // what curl -d says of everything
		{"image/png", false},
		{"", false},
		{"nonsense", false},
	} {
		for body, valid := range map[string]bool{"a\x00b": false, "caf\xe9": false, "\xed\xa0\x80": false, "café 🎉": true, "": true} {
			t.Run(fmt.Sprintf("%s %q", test.contentType, body), func(t *testing.T) {
				a := b.do(t, http.MethodPost, "/events/chat.room1", strings.NewReader(body), "Content-Type", test.contentType)
				if valid || !test.isText {
					if a.status != http.StatusAccepted {
						t.Errorf("%+v", a)
					}
					return
				}
				if p := a.problem(t, http.StatusBadRequest, "bad-body"); !strings.Contains(p.Detail, "application/octet-stream") {
					t.Error(p.Detail)
				}
			})
		}
	}
	b.quiet(t)
}

func TestPublisherFails(t *testing.T) {
	b := start(t, config())
	post := func(err error) answer {
		b.publisher.err = err
		return b.do(t, http.MethodPost, "/events/chat.room1", strings.NewReader("hello"))
	}
	a := post(fmt.Errorf("publish to chat.room1: %w: nats: 10.0.0.7: connection refused", bridge.ErrUnavailable))
	if p := a.problem(t, http.StatusServiceUnavailable, "unavailable"); strings.Contains(p.Detail, "10.0.0.7") {
		t.Errorf("a stranger learns %q", p.Detail)
	}
	broken := post(fmt.Errorf("%w: the stream SECRETS", bridge.ErrBroken))
	if p := broken.problem(t, http.StatusServiceUnavailable, "store-broken"); strings.Contains(p.Detail, "SECRETS") || !strings.Contains(p.Detail, "/readyz") || broken.header.Get("Retry-After") == "" {
		t.Errorf("%+v", broken)
	}
	if got := a.header.Get("Retry-After"); got == "" || strings.Trim(got, "0123456789") != "" || got == "0" {
		t.Errorf("Retry-After: %q", got)
	}
	if p := post(fmt.Errorf("%w: 10.0.0.7", bridge.ErrRefused)).problem(t, http.StatusBadGateway, "refused"); strings.Contains(p.Detail, "10.0.0.7") {
		t.Errorf("a stranger learns %q", p.Detail)
	}
	for slug, refusal := range map[string]struct {
		err    error
		status int
		says   string
	}{
		"too-large":    {bridge.ErrTooLarge, http.StatusRequestEntityTooLarge, "larger than NATS or the stream"},
		"full":         {bridge.ErrFull, http.StatusInsufficientStorage, "make room"},
		"subject-full": {bridge.ErrSubjectFull, http.StatusInsufficientStorage, "its limit of messages on the subject"},
		"sealed":       {bridge.ErrSealed, http.StatusConflict, "is sealed"},
		"unfit":        {bridge.ErrUnfit, http.StatusUnprocessableEntity, "never accepts messages like this one"},
	} {
		a := post(fmt.Errorf("%w: the stream SECRETS at 10.0.0.7", refusal.err))
		if p := a.problem(t, refusal.status, slug); !strings.Contains(p.Detail, refusal.says) || strings.Contains(p.Detail, "SECRETS") || a.header.Get("Retry-After") != "" {
			t.Errorf("%+v", a)
		}
	}
	b.quiet(t)
	if p := post(errors.New("surprise at 10.0.0.7")).problem(t, http.StatusInternalServerError, "internal"); strings.Contains(p.Detail, "surprise") {
		t.Errorf("a stranger learns %q", p.Detail)
	}
	if text := b.log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "level=ERROR") || !strings.Contains(text, "surprise") {
		t.Errorf("the log: %q", text)
	}
	if a := post(nil); a.status != http.StatusAccepted {
		t.Errorf("%+v", a)
	}
	stats := b.api.Stats().Publishes
	if want := (map[string]uint64{"accepted": 1, "refused": 3, "unavailable": 2, "failed": 4}); !maps.Equal(stats, want) {
		t.Errorf("%v", stats)
	}
}

// If no connection can resume after a message, the answer has no id.
func TestStoredWithoutID(t *testing.T) {
	b := start(t, config())
	b.publisher.gets = bridge.Receipt{Stream: "WORK", Position: bridge.Position{Seq: 7}}
	a := b.do(t, http.MethodPost, "/events/chat.room1", strings.NewReader("hello"))
	if want := `{"subject":"chat.room1","stream":"WORK","seq":7,"duplicate":false}` + "\n"; a.status != http.StatusCreated || a.body != want {
		t.Errorf("%+v", a)
	}
}

// A client that disconnects does not cancel the message that it has sent, and its end says nothing about NATS.
func TestClientThatDoesNotWait(t *testing.T) {
	b := start(t, config())
	b.publisher.wait = make(chan struct{})
	release := sync.OnceFunc(func() { close(b.publisher.wait) })
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.server.URL+"/events/chat.room1", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan error, 1)
	go func() {
		response, err := b.server.Client().Do(r)
		if err == nil {
			response.Body.Close()
		}
		gone <- err
	}()
	bridgetest.Eventually(t, "the message is on its way", func() bool { return len(b.publisher.all()) == 1 })
	cancel()
	if err := <-gone; err == nil {
		t.Fatal("it was answered")
	}
	release()
	bridgetest.Eventually(t, "it is counted", func() bool { return b.api.Stats().Publishes["accepted"] == 1 })
	b.quiet(t)
}

func TestFinish(t *testing.T) {
	b := start(t, config())
	b.publisher.wait = make(chan struct{})
	release := sync.OnceFunc(func() { close(b.publisher.wait) })
	defer release()
	posted := make(chan int, 1)
	go func() { posted <- b.do(t, http.MethodPost, "/events/chat.room1", strings.NewReader("hello")).status }()
	bridgetest.Eventually(t, "the message is on its way", func() bool { return len(b.publisher.all()) == 1 })
	b.api.Drain(time.Now())
	finished := make(chan struct{})
	go func() {
		b.api.Finish()
		close(finished)
	}()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for range 20 {
		<-again.C
		select {
		case <-finished:
			t.Fatal("Finish did not wait")
		default:
		}
	}
	release()
	<-finished
	if status := <-posted; status != http.StatusAccepted {
		t.Errorf("%d", status)
	}
	// Nothing that the API stands on is used any more, and nobody is told what would be final.
	b.hub.Close()
	b.turnedAwayFor(t, bridge.CloseDrain)
	for _, request := range [][2]string{{http.MethodPost, ""}, {http.MethodHead, ""}, {http.MethodGet, "?poll=1"}} {
		a := b.do(t, request[0], "/events/chat.room1"+request[1], nil)
		if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %+v", request, a)
		}
	}
	if a := b.do(t, http.MethodOptions, "/events/chat.room1", nil); a.status != http.StatusNoContent {
		t.Errorf("%+v", a)
	}
	if n := len(b.publisher.all()); n != 1 {
		t.Errorf("%d were published", n)
	}
}
