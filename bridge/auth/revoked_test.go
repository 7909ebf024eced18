package auth_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/auth"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/source"
)

// node is an Auth over a real NATS server.
type node struct {
	overheard
	log     *bridgetest.Output
	changed chan struct{} // after each change, one value at most
}

func startNode(t *testing.T, server *bridgetest.NATSServer) *node {
	t.Helper()
	n := &node{log: &bridgetest.Output{}, changed: make(chan struct{}, 1)}
	logger := slog.New(secrets.Log(slog.NewTextHandler(n.log, nil)))
	dial := func(options ...nats.Option) (*nats.Conn, error) { return nats.Connect(server.URL(), options...) }
	from, err := source.Open(dial, source.Config{}, logger)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(from.Close)
	n.overheard = openOver(t, auth.Config{Secret: secret, Log: logger}, from, func() {
		select {
		case n.changed <- struct{}{}:
		default:
		}
	})
	return n
}

// token makes one of a caller, with a jti.
func token(t *testing.T, sub, jti string) string {
	return sign(t, jwt.SigningMethodHS256, []byte(secret), claims(map[string]any{"sub": sub, "jti": jti}))
}

// becomes waits until tokens are good, or no good.
func (n *node) becomes(t *testing.T, what string, token string, isGood bool) {
	t.Helper()
	bridgetest.Eventually(t, fmt.Sprintf("%s: the token is good: %t", what, isGood), func() bool {
		caller, err := n.Token(t.Context(), token)
		if err != nil && !errors.Is(err, bridge.ErrNoVerdict) && !strings.Contains(err.Error(), "was revoked") {
			t.Fatal(err)
		}
		return (err == nil) == isGood && !errors.Is(err, bridge.ErrNoVerdict) && (err != nil || !n.Revoked(caller))
	})
}

// bucket makes the bucket of revocations, and gives what writes it.
func bucket(t *testing.T, server *bridgetest.NATSServer) (jetstream.JetStream, jetstream.KeyValue) {
	t.Helper()
	conn, err := nats.Connect(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		for !conn.IsClosed() {
		}
	})
	js, err := jetstream.New(conn, jetstream.WithPublishAsyncMaxPending(10_000)) // on a busy machine, fewer are a failure
	if err != nil {
		t.Fatal(err)
	}
	kv, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: auth.RevokedBucket})
	if err != nil {
		t.Fatal(err)
	}
	return js, kv
}

func put(t *testing.T, kv jetstream.KeyValue, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if _, err := kv.Put(t.Context(), key, nil); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRevocation(t *testing.T) {
	server := bridgetest.StartNATSServer(t)
	n := startNode(t, server)
	alice, again, bob := token(t, "alice", "t1"), token(t, "alice", "t2"), token(t, "bob", "t3")
	odd := token(t, "Ünal.x@example.com > *", "a b c")
	for _, each := range []string{alice, again, bob, odd} {
		n.becomes(t, "without a bucket", each, true)
	}
	js, kv := bucket(t, server) // while the node runs
	put(t, kv, "jti.t1")
	n.becomes(t, "by jti", alice, false)
	n.becomes(t, "another of the same caller", again, true)

	put(t, kv, "sub.alice")
	n.becomes(t, "by sub", again, false)
	n.becomes(t, "another caller", bob, true)
	if err := kv.Delete(t.Context(), "sub.alice"); err != nil {
		t.Fatal(err)
	}
	n.becomes(t, "a deleted key", again, true)
	if err := kv.Purge(t.Context(), "jti.t1"); err != nil {
		t.Fatal(err)
	}
	n.becomes(t, "a purged key", alice, true)

	for _, encoding := range []*base64.Encoding{base64.URLEncoding, base64.RawURLEncoding} {
		for _, key := range []string{"sub64." + encoding.EncodeToString([]byte("Ünal.x@example.com > *")), "jti64." + encoding.EncodeToString([]byte("a b c"))} {
			put(t, kv, key)
			n.becomes(t, key, odd, false)
			if err := kv.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			n.becomes(t, key+" is deleted", odd, true)
		}
	}

	put(t, kv, "bob", "tokens.t3", "jti.t3x", "sub.bo", "jti64.t3")
	put(t, kv, "jti.last")
	n.becomes(t, "all was read", token(t, "x", "last"), false)
	n.becomes(t, "keys that are close", bob, true)
	for _, key := range []string{"key=bob", "key=tokens.t3"} {
		if text := n.log.String(); strings.Count(text, key) != 1 || strings.Contains(text, "jti.t3x") || strings.Contains(text, `key=""`) {
			t.Errorf("the log should name %s once, and what is right never:\n%s", key, text)
		}
	}

	// A bucket that is made anew has other keys.
	if err := js.DeleteKeyValue(t.Context(), auth.RevokedBucket); err != nil {
		t.Fatal(err)
	}
	_, kv = bucket(t, server)
	put(t, kv, "jti.t3")
	n.becomes(t, "in a new bucket", bob, false)
	n.becomes(t, "of the old bucket", token(t, "x", "last"), true)
}

// A node that was away, or has just begun, knows what was revoked meanwhile; and one whose NATS is away knows what it knew.
func TestRevocationWhileAway(t *testing.T) {
	server := bridgetest.StartNATSServer(t)
	first := startNode(t, server)
	_, kv := bucket(t, server)
	for i := range 300 {
		put(t, kv, fmt.Sprintf("jti.old%d", i))
	}
	second := startNode(t, server)
	for _, n := range []*node{first, second} {
		n.becomes(t, "before", token(t, "alice", "old0"), false)
		n.becomes(t, "before", token(t, "alice", "old299"), false)
		n.becomes(t, "before", token(t, "alice", "t1"), true)
	}
	server.Kill()
	if _, err := first.Token(t.Context(), token(t, "alice", "old7")); err == nil {
		t.Error("without NATS, a revoked token is good")
	}
	good(t, first.overheard, token(t, "alice", "t1"))
	server.Start(t)
	bridgetest.Eventually(t, "the server takes keys", func() bool {
		_, err := kv.Put(t.Context(), "jti.t1", nil)
		return err == nil
	})
	for _, n := range []*node{first, second} {
		n.becomes(t, "after", token(t, "alice", "t1"), false)
		n.becomes(t, "after", token(t, "alice", "old7"), false)
	}
}

// It takes effect at once: changed is called when tokens are no good any more.
func TestRevocationIsToldAtOnce(t *testing.T) {
	server := bridgetest.StartNATSServer(t)
	n := startNode(t, server)
	_, kv := bucket(t, server)
	put(t, kv, "jti.first")
	n.becomes(t, "the bucket is read", token(t, "alice", "first"), false)
	fastest := time.Hour // of several: a busy machine delays some, and a program that looks now and then delays all
	for i := range 5 {
		jti := fmt.Sprint("t", i)
		caller := good(t, n.overheard, token(t, "alice", jti))
		start := time.Now()
		put(t, kv, "jti."+jti)
		for isTold := false; !isTold; isTold = n.Revoked(caller) { // what is told first may be of an earlier one
			select {
			case <-n.changed:
			case <-time.After(30 * time.Second):
				t.Fatal("nobody was told")
			}
		}
		fastest = min(fastest, time.Since(start))
	}
	if fastest > time.Second {
		t.Errorf("it took %v", fastest)
	}
}
