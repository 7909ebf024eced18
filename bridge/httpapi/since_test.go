package httpapi_test

import (
	"errors"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge"
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
		"2026-01-02T03:04:05.1+02:00": at("2026-01-02T03:04:05.1+02:00"),
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

// What is not stored has nothing to give but where it stands.
func TestPollWithoutHistory(t *testing.T) {
	b := start(t, config())
	a := b.do(t, http.MethodGet, "/events/chat.room1?poll=1", nil)
	want := `{"event":"tailwater:open","data":"{\"subjects\":[\"chat.room1\"]}","id":"test-0-1"}` + "\n" +
		`{"event":"tailwater:synced","data":"{}","id":"test-0-1"}` + "\n"
	if a.status != http.StatusOK || a.body != want || a.header.Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("%+v, want %s", a, want)
	}
	a = b.do(t, http.MethodGet, "/events/chat.room1?poll=1&since=new", nil)
	if a.status != http.StatusOK || a.body != want[:len(want)/2] && len(a.body) > len(want) {
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
