package sockets_test

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tailwater/tailwater/bridge/sockets"
)

// Nobody is slowed who does what browsers do, is a trusted proxy, speaks HTTP/1, or has no limit of connections.
func TestHonestClientsAreNotSlowed(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	limited := sockets.Limits{All: 1000, Each: 200, Proxies: proxies}
	for _, test := range []struct {
		name   string
		limits sockets.Limits
		do     func(*secured)
	}{
		{"a browser with a hundred requests at once", limited, func(s *secured) { s.browse("192.0.2.1", 1, 100) }},
		{"fifty browsers of one address", limited, func(s *secured) { s.browse("192.0.2.1", 50, 10) }},
		{"a page with a hundred streams that is loaded three times", limited, func(s *secured) { s.reload("192.0.2.1", 3, 100) }},
		{"a browser with large bodies", limited, func(s *secured) {
			client := s.client("192.0.2.1", "h2")
			for range 10 {
				s.ask(client, strings.Repeat("x", 256<<10))
			}
			client.CloseIdleConnections()
		}},
		{"a client of HTTP/1", limited, func(s *secured) {
			client := s.client("192.0.2.1", "http/1.1")
			for range 1000 {
				s.ask(client, "a message")
			}
			client.CloseIdleConnections()
		}},
		{"a proxy", sockets.Limits{All: 1000, Each: 64, Proxies: proxies}, func(s *secured) { s.flood("10.0.0.1", 10, 24<<10, floods["pings"]) }},
		{"an address without a limit", sockets.Limits{All: 1000}, func(s *secured) { s.flood("192.0.2.1", 10, 24<<10, floods["pings"]) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			securely(t, test.limits, func(t *testing.T, s *secured) {
				begin := time.Now()
				test.do(s)
				if took := time.Since(begin); took > 0 {
					t.Errorf("waited for %v", took)
				}
			})
		})
	}
}

// browse connects so many browsers, each of which sends so many requests at once.
func (s *secured) browse(address string, browsers, requests int) {
	var asking sync.WaitGroup
	for range browsers {
		client := s.client(address, "h2")
		defer client.CloseIdleConnections()
		s.ask(client, "") // the others share its connection
		for i := range requests {
			asking.Go(func() { s.ask(client, fmt.Sprint(i)) })
		}
	}
	asking.Wait()
}

// reload opens so many event streams at once, and resets them all, as a browser does whose user loads a page again; then it sends a request.
func (s *secured) reload(address string, times, streams int) {
	client := s.client(address, "h2")
	defer client.CloseIdleConnections()
	s.ask(client, "") // the others share its connection
	for range times {
		s.open(client, streams)()
	}
	s.ask(client, "a message")
}

// open opens so many event streams at once, and returns how to reset them.
func (s *secured) open(client *http.Client, streams int) (leave func()) {
	ctx, cancel := context.WithCancel(s.t.Context())
	var reading sync.WaitGroup
	for range streams {
		reading.Go(func() {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://example.com/", nil)
			if err != nil {
				s.t.Error(err)
				return
			}
			if response, err := client.Do(request); err == nil {
				response.Body.Close()
			}
		})
	}
	synctest.Wait()
	return func() {
		cancel()
		reading.Wait()
	}
}

// A request that is reset later than at once costs nothing more: people who leave a page with many event streams are no flood.
func TestOldResetsCostNothing(t *testing.T) {
	securely(t, sockets.Limits{All: 1000, Each: 64}, func(t *testing.T, s *secured) {
		client, leaves := s.client("192.0.2.1", "h2"), []func(){}
		for range 4 {
			browser := s.client("192.0.2.1", "h2")
			defer browser.CloseIdleConnections()
			s.ask(browser, "")                           // the others share its connection
			leaves = append(leaves, s.open(browser, 60)) // a KiB each would be more than may be sent at once
		}
		time.Sleep(2 * time.Second) // of the bubble
		for _, leave := range leaves {
			leave()
		}
		synctest.Wait()
		begin := time.Now()
		s.ask(client, "a message")
		if waited := time.Since(begin); waited > 0 {
			t.Errorf("waited for %v", waited)
		}
		client.CloseIdleConnections()
	})
}
