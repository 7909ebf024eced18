package httpapi_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

const opened = `{"subjects":["chat.room1"],"heartbeat":3600}`

func TestGetAnswersAtOnce(t *testing.T) {
	b := start(t, config())
	b.publisher.away = true
	b.Leave() // NATS is not there: the connection waits for it
	c := b.get(t, "/events/chat/room1")
	for name, want := range map[string]string{
		"Content-Type":           "text/event-stream",
		"Cache-Control":          "no-store, no-transform",
		"X-Accel-Buffering":      "no",
		"X-Content-Type-Options": "nosniff",
	} {
		if got := strings.Join(c.response.Header.Values(name), ", "); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	if vary := strings.Join(c.response.Header.Values("Vary"), ", "); !strings.Contains(vary, "Origin") || !strings.Contains(vary, "Accept") {
		t.Errorf("Vary: %s", vary)
	}
	b.Come()
	b.deliver("chat.room1", "hello")
	c.next(t, bridge.EventOpen, opened)
	if c.Comments != 1 || c.Retry < 1000 || c.Retry > 3000 {
		t.Errorf("it begins with %d comments and retry: %d", c.Comments, c.Retry)
	}
	c.next(t, "message", "hello")
	b.quiet(t)
}

func TestOneFeedForAllPathForms(t *testing.T) {
	b := start(t, config())
	var all []*connection
	for _, target := range []string{
		"/events/chat/room1", "/events/chat.room1", "/events/%63hat/room1", "/events?subject=chat.room1",
		"/events?subject=chat.room1&subject=chat.room1&format=raw", "/events/chat/room1?format=raw&since=new",
	} {
		c := b.get(t, target)
		c.next(t, bridge.EventOpen, opened)
		all = append(all, c)
	}
	// The fifth names two subjects, which happen to be one.
	if feeds := b.hub.Stats().Feeds; feeds != 1 {
		t.Errorf("%d feeds", feeds)
	}
	b.deliver("chat.room1", "hello")
	for _, c := range all {
		c.next(t, "message", "hello")
	}
}

func TestAnyScript(t *testing.T) {
	b := start(t, config())
	c := b.get(t, "/events/chat/%E9%83%A8%E5%B1%8B/caf%C3%A9")
	c.next(t, bridge.EventOpen, `{"subjects":["chat.部屋.café"],"heartbeat":3600}`)
	b.deliver("chat.部屋.café", "こんにちは")
	c.next(t, "message", "こんにちは")
}

// id returns the next event's.
func (c *connection) id(t *testing.T) string {
	t.Helper()
	event, err := c.Next()
	if err != nil {
		t.Fatal(err)
	}
	return event.ID
}

// object is a message in the json form.
type object struct {
	Subject, ID, Time, Event string
	Headers                  map[string][]string
	Data                     *string
	DataBase64               []byte `json:"data_base64"`
}

func (c *connection) object(t *testing.T, eventType string) object {
	t.Helper()
	event, err := c.Next()
	if err != nil {
		t.Fatal(err)
	}
	var o object
	if err := json.Unmarshal([]byte(event.Data), &o); err != nil || event.Type != eventType || o.ID != event.ID {
		t.Fatalf("%+v, %v", event, err)
	}
	return o
}

func TestSeveralSubjects(t *testing.T) {
	b := start(t, config())
	c := b.get(t, "/events?subject=time.now&subject=chat.room1&subject=time.now")
	c.next(t, bridge.EventOpen, `{"subjects":["chat.room1","time.now"],"heartbeat":3600}`)
	b.deliver("time.now", "12:00")
	b.deliver("chat.room2", "not for it")
	b.deliver("chat.room1", "hello")
	for _, want := range [][2]string{{"time.now", "12:00"}, {"chat.room1", "hello"}} {
		if o := c.object(t, "message"); o.Subject != want[0] || *o.Data != want[1] {
			t.Errorf("%+v instead of %s", o, want)
		}
	}
}

func TestFormat(t *testing.T) {
	c := config()
	c.Anyone.Wildcards = true
	b := start(t, c)
	for target, isJSON := range map[string]bool{
		"/events/chat.room1":                                     false,
		"/events/chat.room1?format=raw":                          false,
		"/events/chat.room1?format=json":                         true,
		"/events?subject=chat.room1":                             false,
		"/events?subject=chat.room1&subject=chat.room2":          true,
		"/events?subject=chat.room1&subject=chat.r2&format=raw":  false,
		"/events/chat/*":                                         true,
		"/events/chat/%3E":                                       true,
		"/events/chat/%2A?format=raw":                            false,
		"/events?subject=chat.%3E&event=subject&format=json":     true,
		"/events/chat.room1?event=subject&unknown=x&format=json": true,
	} {
		t.Run(target, func(t *testing.T) {
			c := b.get(t, target)
			if event, err := c.Next(); err != nil || event.Type != bridge.EventOpen {
				t.Fatalf("%+v, %v", event, err)
			}
			b.deliver("chat.room1", "hello")
			eventType := "message"
			if strings.Contains(target, "event=subject") {
				eventType = "chat.room1"
			}
			if isJSON {
				if o := c.object(t, eventType); o.Subject != "chat.room1" || *o.Data != "hello" || o.Time == "" {
					t.Errorf("%+v", o)
				}
				return
			}
			c.next(t, eventType, "hello")
		})
	}
}

func TestLines(t *testing.T) {
	b := start(t, config())
	for _, accept := range []string{"application/x-ndjson", "text/html, application/x-ndjson;q=0.9, */*;q=0.8", "Application/X-NDJSON"} {
		t.Run(accept, func(t *testing.T) {
			response := b.send(t, http.MethodGet, "/events/chat.room1", nil, "Accept", accept)
			defer response.Body.Close()
			if got := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || got != "application/x-ndjson" {
				t.Fatalf("%s, %s", response.Status, got)
			}
			lines := json.NewDecoder(response.Body)
			var first, second object
			if err := lines.Decode(&first); err != nil || first.Event != bridge.EventOpen || *first.Data != opened || first.ID == "" {
				t.Fatalf("%+v, %v", first, err)
			}
			b.deliver("chat.room1", "hello\r\nworld")
			if err := lines.Decode(&second); err != nil || second.Subject != "chat.room1" || *second.Data != "hello\r\nworld" {
				t.Fatalf("%+v, %v", second, err)
			}
		})
	}
	for _, accept := range []string{"text/event-stream", "*/*", "application/json", "application/x-ndjson-not", ";;;"} {
		c := b.get(t, "/events/chat.room1", "Accept", accept)
		if got := c.response.Header.Get("Content-Type"); got != "text/event-stream" {
			t.Errorf("Accept: %s is answered with %s", accept, got)
		}
	}
}

func TestRoutes(t *testing.T) {
	c := config()
	c.Routes = routes(t, "/room/{room}=chat.{room}", "/room/lobby=time.lobby", "/all/{rest...}=chat.all.{rest}", "/secret=secret.x")
	b := start(t, c)
	for target, subject := range map[string]string{
		"/room/1":     "chat.1",
		"/room/lobby": "time.lobby", // the word comes before the placeholder
		"/all/x/y.z":  "chat.all.x.y.z",
	} {
		c := b.get(t, target)
		c.next(t, bridge.EventOpen, `{"subjects":["`+subject+`"],"heartbeat":3600}`)
		b.deliver(bridge.Subject(subject), target)
		c.next(t, "message", target)
	}
	for target, want := range map[string]struct {
		status int
		slug   string
	}{
		"/room/a.b":     {http.StatusBadRequest, "bad-subject"},
		"/room/a%2Fb":   {http.StatusBadRequest, "bad-subject"},
		"/room/*":       {http.StatusForbidden, "forbidden"},
		"/room/":        {http.StatusBadRequest, "bad-subject"},
		"/room":         {http.StatusNotFound, "not-found"},
		"/room/1/2":     {http.StatusNotFound, "not-found"},
		"/rooms/1":      {http.StatusNotFound, "not-found"},
		"/secret":       {http.StatusForbidden, "forbidden"},
		"/all/":         {http.StatusBadRequest, "bad-subject"},
		"/":             {http.StatusNotFound, "not-found"},
		"/eventsource/": {http.StatusNotFound, "not-found"},
	} {
		t.Run(target, func(t *testing.T) {
			b.do(t, http.MethodGet, target, nil).problem(t, want.status, want.slug)
		})
	}
	if a := b.do(t, http.MethodPost, "/room/1", strings.NewReader("hello")); a.status != http.StatusAccepted || b.publisher.all()[0].subject != "chat.1" {
		t.Errorf("%+v", a)
	}
}

// A route to a bucket is the permission to read it, even for callers who may read nothing else.
func TestRouteToBucket(t *testing.T) {
	c := config()
	c.Anyone = bridge.Grant{}
	c.Routes = routes(t, "/config/{key...}=$KV.config.{key}")
	b := start(t, c)
	reader := b.get(t, "/config/site/title")
	reader.next(t, bridge.EventOpen, `{"subjects":["$KV.config.site.title"],"heartbeat":3600}`)
	b.deliver("$KV.config.site.title", "hello")
	reader.next(t, "message", "hello")
	if a := b.do(t, http.MethodHead, "/config/a", nil); a.status != http.StatusOK {
		t.Errorf("HEAD: %+v", a)
	}
	b.do(t, http.MethodGet, "/config/%3E", nil).problem(t, http.StatusForbidden, "forbidden")
	b.do(t, http.MethodPost, "/config/site/title", strings.NewReader("x")).problem(t, http.StatusForbidden, "forbidden")

	c.Anyone.Wildcards = true
	b = start(t, c)
	b.get(t, "/config/%3E").next(t, bridge.EventOpen, `{"subjects":["$KV.config.>"],"heartbeat":3600}`)
	b.get(t, "/config/site/*").next(t, bridge.EventOpen, `{"subjects":["$KV.config.site.*"],"heartbeat":3600}`)
	b.do(t, http.MethodGet, "/events/$KV.config.%3E", nil).problem(t, http.StatusForbidden, "forbidden")
	if got := b.publisher.all(); len(got) != 0 {
		t.Errorf("%d were published", len(got))
	}
}

// A filter that stands in a route is the operator's: it needs no permission for filters, but what it reads has to be allowed.
func TestFilterInARoute(t *testing.T) {
	c := config()
	c.Anyone = bridge.Grant{Subscribe: subjects("metrics.>")}
	c.Routes = routes(t, "/config=$KV.config.>", "/load=metrics.*.load", "/all/{x...}=metrics.{x}", "/secret=secret.>")
	b := start(t, c)
	b.get(t, "/config").next(t, bridge.EventOpen, `{"subjects":["$KV.config.>"],"heartbeat":3600}`)
	b.get(t, "/load").next(t, bridge.EventOpen, `{"subjects":["metrics.*.load"],"heartbeat":3600}`)
	for _, path := range []string{"/all/%3E", "/secret", "/events/metrics.*.load"} {
		b.do(t, http.MethodGet, path, nil).problem(t, http.StatusForbidden, "forbidden")
	}
}

func TestResume(t *testing.T) {
	ids := []string{"test-0-1", "test-1-2", "test-2-3", "test-3-4", "test-4-5"}
	const gone, unknown, malformed = "elsewhere-1-1", `{"reason":"unknown","heartbeat":3600}`, `{"reason":"malformed","heartbeat":3600}`
	for _, test := range []struct {
		name, query, header string
		first, data         string
		then                []string
	}{
		{name: "header", header: ids[2], then: []string{"3", "4"}},
		{name: "header, from the beginning", header: ids[0], then: []string{"1", "2", "3", "4"}},
		{name: "header, at the end", header: "test-4"},
		{name: "lastEventId", query: "?lastEventId=" + ids[1], then: []string{"2", "3", "4"}},
		{name: "since", query: "?since=" + ids[3], then: []string{"4"}},
		{name: "since=new", query: "?since=new"},
		{name: "nothing"},
		{name: "empty", query: "?since=&lastEventId="},
		{name: "header before lastEventId", query: "?lastEventId=" + ids[0], header: ids[3], then: []string{"4"}},
		{name: "lastEventId before since", query: "?since=" + ids[0] + "&lastEventId=" + ids[3], then: []string{"4"}},
		{name: "header before since", query: "?since=" + ids[0], header: ids[2], then: []string{"3", "4"}},
		{name: "malformed header", header: "nonsense", first: bridge.EventReset, data: malformed},
		{name: "malformed header with since", query: "?since=" + ids[3], header: "test-01", first: bridge.EventReset, data: malformed, then: []string{"4"}},
		{name: "malformed header beats lastEventId", query: "?lastEventId=" + ids[3], header: "\xff", first: bridge.EventReset, data: malformed},
		{name: "too long a header", header: strings.Repeat("x", 1000), first: bridge.EventReset, data: malformed},
		{name: "another bridge's", header: gone, first: bridge.EventReset, data: unknown},
		{name: "another bridge's in the query", query: "?lastEventId=" + gone, first: bridge.EventReset, data: unknown},
		{name: "another bridge's with since", query: "?since=" + ids[2], header: gone, first: bridge.EventReset, data: unknown, then: []string{"3", "4"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := start(t, config())
			before := b.get(t, "/events/chat.room1") // keeps the feed
			for i, id := range ids {
				if got := before.id(t); got != id {
					t.Fatalf("the id is %s instead of %s", got, id)
				}
				if i < 4 {
					b.deliver("chat.room1", strconv.Itoa(i+1))
				}
			}
			var headers []string
			if test.header != "" {
				headers = []string{"Last-Event-ID", test.header}
			}
			c := b.get(t, "/events/chat.room1"+test.query, headers...)
			if test.first == "" {
				test.first, test.data = bridge.EventOpen, opened
			}
			if id, want := c.next(t, test.first, test.data), ids[4-len(test.then)]; id != want {
				t.Errorf("it begins at %s instead of %s", id, want)
			}
			// What was waiting, and nothing else before what comes now.
			b.deliver("chat.room1", "live")
			for _, data := range test.then {
				c.next(t, "message", data)
			}
			if strings.Contains(test.query, "since="+ids[0][:4]) {
				c.next(t, bridge.EventSynced, "{}")
			}
			c.next(t, "message", "live")
			stats := b.hub.Stats()
			if resets := stats.Resets[bridge.ResetMalformed] + stats.Resets[bridge.ResetUnknown]; (resets == 1) != (test.first == bridge.EventReset) {
				t.Errorf("%v", stats.Resets)
			}
			b.quiet(t)
		})
	}
}

// A body means nothing on GET. It must not keep the bridge from seeing that the client has gone.
func TestGetWithBody(t *testing.T) {
	b := start(t, config())
	c := b.send(t, http.MethodGet, "/events/chat.room1", io.MultiReader(strings.NewReader("x")))
	if c.StatusCode != http.StatusOK {
		t.Fatal(c.Status)
	}
	c.Body.Close()
	bridgetest.Eventually(t, "the hang-up is seen", func() bool { return b.hub.Stats().Readers == 0 })
	b.do(t, http.MethodGet, "/events/chat.room1", strings.NewReader(strings.Repeat("x", bodyLimit+1))).problem(t, http.StatusRequestEntityTooLarge, "too-large")
}
