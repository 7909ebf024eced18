package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tailwater/tailwater/cmd/tailwater/node"
)

// perAttacker bounds what a connection that says little costs, in bytes, on both ends: they are in one process here.
const perAttacker = 64 << 10

// inUse returns the memory that heap and stacks use.
func inUse() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC() // what pools hold outlives one
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc + stats.StackInuse // not HeapInuse, which counts what is free between objects
}

// attack opens connections, and sends the same on each. They end with the test.
func attack(t *testing.T, address net.Addr, connections int, text string) []net.Conn {
	t.Helper()
	var all []net.Conn
	for range connections {
		conn, err := net.Dial("tcp", address.String())
		noError(t, err)
		t.Cleanup(func() { conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(patience))
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		all = append(all, conn)
	}
	return all
}

// Requests that never end cost little, and keep nobody from anything.
func TestTrickledRequests(t *testing.T) {
	const attackers = 100
	for name, begin := range map[string]string{
		"headers": "GET /events/chat.room1 HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
		// It announces as much as it may, which must not be set aside for it.
		"body": "POST /events/chat.room1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 262144\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			n := startNode(t, settings{"LIMIT_PUBLISH_RATE": "0"})
			other := startWitness(t, http.DefaultClient, n.URL()+"/events/chat.room1")
			before := inUse()
			slow := attack(t, n.Address(), attackers, begin)
			for range 20 {
				for _, conn := range slow {
					if _, err := io.WriteString(conn, "x"); err != nil {
						t.Fatal(err)
					}
				}
			}
			other.stop()
			if grown := int64(inUse()) - int64(before); grown > attackers*perAttacker {
				t.Errorf("%d attackers cost %d bytes", attackers, grown)
			}
		})
	}
}

// Time runs for a request's head as a whole, so that a byte now and then does not lengthen it.
func TestTrickledHeadersEnd(t *testing.T) {
	t.Parallel()
	server := node.NewServer(http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	if server.ReadHeaderTimeout < time.Second || server.ReadHeaderTimeout > 10*time.Second || server.IdleTimeout > 2*time.Minute || server.MaxHeaderBytes > 16<<10 {
		t.Errorf("the server's limits are %+v", server)
	}
	server.ReadHeaderTimeout = 200 * time.Millisecond
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	noError(t, err)
	var serving sync.WaitGroup
	serving.Go(func() { _ = node.Accept(server, listener) })
	t.Cleanup(func() {
		_ = server.Close()
		serving.Wait()
	})
	for _, conn := range attack(t, listener.Addr(), 20, "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ") {
		eventually(t, "the connection is cut, although something comes", func() bool {
			_, err := io.WriteString(conn, "x")
			return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
		})
	}
}

// Headers are refused when they are too many or too large, before they are all read.
func TestHeaderBombs(t *testing.T) {
	n := startNode(t, settings{"LIMIT_PUBLISH_RATE": "0"})
	other := startWitness(t, http.DefaultClient, n.URL()+"/events/chat.room1")
	before := inUse()
	const attackers = 12
	for name, headers := range map[string]string{
		"token": "Authorization: Bearer " + strings.Repeat(".", 1<<20) + "\r\n",
		"one":   "X-Bomb: " + strings.Repeat("x", 1<<20) + "\r\n", "many": strings.Repeat("X-Bomb: x\r\n", 100_000), "cookies": "Cookie: " + strings.Repeat("a=b; ", 100_000) + "\r\n",
	} {
		var bombs sync.WaitGroup
		for range attackers {
			bombs.Go(func() {
				conn, err := net.Dial("tcp", n.Address().String())
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(patience))
				var sending sync.WaitGroup
				sending.Go(func() {
					_, _ = io.WriteString(conn, "GET /events/chat.room1 HTTP/1.1\r\nHost: localhost\r\n"+headers+"\r\n")
				})
				response, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err == nil {
					response.Body.Close()
				}
				// Where the refusal is overtaken by the reset that follows, it is a refusal as well.
				if err == nil && response.StatusCode != http.StatusRequestHeaderFieldsTooLarge || err != nil && !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("%s: %v, %v", name, response, err)
				}
				conn.Close()
				sending.Wait()
			})
		}
		bombs.Wait()
	}
	other.stop()
	if grown := int64(inUse()) - int64(before); grown > 3<<20 { // fewer than three of the bombs
		t.Errorf("behind the bombs, %d bytes more are in use", grown)
	}
}

