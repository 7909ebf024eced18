package httpapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/httpapi"
)

// keeper is a Presence that remembers who came and left. It lists who is on chat.> by itself, so that no bucket is needed.
type keeper struct {
	t      *testing.T
	mu     sync.Mutex
	events []string
	here   []bridge.PresenceMember
}

func (k *keeper) Overlaps(filter bridge.Subject) bool { return filter.Overlaps("chat.>") }

func (k *keeper) Join(subjects []bridge.Subject, v bridge.Visitor) (leave func(isDead bool)) {
	what := fmt.Sprintf("%s %q %q", subjects, v.Name, v.Sub)
	k.note("join " + what)
	isOver := false
	return func(bool) {
		if isOver {
			k.t.Errorf("%s has left twice", what)
		}
		isOver = true
		k.note("leave " + what)
	}
}

func (k *keeper) note(event string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.events = append(k.events, event)
}

func (k *keeper) all() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.events)
}

func (k *keeper) own(subject bridge.Subject) []bridge.Presence {
	return []bridge.Presence{{Subject: string(subject), Count: len(k.here), Members: append([]bridge.PresenceMember{}, k.here...)}}
}

// startKept starts an API that keeps who is on chat.>.
func startKept(t *testing.T, c httpapi.Config, names ...string) (*fixture, *keeper) {
	t.Helper()
	k := &keeper{t: t}
	for _, name := range names {
		k.here = append(k.here, bridge.PresenceMember{Name: name})
	}
	c.Presence = k
	b := start(t, c)
	b.hub.KeepMembers(k.own)
	return b, k
}

// wantEvents waits until just these have come and left, in this order.
func (k *keeper) wantEvents(t *testing.T, want ...string) {
	t.Helper()
	bridgetest.Eventually(t, strings.Join(want, ", "), func() bool { return len(k.all()) >= len(want) })
	if got := k.all(); !slices.Equal(got, want) {
		t.Errorf("came and left: %q, want %q", got, want)
	}
}

const adaIsHere = `{"type":"state","subject":"chat.room1","count":1,"members":[{"name":"Ada","since":"0001-01-01T00:00:00Z"}]}`

// TestWhoIsAMember: who holds a connection open, under the name that the token says, or that an anonymous caller chooses; nobody else.
func TestWhoIsAMember(t *testing.T) {
	family := "\U0001F469\u200d\U0001F469\u200d\U0001F467"
	for target, want := range map[string]string{
		"/events/chat.room1":                                                    `[chat.room1] "" ""`,
		"/events/chat.room1?name=Ada":                                           `[chat.room1] "Ada" ""`,
		"/events/chat.room1?name=%20%09Ada%20&presence=1":                       `[chat.room1] "Ada" ""`,
		"/events/chat.room1?name=%E5%B1%B1%E7%94%B0%E3%80%80%E5%A4%AA%E9%83%8E": `[chat.room1] "山田 太郎" ""`,
		"/events/chat.room1?name=" + family:                                     fmt.Sprintf("[chat.room1] %q %q", family, ""),
		"/events/chat.room1?name=" + strings.Repeat("x", 64):                    `[chat.room1] "` + strings.Repeat("x", 64) + `" ""`,
		"/events/chat.room1?name=Ada&since=all&format=json&max=4KiB":            `[chat.room1] "Ada" ""`,
		"/events?subject=chat.a&subject=chat.b&name=Ada":                        `[chat.a chat.b] "Ada" ""`,
		"/events?subject=chat.a&subject=time.now&presence=1":                    `[chat.a time.now] "" ""`,
		"/rooms/room1?name=Ada&presence=1":                                      `[chat.room1] "Ada" ""`,
		"/events/chat/%E9%83%A8%E5%B1%8B?name=Ada":                              `[chat.部屋] "Ada" ""`,
	} {
		t.Run(target, func(t *testing.T) {
			c := config()
			c.Routes = routes(t, "/rooms/{room}=chat.{room}")
			b, k := startKept(t, c)
			stream := b.get(t, target)
			k.wantEvents(t, "join "+want)
			stream.response.Body.Close()
			k.wantEvents(t, "join "+want, "leave "+want)
		})
	}
}

