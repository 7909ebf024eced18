package httpapi_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

const (
	largeSize  = 256 << 10
	largeCount = 12
)

// fill lets the API have an answer of some megabytes, more than sockets hold.
func (b *fixture) fill(t *testing.T) {
	t.Helper()
	b.get(t, "/events/chat.room1", "Accept", "application/x-ndjson") // keeps the feed, and what is in its memory
	bridgetest.Eventually(t, "the feed is there", func() bool { return b.hub.Stats().Readers == 1 })
	for range largeCount {
		b.deliver("chat.room1", strings.Repeat("x", largeSize))
	}
}

const pollAll = "/events/chat.room1?poll=1&lastEventId=test-0"

// pollUnread sends a poll, and reads nothing.
func (b *fixture) pollUnread(t *testing.T) {
	t.Helper()
	conn, err := net.Dial("tcp", b.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(conn, "GET "+pollAll+" HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
}

// Polls whose clients do not take their answers keep nobody from a poll.
func TestSlowPollsKeepNobodyOut(t *testing.T) {
	b := start(t, config())
	b.fill(t)
	const slow = 50
	for range slow {
		b.pollUnread(t)
	}
	bridgetest.Eventually(t, "all are under way", func() bool { return b.outlet.Stats().Polls == slow })
	for range 3 {
		a := b.do(t, http.MethodGet, pollAll, nil)
		if a.status != http.StatusOK || strings.Count(a.body, "\n") != largeCount+2 || !strings.Contains(a.body, "tailwater:synced") {
			t.Errorf("%d and %d lines", a.status, strings.Count(a.body, "\n"))
		}
	}
	b.quiet(t)
}

// A client has all when it goes on behind the last line of each answer.
func TestPollsInPieces(t *testing.T) {
	b := start(t, config())
	b.fill(t)
	target, polls, had := pollAll, 0, 0
	for isSynced := false; !isSynced; polls++ {
		a := b.do(t, http.MethodGet, target+"&limit=5", nil)
		if a.status != http.StatusOK {
			t.Fatalf("poll %d: %.200s", polls, a.body)
		}
		for line := range strings.Lines(a.body) {
			var event struct{ Event, Data, ID string }
			if err := json.Unmarshal([]byte(line), &event); err != nil {
				t.Fatal(err)
			}
			if len(event.Data) == largeSize {
				had++
			}
			isSynced = event.Event == "tailwater:synced"
			target = "/events/chat.room1?poll=1&lastEventId=" + event.ID
		}
	}
	if had != largeCount || polls != 3 {
		t.Errorf("%d messages in %d answers", had, polls)
	}
}
