package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// A typo of a parameter is refused with the right name; other unknown parameters are ignored.
func TestSlips(t *testing.T) {
	b := start(t, config())
	for name, meant := range map[string]string{
		"sinse": "since", "Since": "since", "sinc": "since", "sicne": "since", "sincee": "since", "SINCE": "since",
		"lastEventID": "lastEventId", "last_event_id": "lastEventId", "last-event-id": "lastEventId", "lastEventid": "lastEventId", "lastEvenId": "lastEventId", "lastEventsId": "lastEventId",
		"formt": "format", "foramt": "format", "Format": "format", "formats": "format",
		"events": "event", "evnt": "event", "evetn": "event",
		"payloads": "payload", "playload": "payload", "payLoad": "payload",
		"polls": "poll", "pol": "poll", "Poll": "poll",
		"limits": "limit", "lmit": "limit", "MAX": "max", "Max": "max",
		"subjects": "subject", "subjet": "subject", "subject[]": "subject", "Ticket": "ticket",
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			p := b.do(t, method, "/events/chat.room1?"+url.QueryEscape(name)+"=x", nil).problem(t, http.StatusBadRequest, "bad-query")
			if !strings.Contains(p.Detail, "did you mean "+meant+"?") || !strings.Contains(p.Detail, fmt.Sprintf("%q", name)) {
				t.Errorf("%s: %s", name, p.Detail)
			}
		}
	}
	for _, name := range []string{
		"t", "_", "v", "ts", "cb", "cachebust", "nocache", "rnd", "utm_source", "utm_medium", "utm_campaign", "fbclid", "gclid", "token_hint", "id", "key", "lang", "user",
		"map", "min", "mac", "tax", "pool", "pull", "ticker", "form", "sync", "sign", "name", "room", "object", "date", "time", "offset", "page", "size", "from", "to",
		"sort", "order", "filter", "q", "query", "last", "first", "eventId", "event_name", "x-format", "credits", "presents", "démo", "", " ", "🙂", strings.Repeat("since", 100), "version", "nonce", "state", "code", "session",
	} {
		query := url.Values{name: {"x"}}.Encode()
		if a := b.do(t, http.MethodHead, "/events/chat.room1?"+query, nil); a.status != http.StatusOK {
			t.Errorf("%q is refused", name)
		}
	}
}

// Below /events, either the path or the query names the subjects.
func TestSubjectTwice(t *testing.T) {
	c := config()
	c.Routes = routes(t, "/room/{room}=chat.{room}")
	b := start(t, c)
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		for _, target := range []string{"/events/chat.a?subject=chat.b", "/events/chat/a?subject=chat.a", "/events/chat.a?subject="} {
			if p := b.do(t, method, target, nil).problem(t, http.StatusBadRequest, "bad-query"); !strings.Contains(p.Detail, "/events?subject=") {
				t.Errorf("%s", p.Detail)
			}
		}
	}
	if got := b.publisher.all(); len(got) > 0 {
		t.Errorf("%+v", got)
	}
	// Elsewhere the name is the operator's.
	b.get(t, "/room/a?subject=chat.b").next(t, bridge.EventOpen, `{"subjects":["chat.a"],"heartbeat":3600}`)
}

func TestPayloadJSON(t *testing.T) {
	b := start(t, config())
	b.get(t, "/events/chat.room1?payload=json", "Accept", "application/x-ndjson") // keeps the feed of the poll below
	bridgetest.Eventually(t, "the feed is there", func() bool { return b.hub.Stats().Readers == 1 })
	for _, target := range []string{"/events/chat.room1?format=json&payload=json", "/events/chat.room1?payload=json", "/events?subject=chat.room1&subject=chat.room2&payload=json"} {
		c := b.get(t, target)
		c.id(t)
		for payload, want := range map[string]string{"{ \"a\":\r\n1}": `{"a":1}`, "hello": `"hello"`} {
			b.deliver("chat.room1", payload)
			event, err := c.Next()
			var got struct{ Data json.RawMessage }
			if err != nil || json.Unmarshal([]byte(event.Data), &got) != nil || string(got.Data) != want {
				t.Errorf("%s: %+v, %v", target, event, err)
			}
		}
	}
	a := b.do(t, http.MethodGet, "/events/chat.room1?poll=1&lastEventId=test-0&payload=json", nil)
	if !strings.Contains(a.body, `"data":{"a":1}`) || !strings.Contains(a.body, `"data":"hello"`) {
		t.Errorf("%+v", a)
	}
	for query, detail := range map[string]string{"payload=json&format=raw": "format=json", "payload=xml": "payload=json", "format=json&payload=JSON": "payload=json"} {
		if p := b.do(t, http.MethodGet, "/events/chat.room1?"+query, nil).problem(t, http.StatusBadRequest, "bad-query"); !strings.Contains(p.Detail, detail) {
			t.Errorf("%s: %s", query, p.Detail)
		}
	}
}