// TestWhoIsNoMember: what asks once, what observes, and what is refused.
func TestWhoIsNoMember(t *testing.T) {
	b, k := startKept(t, config(), "Ada")
	b.get(t, "/events/chat.room1?presence=observe&name=Ada")
	b.get(t, "/presence/chat.room1", "Accept", "text/event-stream")
	b.do(t, http.MethodGet, "/presence/chat.room1?name=Ada", nil)
	b.do(t, http.MethodGet, "/events/chat.room1?poll=1&name=Ada&presence=1", nil)
	b.do(t, http.MethodHead, "/events/chat.room1?name=Ada", nil)
	b.do(t, http.MethodPost, "/events/chat.room1?name=Ada", strings.NewReader("hi"))
	b.do(t, http.MethodGet, "/events/secret.room1?name=Ada", nil)
	if got := k.all(); len(got) > 0 {
		t.Errorf("members: %q", got)
	}
}

// TestNameOfCaller: a token's name is the caller's, whatever the URL says. Without a name it is the sub.
func TestNameOfCaller(t *testing.T) {
	long := strings.Repeat("größe", 20)
	for name, test := range map[string]struct {
		caller bridge.Caller
		want   string
	}{
		"name":        {bridge.Caller{Name: "alice", Claims: map[string]string{"name": " Alice Liddell "}}, `"Alice Liddell" "alice"`},
		"sub":         {bridge.Caller{Name: "alice"}, `"alice" "alice"`},
		"bad name":    {bridge.Caller{Name: "alice", Claims: map[string]string{"name": "A\u202elice"}}, `"alice" "alice"`},
		"long sub":    {bridge.Caller{Name: long}, fmt.Sprintf("%q %q", long[:64], long)},
		"strange sub": {bridge.Caller{Name: "a\x00b"}, `"a�b" "a\x00b"`},
		"anonymous":   {bridge.Caller{}, `"Mallory" ""`},
	} {
		t.Run(name, func(t *testing.T) {
			c := config()
			c.Caller = func(*http.Request) (bridge.Caller, error) { return test.caller, nil }
			b, k := startKept(t, c)
			b.get(t, "/events/chat.room1?name=Mallory")
			k.wantEvents(t, "join [chat.room1] "+test.want)
		})
	}
}

