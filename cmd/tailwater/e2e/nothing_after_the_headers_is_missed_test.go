package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// When EventSource reports that it is open, it has the headers of the answer: a message that is published after them arrives, also on a subject
// that nobody has read before, and however far away NATS is.
func TestWhatFollowsTheHeadersArrives(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	js := connectJetStream(t, server.URL())
	createStream(t, js, nil)
	conn := publisher(t, server.URL())
	n := startNode(t, settings{
		"NATS_URL": "nats://" + bridgetest.StartLink(t, fmt.Sprint("127.0.0.1:", server.Port), 20*time.Millisecond), "ANONYMOUS_SUBSCRIBE": "chat.>,other.>",
	})
	eventually(t, "the bridge is connected", n.isReady)
	for i := range 3 {
		stored, unstored := fmt.Sprint("chat.", i), fmt.Sprint("other.", i)
		reader := dial(t, n.URL()+"/events/"+stored, "")
		if _, err := js.Publish(t.Context(), stored, []byte("stored")); err != nil {
			t.Fatal(err)
		}
		reader.next() // the opening
		reader.expect("message", "stored")
		reader = dial(t, n.URL()+"/events/"+unstored, "")
		noError(t, conn.Publish(unstored, []byte("unstored")))
		reader.next() // the opening
		reader.expect("message", "unstored")
	}
}
