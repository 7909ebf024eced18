package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// startNearAndFar starts two bridges. Messages take a while to the second: what was acknowledged has not arrived there yet.
func startNearAndFar(t *testing.T) (near, far string) {
	t.Helper()
	server := bridgetest.StartNATSServer(t)
	at := func(nats string) string {
		return startNode(t, settings{
			"NATS_URL": nats, "HISTORY": "chat.>", "HISTORY_MAX_BYTES": "16MiB",
			"ANONYMOUS_SUBSCRIBE": "chat.>", "ANONYMOUS_PUBLISH": "chat.>", "ANONYMOUS_WILDCARDS": "true",
		}).URL()
	}
	return at(server.URL()), at("nats://" + bridgetest.StartLink(t, fmt.Sprintf("127.0.0.1:%d", server.Port), 100*time.Millisecond))
}

// What a POST was acknowledged for is in every poll that is sent after that, on every bridge.
func TestPollHasWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	near, far := startNearAndFar(t)
	targets := []string{"/events/chat.room1?poll=1", "/events?subject=chat.room1&subject=chat.room2&poll=1", "/events/chat.*?poll=1"}
	ids := make([]string, len(targets))
	for i := range 2 {
		for n, target := range targets {
			data := fmt.Sprint(i, n)
			_, body := get(t, far+target+"&lastEventId="+ids[n]) // everything so far
			_, id := lines(t, body)
			if code, said := post(t, near+"/events/chat.room1", data); code != http.StatusCreated {
				t.Fatalf("%d %s", code, said)
			}
			_, body = get(t, far+target+"&lastEventId="+id)
			said, last := lines(t, body)
			if want := []string{"tailwater:open", data, "tailwater:synced"}; !slices.Equal(said, want) {
				t.Errorf("%s gives %q, want %q", target, said, want)
			}
			ids[n] = last
		}
	}
}

// `tailwater:synced` means the same on a connection that stays.
func TestReplayHasWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	near, far := startNearAndFar(t)
	get(t, far+"/events/chat.room1?poll=1") // reads the stream
	for i := range 3 {
		post(t, near+"/events/chat.room1", fmt.Sprint(i))
		s, _ := subscribe(t, far+"/events/chat.room1?since=all", "")
		for n := range i + 1 {
			s.expect("message", fmt.Sprint(n))
		}
		s.expect(bridge.EventSynced, "{}")
	}
}