// TestPresenceIsRefused: each with its problem.
func TestPresenceIsRefused(t *testing.T) {
	b, _ := startKept(t, config())
	for _, test := range []struct {
		method, target string
		status         int
		slug           string
	}{
		{http.MethodGet, "/events/chat.room1?presence=yes", 400, "bad-query"},
		{http.MethodGet, "/events/chat.room1?presense=1", 400, "bad-query"},
		{http.MethodGet, "/events/chat.room1?presence=1&poll=1&until=e-7", 400, "bad-query"},
		{http.MethodGet, "/presence/chat.room1?poll=1&until=e-7", 400, "bad-query"},
		{http.MethodGet, "/events/chat.room1?name=" + strings.Repeat("x", 65), 400, "bad-query"},
		{http.MethodGet, "/events/chat.room1?name=a%00b", 400, "bad-query"},
		{http.MethodGet, "/events/chat.room1?name=a%0Ab", 400, "bad-query"},
		{http.MethodGet, "/events/chat.room1?name=%E2%80%AEevil", 400, "bad-query"},
		{http.MethodGet, "/events/chat.room1?name=a%E2%80%8D", 400, "bad-query"},
		{http.MethodGet, "/events/chat.room1?name=%ff", 400, "bad-query"},
		{http.MethodGet, "/events/time.now?presence=1", 400, "bad-query"},
		{http.MethodGet, "/presence/time.now", 404, "not-found"},
		{http.MethodGet, "/presence/", 400, "bad-subject"},
		{http.MethodGet, "/presence/chat..a", 400, "bad-subject"},
		{http.MethodGet, "/presence/secret.a", 403, "forbidden"},
		{http.MethodGet, "/events/secret.a?presence=1", 403, "forbidden"},
		{http.MethodGet, "/presence/$KV.tailwater_presence.chat.a", 403, "forbidden"},
		{http.MethodGet, "/presence/_lease.a", 403, "forbidden"},
		{http.MethodHead, "/presence/chat.room1", 405, "method"},
		{http.MethodPost, "/presence/chat.room1", 405, "method"},
		{http.MethodPut, "/presence/chat.room1", 405, "method"},
	} {
		a := b.do(t, test.method, test.target, nil)
		if test.method == http.MethodHead {
			if a.status != test.status {
				t.Errorf("%s %s: %d", test.method, test.target, a.status)
			}
			continue
		}
		t.Run(test.target, func(t *testing.T) { a.problem(t, test.status, test.slug) })
		if allow := a.header.Get("Allow"); test.status == 405 && allow != "GET, OPTIONS" {
			t.Errorf("%s %s: Allow: %s", test.method, test.target, allow)
		}
	}
	if a := b.do(t, http.MethodOptions, "/presence/chat.room1", nil); a.status != http.StatusNoContent || a.header.Get("Allow") != "GET, OPTIONS" {
		t.Errorf("OPTIONS: %d, Allow: %s", a.status, a.header.Get("Allow"))
	}
	without := start(t, config()) // keeps nobody
	without.do(t, http.MethodGet, "/events/chat.room1?presence=1", nil).problem(t, 400, "bad-query")
	without.do(t, http.MethodGet, "/presence/chat.room1", nil).problem(t, 404, "not-found")
}

// TestMemberList: who is there now, as a JSON document.
func TestMemberList(t *testing.T) {
	b, _ := startKept(t, config(), "Ada", "<Ben>")
	for _, accept := range []string{"", "*/*", "application/json", "application/json, text/event-stream;q=0.5", "text/event-stream;q=0, */*"} {
		a := b.do(t, http.MethodGet, "/presence/chat.room1", nil, "Accept", accept)
		const want = `{"subject":"chat.room1","count":2,"members":[{"name":"Ada","since":"0001-01-01T00:00:00Z"},{"name":"<Ben>","since":"0001-01-01T00:00:00Z"}]}` + "\n"
		if a.status != http.StatusOK || a.body != want || a.header.Get("Content-Type") != "application/json" || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("Accept: %s: %d %s %s %s", accept, a.status, a.header.Get("Content-Type"), a.header.Get("Cache-Control"), a.body)
		}
	}
	if readers := b.hub.Stats().Readers; readers > 0 {
		t.Errorf("%d are still reading", readers)
	}
	empty, _ := startKept(t, config())
	if a := empty.do(t, http.MethodGet, "/presence/chat/room2", nil); a.body != `{"subject":"chat.room2","count":0,"members":[]}`+"\n" {
		t.Errorf("of an empty room: %s", a.body)
	}
}

// TestMemberListWhileDraining: a document can be answered 503, so it is.
func TestMemberListWhileDraining(t *testing.T) {
	b, _ := startKept(t, config(), "Ada")
	b.api.Drain(time.Now().Add(time.Second))
	a := b.do(t, http.MethodGet, "/presence/chat.room1", nil)
	a.problem(t, 503, "busy")
	if a.header.Get("Retry-After") == "" {
		t.Error("it does not say when to come back")
	}
	b.get(t, "/presence/chat.room1", "Accept", "text/event-stream").next(t, bridge.EventClose, `{"reason":"drain"}`)
}

