package e2e

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

func TestPublishedMessageReachesEveryReader(t *testing.T) {
	n := startNode(t, nil)
	first, opening := subscribe(t, n.URL()+"/events/chat.room1", "")
	second, _ := subscribe(t, n.URL()+"/events/chat/room1", "")
	if opening.Type != "tailwater:open" || opening.Data != `{"subjects":["chat.room1"],"heartbeat":15}` {
		t.Errorf("the connection begins with %+v", opening)
	}
	conn := publisher(t, n.NATSURL())
	if err := conn.Publish("chat.room1", []byte("hello")); err != nil {
		t.Fatal(err)
	}
	first.expect("message", "hello")
	second.expect("message", "hello")

	status, body := post(t, n.URL()+"/events/chat.room1", "from a browser")
	if status != http.StatusCreated || !strings.HasPrefix(body, `{"subject":"chat.room1","id":"`) || !strings.HasSuffix(body, `-2","stream":"TAILWATER","seq":2,"duplicate":false}`+"\n") {
		t.Errorf("POST answers %d %s", status, body)
	}
	first.expect("message", "from a browser")
	second.expect("message", "from a browser")
}

func TestResumeFromMemory(t *testing.T) {
	n := startNode(t, nil)
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
	n := startNode(t, settings{"ROUTES": "/room/{name}=chat.{name}"})
	conn := publisher(t, n.NATSURL())
	both, _ := subscribe(t, n.URL()+"/events?subject=chat.a&subject=chat.b", "")
	route, _ := subscribe(t, n.URL()+"/room/a?event=subject", "")
	for _, subject := range []string{"chat.a", "chat.b", "chat.a"} {
		message := nats.NewMsg(subject)
		message.Data = []byte("to " + subject)
		message.Header.Set("Trace", "7")
		if err := conn.PublishMsg(message); err != nil {
			t.Fatal(err)
		}
		var object struct {
			Subject, ID, Data string
			Time              time.Time
			Headers           map[string][]string
		}
		event := both.next()
		if err := json.Unmarshal([]byte(event.Data), &object); err != nil {
			t.Fatal(err)
		}
		if object.Subject != subject || object.Data != "to "+subject || object.ID != event.ID || object.Headers["Trace"][0] != "7" || object.Time.IsZero() {
			t.Errorf("got %+v with id %s", object, event.ID)
		}
	}
	route.expect("chat.a", "to chat.a")
	route.expect("chat.a", "to chat.a")
}

func TestClock(t *testing.T) {
	n := startNode(t, nil)
	clock, _ := subscribe(t, n.URL()+"/events/time.now", "")
	for range 2 {
		tick := clock.next()
		if _, err := time.Parse(time.RFC3339, tick.Data); err != nil {
			t.Errorf("the clock says %q: %v", tick.Data, err)
		}
	}
}

func TestLostNATSIsAnnounced(t *testing.T) {
	server := bridgetest.StartNATSServer(t)
	n := startNode(t, settings{"NATS_URL": server.URL(), "ANONYMOUS_SUBSCRIBE": "chat.>", "ANONYMOUS_PUBLISH": "chat.>", "LIMIT_PUBLISH_RATE": "0"})
	url := n.URL() + "/events/chat.room1"
	reader, opening := subscribe(t, url, "")
	post(t, url, "before")
	reader.expect("message", "before")

	server.Kill()
	eventually(t, "POST is refused while NATS is away", func() bool {
		status, _ := post(t, url, "lost")
		return status == http.StatusServiceUnavailable
	})
	response, err := http.Post(url, "text/plain", strings.NewReader("lost"))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.Header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	eventually(t, "readyz says that NATS is away, and that browsers may come", func() bool {
		status, body := get(t, n.AdminURL()+"/readyz")
		return status == http.StatusOK && strings.Contains(body, "away")
	})
	waiting := dial(t, url+"?since=new", "") // answered at once, and held

	server.Start(t)
	gap := reader.next()
	if gap.Type != "tailwater:gap" || !strings.Contains(gap.Data, `"reason":"disconnected"`) {
		t.Errorf("after the loss comes %+v", gap)
	}
	if gap.ID == opening.ID {
		t.Errorf("the gap does not move the position %s", gap.ID)
	}
	if event := waiting.next(); event.Type != "tailwater:open" && event.Type != "tailwater:gap" {
		t.Errorf("the connection that waited begins with %+v", event)
	}
	eventually(t, "POST is accepted again", func() bool {
		status, _ := post(t, url, "after")
		return status == http.StatusAccepted
	})
	reader.expect("message", "after")
}

func TestStartsWithoutNATS(t *testing.T) {
	server := bridgetest.StartNATSServer(t)
	server.Kill()
	n := startNode(t, settings{"NATS_URL": server.URL(), "ANONYMOUS_SUBSCRIBE": "chat.>", "ANONYMOUS_PUBLISH": "chat.>"})
	if status, body := get(t, n.AdminURL()+"/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("readyz before the first connection: %d %s", status, body)
	}
	if status, _ := get(t, n.AdminURL()+"/healthz"); status != http.StatusOK {
		t.Errorf("healthz before the first connection: %d", status)
	}
	held := dial(t, n.URL()+"/events/chat.room1", "")
	server.Start(t)
	held.expect("tailwater:open", `{"subjects":["chat.room1"],"heartbeat":15}`)
	post(t, n.URL()+"/events/chat.room1", "hello")
	held.expect("message", "hello")
	if status, _ := get(t, n.AdminURL()+"/readyz"); status != http.StatusOK {
		t.Errorf("readyz with NATS: %d", status)
	}
}

