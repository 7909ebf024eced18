package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// A client that reconnects to a stream with damaged files gets a reset; with an intact one it continues.
func TestDamageIsTold(t *testing.T) {
	t.Parallel()
	s := settings{"EMBED_DIR": t.TempDir(), "EMBED_LISTEN": "127.0.0.1:0", "HISTORY_MAX_BYTES": "127000"} // so small that it has several files
	n := startNode(t, s)
	reader, _ := subscribe(t, n.URL()+"/events/chat.a", "")
	js := connectJetStream(t, n.NATSURL())
	for range 115 {
		if _, err := js.Publish(t.Context(), "chat.a", []byte(strings.Repeat("x", 1000))); err != nil {
			t.Fatal(err)
		}
	}
	id := reader.next().ID
	n.stop(t)

	n = startNode(t, s)
	again, opening := subscribe(t, n.URL()+"/events/chat.a", id)
	if opening.Type != bridge.EventOpen || again.next().Type != "message" {
		t.Errorf("a whole stream begins with %+v", opening)
	}
	n.stop(t)

	blocks := filepath.Join(s["EMBED_DIR"], "jetstream", "$G", "streams", "TAILWATER", "msgs")
	noError(t, os.Remove(filepath.Join(blocks, "2.blk")))
	log := new(bridgetest.Output)
	n = startLogged(t, s, log)
	if _, opening = subscribe(t, n.URL()+"/events/chat.a", id); opening.Type != bridge.EventReset {
		t.Errorf("a damaged stream begins with %+v", opening)
	}
	wantAll(t, "the log", log.String(), "ERROR", "damaged", "TAILWATER")
	// A position of the new life is good, also behind another restart.
	id = opening.ID
	n.stop(t)
	n = startNode(t, s)
	if _, opening = subscribe(t, n.URL()+"/events/chat.a", id); opening.Type == bridge.EventReset {
		t.Errorf("the new life begins with %+v", opening)
	}
}