// TestPresenceStreams: in every form, the connection begins with who is there.
func TestPresenceStreams(t *testing.T) {
	b, _ := startKept(t, config(), "Ada")
	for _, target := range []string{"/presence/chat.room1", "/presence/chat/room1?format=json", "/events/chat.room1?presence=1", "/events/chat.room1?presence=observe"} {
		c := b.get(t, target, "Accept", "text/event-stream")
		c.next(t, bridge.EventOpen, opened)
		c.next(t, bridge.EventPresence, adaIsHere)
	}
	several := b.get(t, "/events?subject=chat.a&subject=chat.b&presence=1")
	several.next(t, bridge.EventOpen, `{"subjects":["chat.a","chat.b"],"heartbeat":3600}`)
	several.next(t, bridge.EventPresence, strings.Replace(adaIsHere, "chat.room1", "chat.a", 1))
	several.next(t, bridge.EventPresence, strings.Replace(adaIsHere, "chat.room1", "chat.b", 1))

	c := b.get(t, "/events/chat.room1?presence=1")
	c.next(t, bridge.EventOpen, opened)
	c.next(t, bridge.EventPresence, adaIsHere)
	b.deliver("chat.room1", "hello")
	c.next(t, "message", "hello")
	b.deliver("$KV.tailwater_presence.chat.room1", `{"type":"join","count":2,"members":[{"name":"Ada","since":"2026-01-02T03:04:05Z"}],"joined":["Ben"]}`)
	id := c.next(t, bridge.EventPresence, `{"type":"join","subject":"chat.room1","count":2,"members":[{"name":"Ada","since":"2026-01-02T03:04:05Z"}],"joined":["Ben"]}`)
	again := b.get(t, "/events/chat.room1?presence=1", "Last-Event-ID", id)
	again.next(t, bridge.EventOpen, opened)
	again.next(t, bridge.EventPresence, adaIsHere)
	plain := b.get(t, "/events/chat.room1", "Last-Event-ID", id) // nor is anything missing without members
	plain.next(t, bridge.EventOpen, opened)
}

// TestPresencePolls: a poll says who is there, and ends.
func TestPresencePolls(t *testing.T) {
	b, _ := startKept(t, config(), "Ada")
	for _, target := range []string{"/presence/chat.room1?poll=1", "/events/chat.room1?poll=1&presence=1"} {
		a := b.do(t, http.MethodGet, target, nil)
		lines := bytes.Split([]byte(strings.TrimSpace(a.body)), []byte("\n"))
		if a.status != http.StatusOK || len(lines) != 3 || a.header.Get("Content-Type") != "application/x-ndjson" || a.header.Get("Cache-Control") != "no-store, no-transform" {
			t.Fatalf("%s: %d %s", target, a.status, a.body)
		}
		var event struct{ Event, Data string }
		if err := json.Unmarshal(lines[1], &event); err != nil || event.Event != bridge.EventPresence || event.Data != adaIsHere {
			t.Errorf("%s: %s", target, lines[1])
		}
	}
	c := b.get(t, "/presence/chat.room1", "Accept", "application/x-ndjson")
	if got := c.response.Header.Get("Content-Type"); got != "application/x-ndjson" {
		t.Errorf("Content-Type: %s", got)
	}
}

// TestEveryLeaveIsOne: whatever ends a connection, and whatever writes it, its client leaves once.
func TestEveryLeaveIsOne(t *testing.T) {
	for loops := range 2 {
		t.Run(fmt.Sprint("loops ", loops), func(t *testing.T) {
			k := &keeper{t: t}
			c := config()
			c.Presence = k
			b := startWith(t, c, loops)
			const clients = 20
			var open []*connection
			for i := range clients {
				open = append(open, b.get(t, fmt.Sprint("/events/chat.room1?name=", i)))
			}
			bridgetest.Eventually(t, "all have joined", func() bool { return len(k.all()) == clients })
			for _, c := range open[:clients/2] {
				c.response.Body.Close()
			}
			bridgetest.Eventually(t, "half have left", func() bool { return len(k.all()) == clients+clients/2 })
			b.outlet.Drain(t.Context(), 0)
			b.get(t, "/events/chat.room1?name=late") // handed to an outlet that is over
			bridgetest.Eventually(t, "all have left", func() bool { return len(k.all()) == 2*clients+2 })
			b.server.Close()
			if got := len(k.all()); got != 2*clients+2 {
				t.Errorf("%d joins and leaves of %d clients", got, clients+1)
			}
		})
	}
}
