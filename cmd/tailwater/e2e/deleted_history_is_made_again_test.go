package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// Where somebody deletes the stream of Tailwater's own while bridges run, they make it again, as at their start: readers are told a reset, and
// what is posted meanwhile is kept in the new one. Bridges with other settings leave it as the first has made it.
func TestDeletedHistoryIsMadeAgain(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	log := new(logBuffer)
	s := settings{"NATS_URL": server.URL(), "ANONYMOUS_SUBSCRIBE": "chat.>", "ANONYMOUS_PUBLISH": "chat.>", "HISTORY": "chat.>", "HISTORY_MAX_BYTES": "1MiB"}
	n := startLogged(t, s, log)
	others := []*testNode{startLogged(t, s, log), startLogged(t, with(s, settings{"HISTORY_MAX_AGE": "1h"}), log)}
	js := connectJetStream(t, server.URL())
	url := n.URL() + "/events/chat.a"
	reader, _ := subscribe(t, url, "")
	post(t, url, "before")
	reader.expect("message", "before")
	if err := js.DeleteStream(t.Context(), "TAILWATER"); err != nil {
		t.Fatal(err)
	}
	readyz := func(of *testNode) string {
		_, text := get(t, of.AdminURL()+"/readyz")
		return text
	}
	eventually(t, "/readyz says it", func() bool { return strings.Contains(readyz(n), "the stream TAILWATER was deleted") })
	if status, body := post(t, url, "after"); status != http.StatusCreated {
		t.Errorf("POST while the stream is made again: %d %s", status, body)
	}
	reader.expect("tailwater:reset", `{"reason":"recreated"}`)
	reader.expect("message", "after")
	for _, other := range append(others, n) {
		eventually(t, "/readyz says nothing more of it", func() bool { return !strings.Contains(readyz(other), "deleted") })
	}
	made, err := js.Stream(t.Context(), "TAILWATER")
	if err != nil || made.CachedInfo().State.Msgs != 1 || made.CachedInfo().Config.MaxBytes != 1<<20 {
		t.Errorf("the stream is %+v, %v", made.CachedInfo(), err)
	}
	if strings.Contains(log.String(), "cannot be as the settings ask") {
		t.Errorf("the bridges quarrel:\n%s", log)
	}
}

// Where it cannot be made, /readyz says so, and the bridge tries again until it can, or another stream keeps the subjects.
func TestDeletedHistoryIsTold(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t, "-c", writeFile(t, t.TempDir(), "nats.conf", `no_auth_user: a
		accounts { A { jetstream { max_mem: 0, max_file: 2GB, max_streams: 1 }, users: [ { user: a, password: s3cret } ] } }`))
	n := startNode(t, settings{"NATS_URL": server.URL(), "HISTORY": "chat.>", "ANONYMOUS_PUBLISH": "chat.>", "HISTORY_MAX_BYTES": "1MiB"})
	js := connectJetStream(t, server.URL())
	exchange := func(from string, to jetstream.StreamConfig) {
		t.Helper()
		if err := js.DeleteStream(t.Context(), from); err != nil {
			t.Fatal(err)
		}
		if _, err := js.CreateStream(t.Context(), to); err != nil {
			t.Fatal(err)
		}
	}
	ready := func(text string) func() bool {
		return func() bool {
			_, body := get(t, n.AdminURL()+"/readyz")
			return strings.Contains(body, text)
		}
	}
	isMade := func() bool {
		_, err := js.Stream(t.Context(), "TAILWATER")
		return err == nil
	}
	eventually(t, "it is made", isMade)
	exchange("TAILWATER", jetstream.StreamConfig{Name: "OTHER", Subjects: []string{"other.>"}})
	eventually(t, "/readyz says why it cannot be made", ready("maximum number of streams reached"))
	if err := js.DeleteStream(t.Context(), "OTHER"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "there is room, and it is made again", isMade)
	eventually(t, "/readyz says nothing more of it", func() bool { return !ready("TAILWATER")() })
	exchange("TAILWATER", jetstream.StreamConfig{Name: "MINE", Subjects: []string{"chat.>"}})
	eventually(t, "a message is kept in the other stream", func() bool {
		_, body := post(t, n.URL()+"/events/chat.a", "kept")
		return strings.Contains(body, `"stream":"MINE"`)
	})
	if ready("TAILWATER")() {
		t.Error("/readyz still speaks of the stream")
	}
}
