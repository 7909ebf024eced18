package e2e

// The proxies of configs/deploy, with their files as they are: only addresses and the certificate are those of the test.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// overDeployed runs a test behind each proxy, over HTTP/1.1 and HTTP/2.
func overDeployed(t *testing.T, test func(t *testing.T, d deployed, http2 bool)) {
	onlySoak(t)
	for _, d := range deployedProxies() {
		for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
			t.Run(d.program+"/"+name, func(t *testing.T) {
				t.Parallel()
				test(t, d, http2)
			})
		}
	}
}

// Without a bridge each proxy waits or hangs up, and never answers a GET with a status, which would be final to EventSource. With the
// bridge back, it serves.
func TestProxiesWithoutABridge(t *testing.T) {
	overDeployed(t, func(t *testing.T, d deployed, http2 bool) {
		b := startBridge(t, behindProxy(t))
		f := d.start(t, b.address)
		client, url := f.client(http2), f.url+"/events/chat.a"
		client.Transport = calls{"chat.example.com", once{t, client.Transport.(calls).RoundTripper.(*http.Transport)}}
		if err := begins(client, url); err != nil {
			t.Fatalf("with a bridge: %v", err)
		}
		b.kill()
		if err := begins(client, url); err == nil || errors.Is(err, errStatus) {
			t.Errorf("without a bridge: %v", err)
		}
		response, err := client.Post(url, "text/plain", strings.NewReader("x"))
		switch {
		case d.program == "haproxy" && err == nil:
			t.Errorf("without a bridge a POST is answered %s; the page says that it is hung up", response.Status)
		case d.program != "haproxy" && err != nil:
			t.Errorf("without a bridge a POST is not answered: %v", err)
		case err == nil && response.StatusCode != http.StatusServiceUnavailable:
			t.Errorf("without a bridge a POST is answered %s", response.Status)
		}
		if err == nil {
			response.Body.Close()
		}
		waits := make(chan error, 1)
		go func() { waits <- begins(client, url) }()
		b.start()
		if err := <-waits; errors.Is(err, errStatus) || err != nil && d.program != "nginx" {
			t.Errorf("while the bridge starts: %v", err)
		}
		eventually(t, "the proxy serves again", func() bool { return begins(client, url) == nil })
	})
}

// Behind each proxy the limit is for the address of who comes, not for that of the proxy.
func TestProxiesPassTheAddressOn(t *testing.T) {
	overDeployed(t, func(t *testing.T, d deployed, http2 bool) {
		set := behindProxy(t)
		set["LIMIT_CONNECTIONS_PER_IP"] = "1"
		f := d.start(t, startBridge(t, set).address)
		for i, want := range []string{"tailwater:open", "tailwater:close", "tailwater:open"} {
			from := []string{"127.0.0.2", "127.0.0.2", "127.0.0.3"}[i]
			if says := firstEvent(t, f.client(http2), f.url+"/events/chat.a", from); says != want {
				t.Errorf("request %d, from %s, is told %q instead of %q", i, from, says, want)
			}
		}
	})
}

// firstEvent opens an event stream from an address of this machine, which stays open until the test ends, and returns the
// type of its first event.
func firstEvent(t *testing.T, client *http.Client, url, from string) string {
	t.Helper()
	client.Transport.(calls).RoundTripper.(*http.Transport).DialContext = (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).DialContext
	response, err := client.Get(url)
	noError(t, err)
	t.Cleanup(func() { response.Body.Close() })
	event, err := bridgetest.NewStream(response.Body).Next()
	noError(t, err)
	return event.Type
}