// A caller who opens one subject after another leaves a bounded number of subscriptions and feeds behind, and harms nobody.
func TestFiftyThousandSubjects(t *testing.T) {
	onlySoak(t) // TestLingeringIsBounded has the bound without a network
	const each, lingering, subjects = 32, 1 << 14, 50_000
	n := startNode(t, settings{"ANONYMOUS_SUBSCRIBE": "live.>", "ANONYMOUS_PUBLISH": "live.>", "HISTORY": "", "LIMIT_PUBLISH_RATE": "0"})
	other := startWitness(t, http.DefaultClient, n.URL()+"/events/live.room1")
	before, most := inUse(), 0
	for at := 0; at < subjects; at += each {
		var query strings.Builder
		for i := range each {
			fmt.Fprintf(&query, "&subject=live.%d", at+i)
		}
		greedy, _ := subscribe(t, n.URL()+"/events?"+query.String()[1:], "")
		greedy.body.Close()
		most = max(most, n.Live.Stats().NATS.Subscriptions)
	}
	other.stop()
	// A few have hung up, and it is not known yet.
	if most > lingering+64*each || most < lingering/2 {
		t.Errorf("there were %d subscriptions at once", most)
	}
	if feeds := n.Live.Stats().Feeds.Feeds; feeds > lingering/each+64 {
		t.Errorf("there are %d feeds", feeds)
	}
	if grown := int64(inUse()) - int64(before); grown > 100<<20 {
		t.Errorf("%d bytes more are in use", grown)
	}
}

// A flood of posts is held to its caller's rate: the rest of it is refused, and costs NATS and the other callers nothing.
func TestPublishFlood(t *testing.T) {
	t.Parallel()
	const flood, others, burst = 1000, 50, 100
	// Without members: NATS is to count the posts alone.
	n := startNode(t, openToAll(settings{"HTTP_TRUSTED_PROXIES": "127.0.0.1", "DEMO_TIME": "false", "PRESENCE": ""}))
	url := n.URL() + "/events/chat.room1"
	reader, _ := subscribe(t, url, "")
	start := time.Now()
	send := func(from, text string) int {
		request, err := http.NewRequest(http.MethodPost, url, strings.NewReader(text))
		if err != nil {
			t.Error(err)
			return 0
		}
		request.Header.Set("X-Forwarded-For", from)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Error(err)
			return 0
		}
		defer response.Body.Close()
		_, _ = io.Copy(io.Discard, response.Body)
		if response.StatusCode == http.StatusTooManyRequests && response.Header.Get("Retry-After") != "1" {
			t.Errorf("429 with Retry-After: %s", response.Header.Get("Retry-After"))
		}
		return response.StatusCode
	}
	var flooding sync.WaitGroup
	accepted := make([]int, 4)
	for i := range accepted {
		flooding.Go(func() {
			for range flood / len(accepted) {
				// What it claims to come from does not help it.
				if send(fmt.Sprintf("203.0.113.%d, 192.0.2.1", i), "flood") == http.StatusCreated {
					accepted[i]++
				}
			}
		})
	}
	slowest := time.Duration(0)
	for i := range others {
		begin := time.Now()
		if status := send("192.0.2.2", fmt.Sprint(i)); status != http.StatusCreated {
			t.Errorf("somebody else is answered %d", status)
		}
		slowest = max(slowest, time.Since(begin))
	}
	flooding.Wait()
	if *soak && slowest > othersWait {
		t.Errorf("somebody else had to wait for %v", slowest)
	}
	through := 0
	for _, count := range accepted {
		through += count
	}
	if most := burst + 1 + int(20*time.Since(start).Seconds()); through < burst || through > most {
		t.Errorf("%d of the flood came through, of at most %d", through, most)
	}
	next := 0
	for range through + others {
		if event := reader.next(); event.Data != "flood" {
			if event.Data != fmt.Sprint(next) {
				t.Errorf("%s instead of %d", event.Data, next)
			}
			next++
		}
	}
	if in := n.Live.Stats().NATS.Messages; in != uint64(through+others) {
		t.Errorf("NATS had %d messages, of which %d were accepted", in, through+others)
	}
	_, metrics := get(t, n.AdminURL()+"/metrics")
	if line := fmt.Sprintf(`tailwater_requests_limited_total{limit="rate"} %d`, flood-through); !strings.Contains(metrics, line+"\n") || strings.Contains(metrics, "192.0.2.") {
		t.Errorf("the metrics lack %s, or name an address", line)
	}
}
