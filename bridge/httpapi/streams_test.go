package httpapi_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/tailwater/tailwater/bridge"
)

// Subjects that one connection cannot read together are refused. But to a browser that was connected when one stream more
// came, a refusal would be the end: it goes on.
func TestTooManyStreams(t *testing.T) {
	b := start(t, config())
	b.store.crowded = fmt.Errorf("%w: read them on several connections", bridge.ErrStreams)
	const target = "/events?subject=chat.a&subject=chat.b"
	for _, query := range []string{"", "&since=all", "&poll=1", "&since=test-0"} {
		b.do(t, http.MethodGet, target+query, nil).problem(t, http.StatusBadRequest, "too-many-streams")
	}
	if head := b.do(t, http.MethodHead, target, nil); head.status != http.StatusBadRequest {
		t.Errorf("HEAD is answered %d", head.status)
	}
	b.do(t, http.MethodGet, target+"&subject=secret", nil).problem(t, http.StatusForbidden, "forbidden")
	b.get(t, target, "Last-Event-ID", "test-0").next(t, bridge.EventOpen, `{"subjects":["chat.a","chat.b"],"heartbeat":3600}`)
	b.get(t, target+"&lastEventId=test-0").next(t, bridge.EventOpen, `{"subjects":["chat.a","chat.b"],"heartbeat":3600}`)
}
