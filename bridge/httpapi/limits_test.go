package httpapi_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/sockets"
)

// turnedAway checks an answer that ends at once, and asks the client to come back.
func (b *fixture) turnedAway(t *testing.T, headers ...string) {
	t.Helper()
	b.turnedAwayFor(t, bridge.CloseBusy, headers...)
}

func (b *fixture) turnedAwayFor(t *testing.T, reason string, headers ...string) {
	t.Helper()
	a := b.do(t, http.MethodGet, "/events/chat.room1", nil, headers...)
	if a.status != http.StatusOK || !a.broken || a.header.Get("Content-Type") != "text/event-stream" || a.header.Get("Cache-Control") != "no-store, no-transform" {
		t.Fatalf("%+v", a)
	}
	stream := bridgetest.NewStream(strings.NewReader(a.body))
	want := bridgetest.Event{Type: bridge.EventClose, Data: `{"reason":"` + reason + `"}`}
	if event, err := stream.Next(); err != nil || event != want {
		t.Errorf("%+v, %v", event, err)
	}
	if event, err := stream.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("then %+v, %v", event, err)
	}
	if stream.Retry < 1000 || stream.Retry > 10000 || stream.Comments != 1 {
		t.Errorf("%q", a.body)
	}
}

// limited checks that nothing was logged but that limits were met, and by whom.
func (b *fixture) limited(t *testing.T, reason, caller string) {
	t.Helper()
	text := b.log.String()
	want := `level=INFO msg="a request exceeded a limit" limit=` + reason + ` caller=` + caller + "\n"
	if lines := strings.Count(text, "\n"); lines == 0 || lines > 3 || strings.Count(text, want) != lines {
		t.Errorf("the log: %s", text)
	}
}

func TestConnectionLimit(t *testing.T) {
	c := config()
	c.Places = sockets.NewPlaces(sockets.Limits{All: 3})
	b := start(t, c)
	var open []*connection
	for range 3 {
		c := b.get(t, "/events/chat.room1")
		c.next(t, "tailwater:open", opened)
		open = append(open, c)
	}
	for range 5 {
		b.turnedAway(t)
	}
	poll := b.do(t, http.MethodGet, "/events/chat.room1?poll=1", nil)
	poll.problem(t, http.StatusServiceUnavailable, "busy")
	if poll.header.Get("Retry-After") != "5" {
		t.Errorf("%+v", poll)
	}
	if head := b.do(t, http.MethodHead, "/events/chat.room1", nil); head.status != http.StatusServiceUnavailable || head.header.Get("Retry-After") != "5" {
		t.Errorf("%+v", head)
	}
	lines := b.do(t, http.MethodGet, "/events/chat.room1", nil, "Accept", "application/x-ndjson")
	if lines.status != http.StatusOK || lines.header.Get("Content-Type") != "application/x-ndjson" || lines.body != `{"event":"tailwater:close","data":"{\"reason\":\"busy\"}"}`+"\n" {
		t.Errorf("%+v", lines)
	}
	if stats := b.api.Stats(); stats.TurnedAway != 6 || stats.Refused != 2 || stats.Limited["connections"] != 8 || b.outlet.Stats().Opened != 3 {
		t.Errorf("%+v, %+v", stats, b.outlet.Stats())
	}
	// Posting is another matter, and so are requests that end by themselves.
	if a := b.do(t, http.MethodPost, "/events/chat.room1", strings.NewReader("x")); a.status != http.StatusAccepted {
		t.Errorf("%+v", a)
	}
	// Who was turned away is not counted, nor who was refused: a place becomes free with each that ends.
	for i, c := range open {
		c.response.Body.Close()
		bridgetest.Eventually(t, "the connection has ended", func() bool { return b.hub.Stats().Readers == 2 })
		for range 5 {
			if a := b.do(t, http.MethodGet, "/events/secret", nil); a.status != http.StatusForbidden {
				t.Fatalf("%+v", a)
			}
		}
		// The count goes down just after the reader has gone.
		var again *connection
		bridgetest.Eventually(t, "there is a place", func() bool {
			response := b.send(t, http.MethodGet, "/events/chat.room1", nil)
			again = &connection{bridgetest.NewStream(response.Body), response}
			event, err := again.Next()
			isOpen := err == nil && event.Type == bridge.EventOpen
			if !isOpen {
				response.Body.Close()
			}
			return isOpen
		})
		defer again.response.Body.Close()
		if i == 0 {
			b.turnedAway(t)
		}
	}
	b.limited(t, "connections", "127.0.0.1")
}

func TestDrain(t *testing.T) {
	b := start(t, config())
	before := b.get(t, "/events/chat.room1")
	before.next(t, "tailwater:open", opened)
	b.api.Drain(time.Now())
	b.turnedAwayFor(t, bridge.CloseDrain)
	b.turnedAwayFor(t, bridge.CloseDrain, "Last-Event-ID", "nonsense")
	// A client is asked to come back for another bridge well before the end, or else after it.
	for left, want := range map[time.Duration][2]int{time.Hour: {5_000, 15_000}, 12 * time.Second: {3_000, 9_000}, 5 * time.Second: {7_000, 12_500}} {
		b.api.Drain(time.Now().Add(left))
		stream := bridgetest.NewStream(strings.NewReader(b.do(t, http.MethodGet, "/events/chat.room1", nil).body))
		if _, err := stream.Next(); err != nil || stream.Retry < want[0]-1000 || stream.Retry > want[1] {
			t.Errorf("%v before the end: retry: %d, %v", left, stream.Retry, err)
		}
	}
	// What could never be served is not asked to come back.
	b.do(t, http.MethodGet, "/events/..", nil).problem(t, http.StatusBadRequest, "bad-subject")
	b.do(t, http.MethodGet, "/events/secret", nil).problem(t, http.StatusForbidden, "forbidden")
	if a := b.do(t, http.MethodPost, "/events/chat.room1", strings.NewReader("x")); a.status != http.StatusAccepted {
		t.Errorf("%+v", a)
	}
	// What was open stays; ending it is the outlet's part.
	b.deliver("chat.room1", "hello")
	before.next(t, "message", "hello")
	if stats := b.api.Stats(); stats.TurnedAway != 5 {
		t.Errorf("%+v", stats)
	}
	b.quiet(t)
}

// A hub that is closed means a bridge that is about to end. Its clients must not take that for final.
func TestClosedHub(t *testing.T) {
	b := start(t, config())
	b.hub.Close()
	b.turnedAway(t)
	if stats := b.api.Stats(); stats.TurnedAway != 1 {
		t.Errorf("%+v", stats)
	}
	b.quiet(t)
}
