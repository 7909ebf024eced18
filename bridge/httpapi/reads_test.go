package httpapi_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// ask sends a request as somebody, without a network.
func (b *fixture) ask(method, target, peer string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://localhost"+target, nil)
	r.RemoteAddr = peer
	w := httptest.NewRecorder()
	func() {
		defer func() {
			if cause := recover(); cause != nil && cause != http.ErrAbortHandler {
				panic(cause)
			}
		}()
		b.api.ServeHTTP(w, r)
	}()
	return w
}

// The GETs and HEADs of one address are limited. Above the limit the client is asked to reconnect, with a status that is not final.
func TestReadRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := config()
		c.Limits.Reads = 200
		b := newFixture(t, c)
		served := func(peer string, method, target string) (count int) {
			for range 1200 {
				if w := b.ask(method, target, peer); w.Code == http.StatusOK && !strings.Contains(w.Body.String(), "tailwater:close") {
					count++
				}
			}
			return count
		}
		if n := served("192.0.2.1:1", http.MethodHead, "/events/chat.room1"); n != 1000 {
			t.Errorf("%d at once", n)
		}
		for _, target := range []string{"/events/chat.room1?poll=1", "/events/chat.room1?since=10m", "/events/chat.room1"} {
			w := b.ask(http.MethodGet, target, "192.0.2.1:2")
			if isPoll := strings.Contains(target, "poll"); isPoll && (w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "") {
				t.Errorf("%s: %d %+v", target, w.Code, w.Header())
			} else if !isPoll && (w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `tailwater:close`) || !strings.Contains(w.Body.String(), "busy") || !strings.Contains(w.Body.String(), "retry:")) {
				t.Errorf("%s: %d %s", target, w.Code, w.Body)
			}
		}
		// Another address is another; what is refused for good is, and does not count; a post is no matter of reading.
		if n := served("192.0.2.2:1", http.MethodGet, "/events/chat.room1?poll=1"); n != 1000 {
			t.Errorf("%d of another", n)
		}
		if w := b.ask(http.MethodGet, "/events/secret", "192.0.2.1:1"); w.Code != http.StatusForbidden {
			t.Errorf("what is not allowed is answered %d", w.Code)
		}
		if w := b.post("192.0.2.1:1"); w.Code != http.StatusAccepted {
			t.Errorf("a post is answered %d", w.Code)
		}
		time.Sleep(time.Second)
		if n := served("192.0.2.1:1", http.MethodHead, "/events/chat.room1"); n != 200 {
			t.Errorf("%d a second later", n)
		}
		if stats := b.api.Stats(); stats.Limited["reads"] != 200+3+200+1000 {
			t.Errorf("%+v", stats)
		}
	})
}

// Any length of a caller's name costs the same memory, and long names with the same beginning are different callers.
func TestLongNamesAreHashed(t *testing.T) {
	c := config()
	c.Limits.Publishes = 1
	b := newFixture(t, c)
	long := strings.Repeat("x", 8<<10)
	before := bridgetest.Heap()
	for i := range 20_000 {
		if name := long + string(rune('a'+i%26)) + time.Duration(i).String(); !b.api.Allow(name) {
			t.Fatalf("caller %d shares the rate of another", i)
		}
	}
	if grown := bridgetest.Heap() - before; grown > 20_000*400 {
		t.Errorf("a caller with a long name costs %d bytes", grown/20_000)
	}
	if n := b.api.Remembered(); n != 20_000 {
		t.Errorf("%d are remembered", n)
	}
}

// A store is asked in turns by address: one with many questions that are not answered delays nobody else's.
func TestTurnsAreByAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFixture(t, config())
		b.store.slow = "chat.slow.*"
		for i := range 50 {
			go b.ask(http.MethodHead, fmt.Sprintf("/events/chat.slow.%d", i), "192.0.2.1:1")
		}
		synctest.Wait()
		begun := time.Now()
		if w := b.ask(http.MethodHead, "/events/chat.a", "192.0.2.2:1"); w.Code != http.StatusOK || time.Since(begun) > 0 {
			t.Errorf("somebody else is answered %d after %v", w.Code, time.Since(begun))
		}
		time.Sleep(time.Minute) // the others have their answers
	})
}

// A bridge that stops does not wait for a store that does not answer.
func TestStopWaitsForNoStore(t *testing.T) {
	for _, test := range []struct{ method, target string }{{http.MethodHead, "/events/chat.slow"}, {http.MethodGet, "/events/chat.slow?poll=1"}} {
		t.Run(test.method, func(t *testing.T) {
			t.Parallel()
			b := newFixture(t, config())
			b.store.slow = "chat.slow"
			answered := make(chan int, 1)
			go func() { answered <- b.ask(test.method, test.target, "192.0.2.1:1").Code }()
			bridgetest.Eventually(t, "the store is asked", func() bool { return b.store.waits.Load() > 0 })
			begun := time.Now()
			b.api.Drain(begun)
			b.api.Finish()
			if took := time.Since(begun); took > 3*time.Second {
				t.Errorf("it took %v", took)
			}
			if code := <-answered; code != http.StatusServiceUnavailable {
				t.Errorf("it is answered %d", code)
			}
		})
	}
}
