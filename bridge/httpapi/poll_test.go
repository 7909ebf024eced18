package httpapi_test

// What polls cost: memory, until their clients have taken the answers.

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge/httpapi"
)

const (
	largeSize  = 256 << 10
	largeCount = 12
)

// fill lets the API have an answer of some megabytes, more than sockets hold.
func (b *bed) fill(t *testing.T) {
	t.Helper()
	b.get(t, "/events/chat.room1", "Accept", "application/x-ndjson") // keeps the feed, and what is in its memory
	eventually(t, "the feed is there", func() bool { return b.hub.Stats().Readers == 1 })
	for range largeCount {
		b.deliver("chat.room1", strings.Repeat("x", largeSize))
	}
}

const pollAll = "/events/chat.room1?poll=1&lastEventId=test-0"

// pollDeaf sends a poll, and reads nothing.
func (b *bed) pollDeaf(t *testing.T) net.Conn {
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
	return conn
}

// idle waits until no poll is under way, and checks that none has left anything.
func (b *bed) idle(t *testing.T) {
	t.Helper()
	eventually(t, "no poll is under way", func() bool { return b.api.Stats().Polls == 0 })
	if stats := b.api.Stats(); stats.PollBytes != 0 {
		t.Errorf("%+v", stats)
	}
}

func TestPollThatIsNotTakenIsCut(t *testing.T) {
	c := config()
	c.WriteTimeout = 200 * time.Millisecond
	b := start(t, c)
	b.fill(t)
	begun := time.Now()
	var deaf []net.Conn
	for range 5 {
		deaf = append(deaf, b.pollDeaf(t))
	}
	eventually(t, "all are cut", func() bool { return b.api.Stats().PollsCut == 5 })
	if took := time.Since(begun); took < c.WriteTimeout {
		t.Errorf("they were cut after %v", took)
	}
	b.idle(t)
	for _, conn := range deaf {
		if n, err := io.Copy(io.Discard, conn); !errors.Is(err, syscall.ECONNRESET) || n > largeCount*largeSize/2 {
			t.Errorf("after %d bytes: %v instead of a reset", n, err)
		}
	}
	// One that takes it has it whole, and its connection goes on.
	for range 2 {
		a := b.do(t, http.MethodGet, pollAll, nil)
		if a.status != http.StatusOK || strings.Count(a.body, "\n") != largeCount+2 || !strings.Contains(a.body, "tailwater:synced") {
			t.Errorf("%d and %d lines", a.status, strings.Count(a.body, "\n"))
		}
	}
	b.idle(t)
	if stats := b.api.Stats(); stats.PollsCut != 5 || stats.PollsAll != 7 {
		t.Errorf("%+v", stats)
	}
	b.quiet(t)
}

// The answers are the frames that all readers share.
func TestPollsThatAreNotTakenCostLittle(t *testing.T) {
	b := start(t, config())
	b.fill(t)
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	const polls = 20
	var deaf []net.Conn
	for range polls {
		deaf = append(deaf, b.pollDeaf(t))
	}
	eventually(t, "all have their answers", func() bool { return b.api.Stats().PollBytes >= polls*largeCount*largeSize })
	if grown := heap() - before; grown > 8<<20 {
		t.Errorf("%d polls, and the heap has grown by %d MiB", polls, grown>>20)
	}
	for _, conn := range deaf {
		conn.Close()
	}
	b.idle(t)
}

func TestPollsHaveRoomTogether(t *testing.T) {
	for _, test := range []struct {
		name string
		room int64 // for so many half messages, beside the poll that holds the others up
	}{{"for one more message", 3}, {"for none", 1}} {
		t.Run(test.name, func(t *testing.T) {
			c := config()
			c.Limits = httpapi.Limits{Subjects: 1, PollBytes: largeCount*largeSize + test.room*largeSize/2}
			b := start(t, c)
			b.fill(t)
			deaf := b.pollDeaf(t)
			eventually(t, "it has its answer", func() bool { return b.api.Stats().PollBytes >= largeCount*largeSize })
			target, polls, had := pollAll, 0, 0
			if test.room == 1 {
				for range 3 {
					a := b.do(t, http.MethodGet, target, nil)
					p := a.problem(t, http.StatusServiceUnavailable, "busy")
					if a.header.Get("Retry-After") == "" || strings.ContainsAny(p.Detail, "0123456789") {
						t.Errorf("%+v %+v", a.header, p) // how much is held is nobody's business
					}
				}
				deaf.Close()
				b.idle(t)
			}
			// Where an answer is cut short, the client goes on behind its last line.
			for isSynced := false; !isSynced; polls++ {
				a := b.do(t, http.MethodGet, target, nil)
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
			if want := map[int64]int{3: largeCount, 1: 1}[test.room]; had != largeCount || polls != want {
				t.Errorf("%d messages in %d answers", had, polls)
			}
			deaf.Close()
			b.idle(t)
		})
	}
}