// Two bridges behind each proxy are stopped and started in turn, while messages are posted: every reader gets each acknowledged message once
// and in order, none is closed for good, and each comes back.
func TestProxiesOverARollOut(t *testing.T) {
	overDeployed(t, func(t *testing.T, d deployed, http2 bool) {
		const readers = 100
		s := behindProxy(t)
		s["NATS_URL"], s["HISTORY"], s["DRAIN_WINDOW"], s["LIMIT_PUBLISH_RATE"] = bridgetest.StartNATSServer(t).URL(), "chat.>", "8s", "0"
		bridges := []*chaosBridge{startBridge(t, s), startBridge(t, s)}
		f := d.start(t, bridges[0].address, bridges[1].address)
		ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
		defer cancel()

		var reading sync.WaitGroup
		var came arrivals
		all := make([]*readerOfAll, readers)
		for i := range all {
			all[i] = &readerOfAll{}
			e := &eventSource{url: f.url + "/events/chat.a", client: withoutTimeout(f.client(http2)), seen: func(event bridgetest.Event) bool {
				if event.Type == "tailwater:open" {
					came.note()
				}
				return all[i].sees(event)
			}}
			reading.Go(func() {
				if err := e.run(ctx); err != nil {
					t.Errorf("reader %d is lost: %v", i, err)
				}
			})
		}
		eventually(t, "all are open", func() bool { return came.count() >= readers })
		posted := startPosting(t, f.client(http2), f.url+"/events/chat.a")
		for _, b := range bridges {
			noError(t, b.cmd.Process.Signal(syscall.SIGTERM))
			if err := b.cmd.Wait(); err != nil {
				t.Errorf("after SIGTERM: %v", err)
			}
			b.start()
		}
		messages := posted.stop()
		reading.Wait()
		for i, reader := range all {
			if !slices.Equal(reader.data, messages) {
				t.Errorf("reader %d has %d messages instead of %d, or others", i, len(reader.data), len(messages))
			}
		}
		if back := came.count() - readers; back < readers {
			t.Errorf("only %d came back", back)
		}
		t.Logf("%d messages; %d returns, %d in the busiest second", len(messages), came.count()-readers, came.busiest(readers))
	})
}

// readerOfAll keeps what a client is sent, until the last message.
type readerOfAll struct{ data []string }

const lastMessage = "the last"

func (r *readerOfAll) sees(event bridgetest.Event) (done bool) {
	if event.Type != "message" {
		return false
	}
	r.data = append(r.data, event.Data)
	return event.Data == lastMessage
}

// arrivals are the moments at which connections opened.
type arrivals struct {
	sync.Mutex
	at []time.Time
}

func (a *arrivals) note() {
	a.Lock()
	defer a.Unlock()
	a.at = append(a.at, time.Now())
}

func (a *arrivals) count() int {
	a.Lock()
	defer a.Unlock()
	return len(a.at)
}

// busiest returns how many came in the second in which most did, the first ones left out.
func (a *arrivals) busiest(first int) int {
	a.Lock()
	defer a.Unlock()
	seconds := map[int64]int{}
	for _, at := range a.at[first:] {
		seconds[at.Unix()]++
	}
	return slices.Max(slices.Collect(maps.Values(seconds)))
}

// posting posts one message after the other, each until it is acknowledged.
type posting struct {
	stopping atomic.Bool
	done     chan []string
}

func startPosting(t *testing.T, client *http.Client, url string) *posting {
	p := &posting{done: make(chan []string, 1)}
	go func() {
		var messages []string
		for !p.stopping.Load() {
			messages = append(messages, fmt.Sprint(len(messages)))
			postUntilStored(t, client, url, messages[len(messages)-1])
		}
		postUntilStored(t, client, url, lastMessage)
		p.done <- append(messages, lastMessage)
	}()
	return p
}

// stop posts the last message, and returns all of them.
func (p *posting) stop() []string {
	p.stopping.Store(true)
	return <-p.done
}

// postUntilStored posts a message with its key again until it is acknowledged, as a client does.
func postUntilStored(t *testing.T, client *http.Client, url, data string) {
	for t.Context().Err() == nil {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(data))
		if err != nil {
			t.Error(err)
			return
		}
		request.Header.Set("Idempotency-Key", "message-"+strings.ReplaceAll(data, " ", "-"))
		response, err := client.Do(request)
		if err != nil {
			continue
		}
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		if response.StatusCode == http.StatusCreated || response.StatusCode == http.StatusOK {
			return
		}
		if response.StatusCode < 500 {
			t.Errorf("POST is answered %s", response.Status)
			return
		}
	}
}

// withoutTimeout returns the client for streams without an end.
func withoutTimeout(client *http.Client) *http.Client {
	client.Timeout = 0
	return client
}

var errStatus = errors.New("answered with a status")

// begins returns nil if an event stream begins.
func begins(client *http.Client, url string) error {
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: %s", errStatus, response.Status)
	}
	_, err = io.ReadFull(response.Body, make([]byte, 1))
	return err
}
