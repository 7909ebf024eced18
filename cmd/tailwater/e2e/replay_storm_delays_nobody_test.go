package e2e

import (
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

// Thousands of connections of one address that are opened and closed in a second, each of which asks for another time, hold up
// nobody's poll, nobody's replay and nobody's message; also where NATS is far away, and where no rate is set.
func TestSinceStorm(t *testing.T) {
	t.Parallel()
	const roundTrip = 20 * time.Millisecond
	storm := length(200, 6000) // the short one shows that all are answered, the long one how soon
	for name, limits := range map[string]settings{"with a rate": {"LIMIT_READ_RATE": "200/s"}, "without": {"LIMIT_READ_RATE": "0"}} {
		t.Run(name, func(t *testing.T) {
			server := bridgetest.StartNATSServer(t)
			n := startNode(t, with(settings{
				"NATS_URL":            "nats://" + bridgetest.StartLink(t, fmt.Sprint("127.0.0.1:", server.Port), roundTrip),
				"ANONYMOUS_SUBSCRIBE": "chat.>", "ANONYMOUS_PUBLISH": "chat.>", "HISTORY": "chat.>", "HISTORY_STORAGE": "memory",
				"HTTP_TRUSTED_PROXIES": "127.0.0.1", "LIMIT_PUBLISH_RATE": "0", "LOG_LEVEL": "error",
			}, limits))
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
			alone := slowestRead(t, client, n.URL(), 0, 3)
			other := startWitness(t, client, n.URL()+"/events/chat.witness")
			var attack sync.WaitGroup
			for worker := range 4 {
				attack.Go(func() {
					for i := worker; i < storm; i += 4 {
						hitAndRun(t, n.Address(), time.Unix(1_600_000_000+int64(i), 0))
					}
				})
			}
			during := slowestRead(t, client, n.URL(), 3, 12)
			attack.Wait()
			during = max(during, slowestRead(t, client, n.URL(), 12, 16))
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
			if err := conn.Publish(fmt.Sprint("chat.room", room), fmt.Append(nil, i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := conn.FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
}

// slowestRead polls rooms that nobody has read, and opens event streams of their last ten minutes, and returns what took longest.
func slowestRead(t *testing.T, client *http.Client, url string, from, to int) (slowest time.Duration) {
	t.Helper()
	for room := from; room < to; room++ {
		begun := time.Now()
		response, err := client.Get(fmt.Sprintf("%s/events/chat.room%d?poll=1", url, room))
		if err != nil {
			t.Fatal(err)
		}
		if status, text := answer(t, response); status != http.StatusOK || !strings.Contains(text, "synced") {
			t.Errorf("a poll is answered %d %s", status, text)
		}
		slowest = max(slowest, time.Since(begun))
		begun = time.Now()
		response, err = client.Get(fmt.Sprintf("%s/events?subject=chat.room%d&subject=chat.nobody&since=10m", url, room))
		if err != nil {
			t.Fatal(err)
		}
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

// hitAndRun asks for what was stored since a time, and does not wait.
func hitAndRun(t *testing.T, address net.Addr, since time.Time) {
	conn, err := net.Dial("tcp", address.String())
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	_, err = io.WriteString(conn, "GET /events/chat.room1?since="+since.UTC().Format(time.RFC3339)+" HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n")
	if err != nil {
		t.Error(err)
	}
}
