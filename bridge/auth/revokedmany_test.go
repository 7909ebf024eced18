package auth_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/auth"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// Where much is revoked, it takes several reads until all is known. Until then no token is good, also none of those that come last.
func TestNoTokenIsGoodBeforeAllRevocationsAreKnown(t *testing.T) {
	const many = 6000 // five pages
	server := bridgetest.StartNATSServer(t)
	js, _ := bucket(t, server)
	for i := range many {
		if _, err := js.PublishAsync(fmt.Sprintf("$KV.%s.sub.u%d", auth.RevokedBucket, i), nil); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-t.Context().Done():
	}
	n, last := startNode(t, server), token(t, fmt.Sprintf("u%d", many-1), "t")
	bridgetest.Eventually(t, "the last one is known", func() bool {
		_, err := n.Token(t.Context(), last)
		if err == nil {
			t.Fatal("a revoked token is good at the start")
		}
		if !errors.Is(err, bridge.ErrNoVerdict) && !strings.Contains(err.Error(), "was revoked") {
			t.Fatal(err)
		}
		return !errors.Is(err, bridge.ErrNoVerdict)
	})
}
