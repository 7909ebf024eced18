package e2e

import (
	"net/http"
	"strings"
	"testing"

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
	if err != nil {
		t.Fatal(err)
	}
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

// A server that ends the bridge's connection for good, as for a message that is larger than it allows since a reload, ends the bridge, which
// says why. Another start knows the limit.
func TestConnectionThatEndsForGood(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := bridgetest.StartNATSServer(t, "-c", writeFile(t, dir, "nats.conf", "max_payload: 100000"))
	s := settings{"NATS_URL": server.URL(), "ANONYMOUS_PUBLISH": "chat.>"}
	log := new(logBuffer)
	n := startLogged(t, s, log)
	large := strings.Repeat("x", 10_000)
	if status, body := post(t, n.URL()+"/events/chat.a", large); status != http.StatusAccepted {
		t.Errorf("POST answers %d %s", status, body)
	}
	writeFile(t, dir, "nats.conf", "max_payload: 1000")
	server.Reload(t)
	eventually(t, "the connection has ended", func() bool {
		post(t, n.URL()+"/events/chat.a", large)
		select {
		case <-n.Live.Done():
			return true
		default:
			return false
		}
	})
	wantAll(t, "the log", log.String(), "ended a connection of this bridge for good", "Maximum Payload Violation", "max_payload was lowered")
	if status, body := post(t, startNode(t, s).URL()+"/events/chat.a", large); status != http.StatusRequestEntityTooLarge {
		t.Errorf("after another start POST answers %d %s", status, body)
	}
}
