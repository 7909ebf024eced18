package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

func TestPublishedMessageReachesEveryReader(t *testing.T) {
	t.Parallel()
	n := startNode(t, nil)
	first, opening := subscribe(t, n.URL()+"/events/chat.room1", "")
	second, _ := subscribe(t, n.URL()+"/events/chat/room1", "")
	if opening.Type != "tailwater:open" || opening.Data != `{"subjects":["chat.room1"],"heartbeat":15}` {
		t.Errorf("the connection begins with %+v", opening)
	}
	conn := publisher(t, n.NATSURL())
	noError(t, conn.Publish("chat.room1", []byte("hello")))
	first.expect("message", "hello")
	second.expect("message", "hello")

	status, body := post(t, n.URL()+"/events/chat.room1", "from a browser")
	if status != http.StatusCreated || !strings.HasPrefix(body, `{"subject":"chat.room1","id":"`) || !strings.HasSuffix(body, `-2","stream":"TAILWATER","seq":2,"duplicate":false}`+"\n") {
		t.Errorf("POST answers %d %s", status, body)
	}
	first.expect("message", "from a browser")
	second.expect("message", "from a browser")
}

// Where nothing is stored, who comes back soon continues from memory.
func TestResumeFromMemory(t *testing.T) {
	t.Parallel()
	n := startNode(t, settings{"HISTORY": ""})
	conn := publisher(t, n.NATSURL())
	url := n.URL() + "/events/chat.room1"
	before, _ := subscribe(t, url, "")
	_ = conn.Publish("chat.room1", []byte("one"))
	last := before.expect("message", "one").ID
	before.body.Close()
	_ = conn.Publish("chat.room1", []byte("two"))
	_ = conn.Publish("chat.room1", []byte("three"))

	after, opening := subscribe(t, url, last)
	if opening.Type != "tailwater:open" || opening.ID != last {
		t.Errorf("a connection that continues exactly begins with %+v", opening)
	}
	after.expect("message", "two")
	after.expect("message", "three")
}

// A position that means nothing is told: of another bridge where nothing is stored, or of a stream made anew.
func TestPositionOfAnotherProcessIsReset(t *testing.T) {
	t.Parallel()
	for history, reason := range map[string]string{"": "unknown", "chat.>": "recreated"} {
		first := startNode(t, settings{"HISTORY": history})
		_, opening := subscribe(t, first.URL()+"/events/chat.room1", "")
		second := startNode(t, settings{"HISTORY": history})
		_, again := subscribe(t, second.URL()+"/events/chat.room1", opening.ID)
		if again.Type != "tailwater:reset" || again.Data != `{"reason":"`+reason+`","heartbeat":15}` {
			t.Errorf("with the history %q, the connection begins with %+v", history, again)
		}
	}
}

func TestSeveralSubjectsOnOneConnection(t *testing.T) {
	t.Parallel()
	n := startNode(t, settings{"ROUTES": "/room/{name}=chat.{name}"})
	conn := publisher(t, n.NATSURL())
	both, _ := subscribe(t, n.URL()+"/events?subject=chat.a&subject=chat.b", "")
	route, _ := subscribe(t, n.URL()+"/room/a?event=subject", "")
	for _, subject := range []string{"chat.a", "chat.b", "chat.a"} {
		message := nats.NewMsg(subject)
		message.Data = []byte("to " + subject)
		message.Header.Set("Trace", "7")
		noError(t, conn.PublishMsg(message))
		var object struct {
			Subject, ID, Data string
			Time              time.Time
			Headers           map[string][]string
		}
		event := both.next()
		noError(t, json.Unmarshal([]byte(event.Data), &object))
		if object.Subject != subject || object.Data != "to "+subject || object.ID != event.ID || object.Headers["Trace"][0] != "7" || object.Time.IsZero() {
			t.Errorf("got %+v with id %s", object, event.ID)
		}
	}
	route.expect("chat.a", "to chat.a")
	route.expect("chat.a", "to chat.a")
}

func TestClock(t *testing.T) {
	t.Parallel()
	n := startNode(t, nil)
	clock, _ := subscribe(t, n.URL()+"/events/time.now", "")
	for range 2 {
		tick := clock.next()
		if _, err := time.Parse(time.RFC3339, tick.Data); err != nil {
			t.Errorf("the clock says %q: %v", tick.Data, err)
		}
	}
}

func TestNothingListensOnABusyPort(t *testing.T) {
	t.Parallel()
	n := startNode(t, nil)
	for _, name := range []string{"HTTP_LISTEN", "ADMIN_LISTEN", "EMBED_LISTEN"} {
		_, err := openNode(t, settings{name: n.Address().String()})
		if err == nil || !strings.Contains(err.Error(), "TAILWATER_"+name) {
			t.Errorf("busy %s: the error is %v", name, err)
		}
	}
}
