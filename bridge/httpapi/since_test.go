package httpapi_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/httpapi"
)

func TestParseSince(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)
	at := func(text string) bridge.Since {
		parsed, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			t.Fatal(err)
		}
		return bridge.Since{Kind: bridge.SinceTime, Time: parsed}
	}
	for text, want := range map[string]bridge.Since{
		"": {}, "new": {}, "all": {Kind: bridge.SinceAll}, "last": {Kind: bridge.SinceLast},
		"10m":                         at("2026-01-02T02:54:05Z"),
		"1.5s":                        at("2026-01-02T03:04:03Z"),
		"2026-01-02T03:04:05Z":        at("2026-01-02T03:04:05Z"),
		"2026-01-02T03:04:05.1+02:00": at("2026-01-02T03:04:05+02:00"),
		"2026-01-02T03:04:05 02:00":   at("2026-01-02T03:04:05+02:00"),
		"e-7-z":                       {Kind: bridge.SinceID, ID: bridge.ID{{Epoch: "e", Seq: 7, Time: 35}}},
		"e-7.f-8":                     {Kind: bridge.SinceID, ID: bridge.ID{{Epoch: "e", Seq: 7}, {Epoch: "f", Seq: 8}}},
	} {
		got, err := httpapi.ParseSince(text, now)
		if err != nil || got.Kind != want.Kind || !got.Time.Equal(want.Time) || !reflect.DeepEqual(got.ID, want.ID) {
			t.Errorf("since=%s: %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"0s", "-1m", "yesterday", "10", "1d", "2026-01-02", "1969-12-31T23:59:59Z", "2262-01-01T00:00:00Z", "e-01", "ALL", " all", "e-7-z."} {
		if got, err := httpapi.ParseSince(text, now); err == nil || got.Kind != bridge.SinceNew {
			t.Errorf("since=%s: %+v, %v; want an error", text, got, err)
		}
	}
}

func FuzzParseSince(f *testing.F) {
	for _, text := range []string{"", "new", "all", "last", "10m", "-1s", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05 02:00", "e-7-z", "e-1.f-2"} {
		f.Add(text)
	}
	now := time.Unix(1_700_000_000, 0)
	f.Fuzz(func(t *testing.T, text string) {
		since, err := httpapi.ParseSince(text, now)
		switch {
		case err != nil && len(err.Error()) > 400:
			t.Errorf("the error has %d bytes", len(err.Error()))
		case err == nil && (since.Kind == bridge.SinceTime) == since.Time.IsZero():
			t.Errorf("since=%q: %+v", text, since)
		case err == nil && (since.Kind == bridge.SinceID) != (len(since.ID) > 0):
			t.Errorf("since=%q: %+v", text, since)
		}
	})
}

// Without a stream, a poll returns only its position.
func TestPollWithoutHistory(t *testing.T) {
	b := start(t, config())
	a := b.do(t, http.MethodGet, "/events/chat.room1?poll=1", nil)
	want := `{"event":"tailwater:open","data":"{\"subjects\":[\"chat.room1\"]}","id":"test-0-1"}` + "\n" +
		`{"event":"tailwater:synced","data":"{}","id":"test-0-1"}` + "\n"
	if a.status != http.StatusOK || a.body != want || a.header.Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("%+v, want %s", a, want)
	}
	if a = b.do(t, http.MethodGet, "/events/chat.room1?poll=1&since=new", nil); a.status != http.StatusOK || a.body != want {
		t.Errorf("since=new: %+v, want %s", a, want)
	}
}

// An id wins over since: a poll with an id returns everything after it, whatever the URL says.
func TestPollBehindAnID(t *testing.T) {
	b := start(t, config())
	open := b.get(t, "/events/chat.room1", "Accept", "application/x-ndjson") // keeps the feed
	defer open.response.Body.Close()
	bridgetest.Eventually(t, "the feed is there", func() bool { return b.hub.Stats().Readers == 1 })
	for _, data := range []string{"one", "two", "three"} {
		b.deliver("chat.room1", data)
	}
	for _, query := range []string{"poll=1", "poll=1&since=new", "poll=1&since=all", "poll=1&since=10m", "poll=1&since=last"} {
		for _, sent := range [][]string{{"&lastEventId=test-1", ""}, {"", "test-1"}} {
			a := b.do(t, http.MethodGet, "/events/chat.room1?"+query+sent[0], nil, "Last-Event-ID", sent[1])
			var events []string
			for line := range strings.Lines(a.body) {
				var event struct{ Event, Data string }
				if err := json.Unmarshal([]byte(line), &event); err != nil {
					t.Fatalf("%s: %q: %v", query, line, err)
				}
				events = append(events, event.Event+" "+event.Data)
			}
			if want := []string{"tailwater:open " + `{"subjects":["chat.room1"]}`, " two", " three", "tailwater:synced {}"}; !slices.Equal(events, want) {
				t.Errorf("%s, %q: %q instead of %q", query, sent, events, want)
			}
		}
	}
	// An id of another life is ignored: the poll begins as the URL says.
	a := b.do(t, http.MethodGet, "/events/chat.room1?poll=1&since=new&lastEventId=other-1", nil)
	if strings.Count(a.body, "\n") != 2 || !strings.Contains(a.body, "tailwater:reset") || !strings.Contains(a.body, "tailwater:synced") {
		t.Errorf("%+v", a)
	}
}

func TestHeadTellsWhatIsStored(t *testing.T) {
	b := start(t, config())
	at := bridge.Position{Epoch: "e", Seq: 42, Time: 36}
	b.store.say(bridge.Extent{Last: bridge.ID{at}, FirstSeq: 7, LastSeq: 42}, nil)
	a := b.do(t, http.MethodHead, "/events/chat.room1", nil)
	if a.status != http.StatusOK || a.header.Get("Tailwater-Last-Id") != "e-42-10" || a.header.Get("Tailwater-First-Seq") != "7" || a.header.Get("Tailwater-Last-Seq") != "42" {
		t.Errorf("%+v", a)
	}
	b.store.say(bridge.Extent{}, nil)
	a = b.do(t, http.MethodHead, "/events/chat.room1", nil)
	for name := range a.header {
		if len(name) > 9 && name[:9] == "Tailwater" {
			t.Errorf("nothing is stored, and HEAD says %s: %s", name, a.header.Get(name))
		}
	}
	b.store.say(bridge.Extent{}, errors.Join(bridge.ErrUnavailable))
	if a = b.do(t, http.MethodHead, "/events/chat.room1", nil); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("%+v", a)
	}
}

func TestStoredPost(t *testing.T) {
	b := start(t, config())
	b.publisher.mu.Lock()
	b.publisher.gets = bridge.Receipt{Stream: "CHATS", Position: bridge.Position{Epoch: "e", Seq: 3}, Duplicate: true}
	b.publisher.mu.Unlock()
	a := b.do(t, http.MethodPost, "/events/chat.room1", nil)
	if want := `{"subject":"chat.room1","id":"e-3","stream":"CHATS","seq":3,"duplicate":true}` + "\n"; a.status != http.StatusCreated || a.body != want {
		t.Errorf("%+v, want %s", a, want)
	}
	b.publisher.mu.Lock()
	b.publisher.err = bridge.ErrFull
	b.publisher.mu.Unlock()
	b.do(t, http.MethodPost, "/events/chat.room1", nil).problem(t, http.StatusInsufficientStorage, "full")
}
