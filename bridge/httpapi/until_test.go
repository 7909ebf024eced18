package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// A poll that reads backwards says where it ends, and nothing else about where it begins.
func TestUntilIsForPolls(t *testing.T) {
	b := start(t, config())
	for query, test := range map[string]struct{ problem, detail string }{
		"until=e-7":                               {"bad-query", "until is for poll=1"},
		"poll=1&until=e-7&since=all":              {"bad-query", "leave since and lastEventId out"},
		"poll=1&until=e-7&lastEventId=e-3":        {"bad-query", "leave since and lastEventId out"},
		"poll=1&until=e-7&limit=0":                {"bad-query", "limit=0"},
		"poll=1&until=7":                          {"bad-id", "until: "},
		"poll=1&until=now":                        {"bad-id", "until: "},
		"poll=1&until=e-07":                       {"bad-id", "until: "},
		"poll=1&until=" + strings.Repeat("e", 99): {"bad-id", "until: "},
		"poll=1&untill=e-7":                       {"bad-query", "did you mean until?"},
	} {
		p := b.do(t, http.MethodGet, "/events/chat.room1?"+query, nil).problem(t, http.StatusBadRequest, test.problem)
		if !strings.Contains(p.Detail, test.detail) {
			t.Errorf("%s: %s", query, p.Detail)
		}
	}
	b.do(t, http.MethodGet, "/events/other?poll=1&until=e-7", nil).problem(t, http.StatusForbidden, "forbidden")
}

// Where nothing is stored, nothing lies before a position; an id of another life means nothing. A header of a client that comes back does not
// change that.
func TestUntilWithoutHistory(t *testing.T) {
	b := start(t, config())
	open := b.get(t, "/events/chat.room1", "Accept", "application/x-ndjson") // keeps the feed
	defer open.response.Body.Close()
	bridgetest.Eventually(t, "the feed is there", func() bool { return b.hub.Stats().Readers == 1 })
	b.deliver("chat.room1", "one")
	for until, want := range map[string]string{"test-2": "tailwater:open", "other-2": "tailwater:reset"} {
		a := b.do(t, http.MethodGet, "/events/chat.room1?poll=1&until="+until, nil, "Last-Event-ID", "test-0")
		if a.status != http.StatusOK || strings.Count(a.body, "\n") != 2 || !strings.Contains(a.body, want) || !strings.Contains(a.body, "tailwater:synced") {
			t.Errorf("%s: %+v", until, a)
		}
	}
}
