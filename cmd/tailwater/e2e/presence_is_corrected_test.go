package e2e

import (
	"errors"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// TestPresenceIsCorrected: what another program writes into the bucket, or deletes there, is undone within moments, in rooms with members and
// without. Readers are told no leave.
func TestPresenceIsCorrected(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	one, two := startNode(t, listed(server.URL())), startNode(t, listed(server.URL()))
	enter(t, one.URL(), "chat.a", "Ada")
	enter(t, two.URL(), "chat.a", "Ben")
	w := observe(t, one.URL(), "chat.a")
	w.await("Ada", "Ben")
	kv, err := connectJetStream(t, server.URL()).KeyValue(t.Context(), bridge.PresenceBucket)
	noError(t, err)
	for _, spoil := range []func(key string) error{
		func(key string) error { _, err := kv.PutString(t.Context(), key, "rubbish"); return err },
		func(key string) error { return kv.Delete(t.Context(), key) },
		func(key string) error { return kv.Purge(t.Context(), key) },
	} {
		for _, key := range []string{"chat.a", "chat.empty"} {
			noError(t, spoil(key))
		}
		w.await() // nobody
		w.await("Ada", "Ben")
		eventually(t, "the empty room has no value", func() bool {
			_, err := kv.Get(t.Context(), "chat.empty")
			return errors.Is(err, jetstream.ErrKeyNotFound)
		})
	}
	if got := w.left(); len(got) > 0 {
		t.Errorf("left: %q", got)
	}
}
