package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// A bridge that lost NATS stays ready as long as the setting says, and is ready again when NATS is back.
func TestReadyWithoutNATS(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	forever := startNode(t, settings{"NATS_URL": server.URL()})
	impatient := startNode(t, settings{"NATS_URL": server.URL(), "ADMIN_READY_WITHOUT_NATS": "10ms"})
	ready := func(n *testNode, status int, text string) func() bool {
		return func() bool {
			got, body := get(t, n.AdminURL()+"/readyz")
			return got == status && strings.Contains(body, text)
		}
	}
	eventually(t, "both are ready", func() bool {
		return ready(forever, http.StatusOK, "connected")() && ready(impatient, http.StatusOK, "connected")()
	})
	server.Kill()
	eventually(t, "the impatient is not", ready(impatient, http.StatusServiceUnavailable, "ADMIN_READY_WITHOUT_NATS"))
	eventually(t, "the other is", ready(forever, http.StatusOK, "NATS is unreachable"))
	server.Start(t)
	eventually(t, "it is again", ready(impatient, http.StatusOK, "connected"))
}

func TestLostNATSIsAnnounced(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	n := startNode(t, settings{"NATS_URL": server.URL(), "ANONYMOUS_SUBSCRIBE": "chat.>", "ANONYMOUS_PUBLISH": "chat.>", "LIMIT_PUBLISH_RATE": "0"})
	url := n.URL() + "/events/chat.room1"
	reader, opening := subscribe(t, url, "")
	post(t, url, "before")
	reader.expect("message", "before")

	server.Kill()
	eventually(t, "POST is refused while NATS is unreachable", func() bool {
		status, _ := post(t, url, "lost")
		return status == http.StatusServiceUnavailable
	})
	response, err := http.Post(url, "text/plain", strings.NewReader("lost"))
	noError(t, err)
	response.Body.Close()
	if response.Header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	eventually(t, "readyz says that NATS is unreachable, and that browsers may connect", func() bool {
		status, body := get(t, n.AdminURL()+"/readyz")
		return status == http.StatusOK && strings.Contains(body, "unreachable")
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
	t.Parallel()
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

// A server ends connections for good after a message that is larger than it allows since a reload. That ends neither the bridge nor a browser's
// connection: the bridge connects again, knows the limit, and has everything that it had before.
func TestConnectionThatEndsForGood(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	allow := func(bytes int) string { return writeFile(t, dir, "nats.conf", fmt.Sprint("max_payload: ", bytes)) }
	server := bridgetest.StartNATSServer(t, "-c", allow(100_000))
	log := new(bridgetest.Output)
	n := startLogged(t, settings{
		"NATS_URL": server.URL(), "ANONYMOUS_SUBSCRIBE": "chat.>,kept.>", "ANONYMOUS_PUBLISH": "chat.>,kept.>,ask.>", "HISTORY": "kept.>",
		"LIMIT_PUBLISH_RATE": "0", "ROUTES": "ASK /ask/{model}=ask.{model}",
	}, log)
	worker := publisher(t, server.URL())
	if _, err := worker.Subscribe("ask.>", func(m *nats.Msg) { _ = m.Respond([]byte("yes")) }); err != nil {
		t.Fatal(err)
	}
	chat, kept, ask := n.URL()+"/events/chat.a", n.URL()+"/events/kept.a", n.URL()+"/ask/a"
	stored, _ := subscribe(t, kept, "")
	unstored, _ := subscribe(t, chat, "")
	for i, test := range []struct {
		url    string
		status int
	}{{chat, http.StatusAccepted}, {kept, http.StatusCreated}, {ask, http.StatusOK}} {
		limit := 10_000 >> i
		large, last := strings.Repeat("x", limit+1), fmt.Sprint("last ", i)
		if status, body := post(t, test.url, large); status != test.status {
			t.Errorf("a large POST to %s answers %d %s", test.url, status, body)
		}
		allow(limit)
		server.Reload(t)
		eventually(t, "the limit is in force", func() bool { return publisher(t, server.URL()).MaxPayload() == int64(limit) })
		if status, body := post(t, test.url, large); status != http.StatusRequestEntityTooLarge || !strings.Contains(body, "larger than NATS") {
			t.Errorf("after the limit was lowered, a large POST to %s answers %d %s", test.url, status, body)
		}
		for isLost := test.url != ask; isLost; { // questions are asked on the connection for reads
			isLost = unstored.next().Type != "tailwater:gap"
		}
		for _, url := range []string{chat, kept, test.url} {
			eventually(t, "a small POST is accepted at "+url, func() bool {
				status, _ := post(t, url, last)
				return status/100 == 2
			})
		}
		for _, reader := range []*subscription{stored, unstored} {
			for data := ""; data != last; {
				event := reader.next()
				if data = event.Data; reader == stored && event.Type != "message" {
					t.Errorf("who reads what is stored is told %s", event.Type)
				}
			}
		}
	}
	eventually(t, "the service is there again", func() bool {
		_, err := worker.Request("$SRV.PING.tailwater", nil, time.Second)
		return err == nil
	})
	wantAll(t, "the log", log.String(), "NATS has ended a connection of this bridge", "Maximum Payload Violation", "max_payload was lowered")
}
