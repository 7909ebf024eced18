package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// eventSource reads like a browser's EventSource: after an answer other than 200 it never reconnects.
type eventSource struct {
	url    string
	client *http.Client
	seen   func(bridgetest.Event) (done bool)

	lastID string
	opened atomic.Int64
	told   atomic.Int64 // how often it was asked to come back
}

func (e *eventSource) run(ctx context.Context) error {
	wait := 500 * time.Millisecond
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url, nil)
		if err != nil {
			return err
		}
		if e.lastID != "" {
			request.Header.Set("Last-Event-ID", e.lastID)
		}
		response, err := e.client.Do(request)
		if err == nil {
			if response.StatusCode != http.StatusOK {
				response.Body.Close()
				return fmt.Errorf("closed for good by %s", response.Status)
			}
			done := e.read(response.Body, &wait)
			response.Body.Close()
			if done {
				return nil
			}
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return fmt.Errorf("after %s: %w", e.lastID, ctx.Err())
		}
	}
}

func (e *eventSource) read(body io.Reader, wait *time.Duration) (done bool) {
	stream := bridgetest.NewStream(body)
	for {
		event, err := stream.Next()
		if stream.Retry > 0 {
			*wait = time.Duration(stream.Retry) * time.Millisecond
		}
		if err != nil {
			return false
		}
		if event.ID != "" {
			e.lastID = event.ID
		}
		switch event.Type {
		case "tailwater:open":
			e.opened.Add(1)
		case "tailwater:close":
			e.told.Add(1)
		}
		if e.seen(event) {
			return true
		}
	}
}

// One bridge that is started anew, with NATS inside, loses no browser: while it stops, whoever comes is answered and asked to
// come back later, and nobody is sent back before it is there again.
func TestGracefulRestartBehindAProxy(t *testing.T) {
	onlySoak(t)
	const clients, visitors = 300, 50
	overProxies(t, []proxy{nginx, caddy, haproxy}, func(t *testing.T, front func(string) string) {
		b := startBridge(t, settings{"DRAIN_WINDOW": "3s"})
		url := front(b.address) + "/events/chat.a"
		transport := &http.Client{Transport: &http.Transport{}}
		defer transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
		defer cancel()
		publish := func(n int) {
			t.Helper()
			if status, text := post(t, "http://"+b.address+"/events/chat.a", fmt.Sprint(n)); status != http.StatusCreated {
				t.Fatalf("POST: %d %s", status, text)
			}
		}
		var reading sync.WaitGroup
		come := func(name string, seen func(bridgetest.Event) bool) *eventSource {
			e := &eventSource{url: url, client: transport, seen: seen}
			reading.Go(func() {
				if err := e.run(ctx); err != nil {
					t.Errorf("%s is lost: %v", name, err)
				}
			})
			return e
		}
		all := make([]*eventSource, clients)
		for i := range all {
			next := 0
			all[i] = come(fmt.Sprint("client ", i), func(event bridgetest.Event) bool {
				if event.Type == "message" {
					if event.Data != fmt.Sprint(next) {
						t.Errorf("client %d: %q instead of %d", i, event.Data, next)
					}
					next++
				}
				return next == 2
			})
		}
		opened := func(times int64) func() bool {
			return func() bool {
				for _, e := range all {
					if e.opened.Load() < times {
						return false
					}
				}
				return true
			}
		}
		eventually(t, "all are open", opened(1))
		publish(0)
		noError(t, b.cmd.Process.Signal(syscall.SIGTERM))
		told := func(e *eventSource) bool { return e.told.Load() > 0 }
		eventually(t, "it drains", func() bool { return slices.ContainsFunc(all, told) })
		late := make([]*eventSource, visitors)
		for i := range late {
			late[i] = come(fmt.Sprint("visitor ", i), func(event bridgetest.Event) bool { return event.Type == "tailwater:open" })
		}
		eventually(t, "visitors are asked to come back", func() bool {
			return !slices.ContainsFunc(late, func(e *eventSource) bool { return !told(e) })
		})
		if err := b.cmd.Wait(); err != nil {
			t.Errorf("after SIGTERM: %v", err)
		}
		b.start()
		publish(1)
		reading.Wait()
		if !opened(2)() {
			t.Error("somebody was not away")
		}
	})
}

// What comes while a bridge stops is answered: GETs with the advice to come back later, POSTs by NATS while it is there.
func TestListenerStaysUntilTheEnd(t *testing.T) {
	t.Parallel()
	b := startBridge(t, settings{"DRAIN_WINDOW": "2s"})
	stream, _ := subscribe(t, "http://"+b.address+"/events/chat.a", "")
	noError(t, b.cmd.Process.Signal(syscall.SIGTERM))
	late := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	get := func() (*bridgetest.Stream, error) {
		response, err := late.Get("http://" + b.address + "/events/chat.a")
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { response.Body.Close() })
		if response.StatusCode != http.StatusOK {
			t.Errorf("GET: %s", response.Status)
		}
		return bridgetest.NewStream(response.Body), nil
	}
	eventually(t, "it drains", func() bool {
		stream, err := get()
		noError(t, err)
		event, err := stream.Next()
		return err == nil && event.Type == "tailwater:close" && stream.Retry > 2000
	})
	if status, text := post(t, "http://"+b.address+"/events/chat.a", "late"); status != http.StatusCreated {
		t.Errorf("POST: %d %s", status, text)
	}
	// Its turn to close may come before the message does: another bridge has that then.
	event := stream.next()
	if event.Type == "message" && event.Data == "late" {
		event = stream.next()
	}
	if event.Type != "tailwater:close" || event.Data != `{"reason":"drain"}` {
		t.Errorf("at the end comes %+v", event)
	}
	if stream.Retry < 2000 {
		t.Errorf("it is to come back after %d ms", stream.Retry)
	}
	if event, err := stream.Next(); !errors.Is(err, bridgetest.ErrBroken) {
		t.Errorf("%+v, %v", event, err)
	}
	if err := b.cmd.Wait(); err != nil {
		t.Error(err)
	}
}