func TestStopTellsEveryConnection(t *testing.T) {
	n := startNode(t, nil)
	var readers []*subscription
	for range 20 {
		reader, _ := subscribe(t, n.URL()+"/events/chat.room1", "")
		readers = append(readers, reader)
	}
	n.stop(t)
	for _, reader := range readers {
		reader.expect("tailwater:close", `{"reason":"drain"}`)
		if _, err := reader.Next(); err == nil {
			t.Error("the connection goes on after its end")
		}
	}
}

func TestNothingListensOnABusyPort(t *testing.T) {
	n := startNode(t, nil)
	for _, name := range []string{"HTTP_LISTEN", "ADMIN_LISTEN", "EMBED_LISTEN"} {
		_, err := openNode(t, settings{name: n.Address().String()})
		if err == nil || !strings.Contains(err.Error(), "TAILWATER_"+name) {
			t.Errorf("busy %s: the error is %v", name, err)
		}
		t.Setenv("TAILWATER_"+name, "127.0.0.1:0")
	}
}

func TestMetrics(t *testing.T) {
	n := startNode(t, nil)
	reader, _ := subscribe(t, n.URL()+"/events/chat.secretroom", "")
	post(t, n.URL()+"/events/chat.secretroom", "hello")
	reader.expect("message", "hello")
	get(t, n.URL()+"/events/a..b")
	get(t, n.URL()+"/events/chat.secretroom?poll=1")
	_, text := get(t, n.AdminURL()+"/metrics")
	for _, line := range []string{
		`tailwater_connections{writer="loop"} 1`, "tailwater_feeds 2", "tailwater_events_in_total 1", "tailwater_bytes_in_total 5",
		`tailwater_publishes_total{result="accepted"} 1`, "tailwater_requests_refused_total 1", "tailwater_nats_connected 1",
		`tailwater_connections_closed_total{reason="slow"} 0`, `tailwater_gaps_total{reason="disconnected"} 0`,
		"tailwater_polls_total 1", "tailwater_polls_cut_total 0",
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("the metrics lack %s", line)
		}
	}
	if strings.Contains(text, "secretroom") || strings.Contains(text, "127.0.0.1") {
		t.Error("a metric names a subject or an address")
	}
}

func TestProfilesOnlyOnLoopback(t *testing.T) {
	n := startNode(t, nil)
	if status, _ := get(t, n.AdminURL()+"/debug/pprof/heap"); status != http.StatusOK {
		t.Errorf("profiles on loopback: %d", status)
	}
	request, err := http.NewRequest(http.MethodGet, n.AdminURL()+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = "rebound.example.com"
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if status, _ := answer(t, response); status != http.StatusMisdirectedRequest {
		t.Errorf("a foreign host name gets %d", status)
	}
}

func TestBannerLinesWork(t *testing.T) {
	n := startNode(t, nil)
	banner := n.Banner()
	for _, want := range []string{
		n.URL() + "/\n",
		"curl -N " + n.URL() + "/events/chat.room1\n",
		"curl -d hello " + n.URL() + "/events/chat.room1\n",
		"nats -s " + n.NATSURL() + " pub chat.room1 hello\n",
	} {
		if !strings.Contains(banner, want) {
			t.Errorf("the banner lacks %q:\n%s", want, banner)
		}
	}
	if !regexp.MustCompile(`nats://127\.0\.0\.1:\d+`).MatchString(banner) {
		t.Errorf("the banner names no NATS URL:\n%s", banner)
	}
}

// Where the embedded server asks for a credential, the banner says which, and how tokens are taken back.
func TestBannerNamesTheCredential(t *testing.T) {
	n := startNode(t, signedIn(settings{"ANONYMOUS_SUBSCRIBE": "chat.>"}))
	dir := n.Settings.Embed.Dir
	for _, want := range []string{
		filepath.Join(dir, publisherFile) + "\n",
		"nats --context " + filepath.Join(dir, publisherFile) + " pub chat.room1 hello\n",
		"nats --context " + filepath.Join(dir, adminFile) + " kv put tailwater_revoked sub.alice ''\n",
	} {
		if !strings.Contains(n.Banner(), want) {
			t.Errorf("the banner lacks %q:\n%s", want, n.Banner())
		}
	}
	credentialIn(t, dir, publisherFile)
	credentialIn(t, dir, adminFile)
	secrets.Overhear(n.Banner())
}

// With one's own NATS the banner names what may be used there, and nothing that is refused.
func TestBannerNamesWhatIsAllowed(t *testing.T) {
	server := bridgetest.StartNATSServer(t)
	n := startNode(t, settings{"NATS_URL": server.URL(), "ANONYMOUS_SUBSCRIBE": "news.*.latest,orders.>", "ANONYMOUS_PUBLISH": "orders.>"})
	banner := n.Banner()
	for _, want := range []string{
		n.URL() + "/\n", // the page, which offers them
		"curl -N " + n.URL() + "/events/news.a.latest\n",
		"nats -s " + server.URL() + " pub news.a.latest hello\n",
		"curl -d hello " + n.URL() + "/events/orders.a\n",
	} {
		if !strings.Contains(banner, want) {
			t.Errorf("the banner lacks %q:\n%s", want, banner)
		}
	}
	for _, refused := range []string{"Clock", "chat.room1"} {
		if strings.Contains(banner, refused) {
			t.Errorf("the banner names %s, which is refused:\n%s", refused, banner)
		}
	}
	reader, _ := subscribe(t, n.URL()+"/events/news.a.latest", "")
	if err := publisher(t, server.URL()).Publish("news.a.latest", []byte("hello")); err != nil {
		t.Fatal(err)
	}
	reader.expect("message", "hello")
}
