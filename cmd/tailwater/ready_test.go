package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/configs"
)

// A bridge that lost NATS stays ready as long as the setting says, and is ready again when NATS is back.
func TestReadyWithoutNATS(t *testing.T) {
	server := bridgetest.StartNATSServer(t)
	forever := startNode(t, settings{"NATS_URL": server.URL()})
	impatient := startNode(t, settings{"NATS_URL": server.URL(), "ADMIN_READY_WITHOUT_NATS": "10ms"})
	ready := func(n *testNode, status int, text string) func() bool {
		return func() bool {
			got, body := get(t, n.admin.url()+"/readyz")
			return got == status && strings.Contains(body, text)
		}
	}
	eventually(t, "both are ready", func() bool {
		return ready(forever, http.StatusOK, "connected")() && ready(impatient, http.StatusOK, "connected")()
	})
	server.Kill()
	eventually(t, "the impatient is not", ready(impatient, http.StatusServiceUnavailable, "ADMIN_READY_WITHOUT_NATS"))
	eventually(t, "the other is", ready(forever, http.StatusOK, "NATS is away"))
	server.Start(t)
	eventually(t, "it is again", ready(impatient, http.StatusOK, "connected"))
}

// In JSON too, a duration has its unit.
func TestDurationsHaveAUnit(t *testing.T) {
	for _, format := range []string{"json", "text"} {
		var out strings.Builder
		newLog(configs.Log{Format: format}, &out).Info("waited", "for", 1500*time.Millisecond)
		if !strings.Contains(out.String(), "1.5s") {
			t.Errorf("logged %s", out.String())
		}
	}
}
