package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// A bridge that lost NATS stays ready as long as the setting says, and is ready again when NATS is back.
func TestReadyWithoutNATS(t *testing.T) {
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
