package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// as sends requests as a proxy does for somebody.
type as string

func (a as) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Forwarded-For", string(a))
	return http.DefaultTransport.RoundTrip(r)
}

// Thousands of connections of one address that are opened and closed in a second, each of which asks for another time, or for what is older than
// another message, and some that poll on and on, hold up nobody's poll, nobody's replay and nobody's message; also where NATS is far away, and where no rate is set.
func TestSinceStorm(t *testing.T) {
	t.Parallel()
	const roundTrip = 20 * time.Millisecond
	storm := length(200, 6000) // the short one shows that all are answered, the long one how soon
	withRate, without := settings{"LIMIT_READ_RATE": "200/s"}, settings{"LIMIT_READ_RATE": "0"}
	for name, test := range map[string]struct {
		limits settings
		older  bool
	}{
		"with a rate": {withRate, false}, "without": {without, false}, "older, with a rate": {withRate, true}, "older, without": {without, true},
	} {
		if test.older && !*soak {
			continue // its polls read two thousand messages on and on
		}
		t.Run(name, func(t *testing.T) {
			if !*soak {
				t.Parallel()
			}
			server := bridgetest.StartNATSServer(t)
			n := startNode(t, with(settings{
				"NATS_URL":            "nats://" + bridgetest.StartLink(t, fmt.Sprint("127.0.0.1:", server.Port), roundTrip),
				"ANONYMOUS_SUBSCRIBE": "chat.>", "ANONYMOUS_PUBLISH": "chat.>", "HISTORY": "chat.>", "HISTORY_STORAGE": "memory",
				"HTTP_TRUSTED_PROXIES": "127.0.0.1", "LIMIT_PUBLISH_RATE": "0", "LOG_LEVEL": "error",
			}, test.limits))
			client := &http.Client{Transport: as("192.0.2.2"), Timeout: patience}
			eventually(t, "the stream is there", func() bool {
				response, err := client.Post(n.URL()+"/events/chat.room1", "text/plain", strings.NewReader("first"))
				if err != nil {
					return false
				}
				status, _ := answer(t, response)
				return status == http.StatusCreated
			})
			publishRooms(t, server)
			query := func(i int) string { return "since=" + time.Unix(1_600_000_000+int64(i), 0).UTC().Format(time.RFC3339) }
			if test.older {
				query = older(t, server, client, n.URL())
			}
			alone := slowestRead(t, client, n.URL(), test.older, 0, 3)
			other := startWitness(t, client, n.URL()+"/events/chat.witness")
			var attack sync.WaitGroup
			for worker := range 4 {
				attack.Go(func() {
					for i := worker; i < storm; i += 4 {
						hitAndRun(t, n.Address(), query(i))
					}
				})
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			pollers := 0
			if test.older {
				pollers = 150
			}
			for worker := range pollers {
				attack.Go(func() {
					for i := 1000 * worker; ctx.Err() == nil; i++ {
						readAll(ctx, n.URL()+"/events/chat.room1?"+query(i))
					}
				})
			}
			during := slowestRead(t, client, n.URL(), test.older, 3, 12)
			cancel()
			attack.Wait()
			during = max(during, slowestRead(t, client, n.URL(), test.older, 12, 16))
			other.stop()
			t.Logf("a poll and a replay take %v at most, and took %v before", during, alone)
			if *soak && during > othersWait {
				t.Errorf("somebody else has waited for %v", during)
			}
		})
	}
}

// publishRooms stores some messages in each of some rooms, which nobody reads yet.
func publishRooms(t *testing.T, server *bridgetest.NATSServer) {
	t.Helper()
	conn := publisher(t, fmt.Sprint("nats://127.0.0.1:", server.Port))
	for room := range 16 {
		for i := range 20 {
			noError(t, conn.Publish(fmt.Sprint("chat.room", room), fmt.Append(nil, i)))
		}
	}
	noError(t, conn.FlushTimeout(patience))
}

// slowestRead polls rooms that nobody has read, and opens event streams of their last ten minutes, and returns what took longest.
func slowestRead(t *testing.T, client *http.Client, url string, older bool, from, to int) (slowest time.Duration) {
	t.Helper()
	for room := from; room < to; room++ {
		begun := time.Now()
		poll := fmt.Sprintf("%s/events/chat.room%d?poll=1", url, room)
		if older {
			response, err := client.Head(poll)
			noError(t, err)
			response.Body.Close()
			poll += "&limit=10&until=" + response.Header.Get("Tailwater-Last-Id")
		}
		response, err := client.Get(poll)
		noError(t, err)
		if status, text := answer(t, response); status != http.StatusOK || !strings.Contains(text, "synced") {
			t.Errorf("a poll is answered %d %s", status, text)
		}
		slowest = max(slowest, time.Since(begun))
		begun = time.Now()
		response, err = client.Get(fmt.Sprintf("%s/events?subject=chat.room%d&subject=chat.nobody&since=10m", url, room))
		noError(t, err)
		stream := bridgetest.NewStream(response.Body)
		for event := (bridgetest.Event{}); event.Type != "tailwater:synced"; {
			if event, err = stream.Next(); err != nil {
				t.Fatal(err)
			}
		}
		response.Body.Close()
		slowest = max(slowest, time.Since(begun))
	}
	return slowest
}

// older stores many messages on a subject, and returns queries for what is older than one of them, all different. Few of these are on
// other subjects, so that they are hard to find.
func older(t *testing.T, server *bridgetest.NATSServer, client *http.Client, url string) func(i int) string {
	t.Helper()
	conn := publisher(t, fmt.Sprint("nats://127.0.0.1:", server.Port))
	for i := range olderMessages {
		noError(t, conn.Publish("chat.busy", fmt.Append(nil, i)))
	}
	noError(t, conn.FlushTimeout(patience))
	response, err := client.Get(fmt.Sprintf("%s/events/chat.busy?poll=1&limit=%d&format=json", url, olderMessages))
	noError(t, err)
	status, text := answer(t, response)
	var ids []string
	for line := range strings.Lines(text) {
		var event struct{ ID, Subject string }
		noError(t, json.Unmarshal([]byte(line), &event))
		if event.Subject != "" {
			ids = append(ids, event.ID)
		}
	}
	if len(ids) < olderMessages/2 {
		t.Fatalf("a poll is answered %d with %d messages", status, len(ids))
	}
	return func(i int) string { return fmt.Sprintf("poll=1&limit=%d&until=%s", 10+i/len(ids), ids[i%len(ids)]) }
}

// olderMessages is how many messages lie between those of other subjects.
const olderMessages = 2000

// hitAndRun sends a request of the attacker, and does not wait for the answer.
func hitAndRun(t *testing.T, address net.Addr, query string) {
	conn, err := net.Dial("tcp", address.String())
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	_, err = io.WriteString(conn, "GET /events/chat.room1?"+query+" HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: "+string(attacker)+"\r\n\r\n")
	if err != nil {
		t.Error(err)
	}
}

// readAll sends a request of the attacker, and reads the answer for a second at most.
func readAll(ctx context.Context, url string) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return
	}
	response, err := attacker.RoundTrip(request)
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, response.Body)
	response.Body.Close()
}

const attacker as = "203.0.113.9"