// Datastar's pages read any subjects in its format, resume by id, and get Tailwater's own events beside.
func TestDatastarFormat(t *testing.T) {
	b := start(t, config())
	for _, target := range []string{"/events/chat.room1?format=datastar&datastar=%7B%7D", "/events?subject=chat.room1&subject=chat.room2&format=datastar"} {
		c := b.get(t, target, "Datastar-Request", "true", "Accept", "text/event-stream, text/html, application/json")
		c.id(t)
		for payload, want := range map[string][2]string{
			"<b id=a>1\n</b>": {"datastar-patch-elements", "elements <b id=a>1\nelements </b>"}, `{"a":1}`: {"datastar-patch-signals", `signals {"a":1}`},
		} {
			b.deliver("chat.room1", payload)
			if event, err := c.Next(); err != nil || event.Type != want[0] || event.Data != want[1] || event.ID == "" {
				t.Errorf("%s: %+v, %v", target, event, err)
			}
		}
	}
	b.get(t, "/events/chat.room1?format=datastar&lastEventId=x-1").next(t, bridge.EventReset, `{"reason":"unknown","heartbeat":3600}`)
	for query, detail := range map[string]string{
		"format=datastar&payload=json": "format=json", "format=datastar&event=subject": "omit event=", "format=Datastar": "raw, json or datastar",
	} {
		if p := b.do(t, http.MethodGet, "/events/chat.room1?"+query, nil).problem(t, http.StatusBadRequest, "bad-query"); !strings.Contains(p.Detail, detail) {
			t.Errorf("%s: %s", query, p.Detail)
		}
	}
	lines := b.do(t, http.MethodGet, "/events/chat.room1?format=datastar", nil, "Accept", "application/x-ndjson")
	if p := lines.problem(t, http.StatusBadRequest, "bad-query"); !strings.Contains(p.Detail, "format=datastar is not available") {
		t.Error(p.Detail)
	}
}

// large is the data of the event that stands for a message.
type large struct {
	Subject, ID string
	Size        int
}

// Readers with other limits read one feed, whichever way they are written, and each is told what it does not take.
func TestMax(t *testing.T) {
	for _, loops := range []int{0, 1} {
		t.Run(fmt.Sprintf("%d loops", loops), func(t *testing.T) {
			b := startWith(t, config(), loops)
			sizes := []int{10, 70_000, 1_500, 10}
			var all []*connection
			maxima := map[string]int{"": 1 << 20, "?max=64KiB": 64 << 10, "?max=64kb": 64_000, "?max=1000": 1000, "?max=1GiB": 1 << 20}
			var most []int
			for query, bytes := range maxima {
				for range 3 { // so that they are served as a group
					all, most = append(all, b.get(t, "/events/chat.room1"+query)), append(most, bytes)
				}
			}
			for _, c := range all {
				c.next(t, bridge.EventOpen, opened)
			}
			if feeds := b.hub.Stats().Feeds; feeds != 1 {
				t.Errorf("%d feeds", feeds)
			}
			for n, size := range sizes {
				b.deliver("chat.room1", strings.Repeat("x", size))
				for i, c := range all {
					event, err := c.Next()
					if err != nil {
						t.Fatal(err)
					}
					if size < most[i] {
						if event.Type != "message" || len(event.Data) != size {
							t.Errorf("%.100v instead of a message of %d bytes", event, size)
						}
						continue
					}
					var data large
					if err := json.Unmarshal([]byte(event.Data), &data); err != nil || event.Type != bridge.EventLarge || data.ID != event.ID || data.Subject != "chat.room1" || data.Size < size || data.Size > size+100 {
						t.Errorf("message %d of %d bytes: %.200v, %v", n, size, event, err)
					}
				}
			}
		})
	}
	b := start(t, config())
	for _, query := range []string{"max=0", "max=-1", "max=much", "max=64XiB", "max=1e3", "max=NaN", "max=0.1", "max=%2064KiB"} {
		if p := b.do(t, http.MethodGet, "/events/chat.room1?"+query, nil).problem(t, http.StatusBadRequest, "bad-query"); !strings.Contains(p.Detail, "max=64KiB") {
			t.Errorf("%s: %s", query, p.Detail)
		}
	}
}

// A message that is larger than the client takes is told, and got past.
func TestPollPastALargeMessage(t *testing.T) {
	b := start(t, config())
	b.get(t, "/events/chat.room1", "Accept", "application/x-ndjson") // keeps the feed
	bridgetest.Eventually(t, "the feed is there", func() bool { return b.hub.Stats().Readers == 1 })
	const size = 600 << 10
	b.deliver("chat.room1", "before")
	b.deliver("chat.room1", strings.Repeat("\x01", size)) // six bytes each, escaped
	b.deliver("chat.room1", "after")
	for _, query := range []string{"&max=100KiB", "&max=100KiB&limit=2"} {
		a := b.do(t, http.MethodGet, pollAll+query, nil)
		if a.status != http.StatusOK {
			t.Fatalf("%s: %.300s", query, a.body)
		}
		var got []string
		for line := range strings.Lines(a.body) {
			var event struct{ Event, Data, ID string }
			if err := json.Unmarshal([]byte(line), &event); err != nil {
				t.Fatal(err)
			}
			if event.Event == bridge.EventLarge {
				var data large
				if err := json.Unmarshal([]byte(event.Data), &data); err != nil || data.ID != "test-2-3" || event.ID != data.ID || data.Size < 6*size {
					t.Errorf("%+v", event)
				}
				event.Data = "large"
			}
			got = append(got, event.Data)
		}
		want := `[{"subjects":["chat.room1"]} before large after {}]`
		if strings.Contains(query, "limit") {
			want = `[{"subjects":["chat.room1"]} before large]`
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%s: %q", query, got)
		}
	}
}
