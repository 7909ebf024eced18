package source_test

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/source"
)

// While the store is known to be broken, a message for a stream is refused without being sent, because no acknowledgement could
// arrive. Subjects without a stream need no store.
func TestPublishToABrokenStore(t *testing.T) {
	t.Parallel()
	dial := to(bridgetest.StartNATSServer(t).URL())
	js := manager(t, dial)
	createStream(t, js, chats)
	var broken atomic.Bool
	b := newFixtureWith(t, dial, source.Config{IsBroken: broken.Load}, quiet)
	broken.Store(true)
	if err := b.post(within(t, patience), "chat.a", nil, nil); !errors.Is(err, bridge.ErrBroken) || !errors.Is(err, bridge.ErrUnavailable) {
		t.Errorf("a message for a broken store: %v", err)
	}
	if err := b.post(within(t, patience), "news.a", nil, nil); err != nil {
		t.Errorf("a message that is not stored: %v", err)
	}
	broken.Store(false)
	receipt, err := b.source.Publish(within(t, patience), "chat.a", nil, nil)
	if err != nil || receipt.Position.Seq != 1 {
		t.Errorf("the first message that is sent to the stream: %+v, %v", receipt, err)
	}
}
