package auth_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/auth"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/source"
)

// inspected returns a configuration whose bucket is as the verdicts say.
func inspected() (config auth.Config, verdicts chan<- auth.Bucket) {
	all := make(chan auth.Bucket)
	return auth.Config{Secret: secret, Bucket: func(ctx context.Context, _ *auth.Bucket) (auth.Bucket, error) {
		select {
		case verdict := <-all:
			return verdict, nil
		case <-ctx.Done():
			return auth.Bucket{}, ctx.Err()
		}
	}}, all
}

// A bucket that can be read from now on has not been read yet: until its keys are there, no token is good. What was heard while it
// could not be read are not all of them.
func TestBucketThatIsNotReadYet(t *testing.T) {
	server := bridgetest.StartNATSServer(t)
	from, err := source.Open(func(options ...nats.Option) (*nats.Conn, error) { return nats.Connect(server.URL(), options...) }, source.Config{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(from.Close)
	config, verdicts := inspected()
	n := &node{overheard: openOver(t, config, from, func() {})}
	alice, bob := token(t, "alice", "t1"), token(t, "bob", "t2")
	verdicts <- auth.Bucket{}
	n.becomes(t, "without a bucket", alice, true)

	verdicts <- auth.Bucket{Exists: true}
	bridgetest.Eventually(t, "it is not known who is revoked", func() bool {
		_, err := n.Token(t.Context(), alice)
		return errors.Is(err, bridge.ErrNoVerdict)
	})
	_, kv := bucket(t, server)
	put(t, kv, "sub.alice")
	n.becomes(t, "in the bucket", alice, false)
	n.becomes(t, "in no entry", bob, true)

	verdicts <- auth.Bucket{Exists: true, Unreadable: true}
	bridgetest.Eventually(t, "no token is checked", func() bool {
		_, err := n.Token(t.Context(), bob)
		return errors.Is(err, bridge.ErrNoVerdict) && !n.Ready()
	})
	// Connections of callers that were revoked before end all the same.
	if !n.Revoked(bridge.Caller{Name: "alice", Token: "t1"}) || n.Revoked(bridge.Caller{Name: "bob", Token: "t2"}) {
		t.Error("what was known of revocations is forgotten")
	}
}

// No token is good while it is not known whether there is a bucket, although nothing else is wrong, or while the bucket cannot be read.
func TestNoVerdictWithoutTheBucket(t *testing.T) {
	config, verdicts := inspected()
	a := open(t, config) // keys have been read: there are none
	isKnown := func() bool {
		before := a.Ready()
		_, err := a.Token(t.Context(), token(t, "alice", "t1"))
		ready := a.Ready()
		if err != nil && !errors.Is(err, bridge.ErrNoVerdict) || ready == before && ready != (err == nil) { // unless that came in between
			t.Fatalf("the verdict is %v, ready: %t", err, ready)
		}
		return err == nil
	}
	if isKnown() {
		t.Error("a token is good before the bucket is known")
	}
	verdicts <- auth.Bucket{}
	bridgetest.Eventually(t, "a token is good", isKnown)
	verdicts <- auth.Bucket{Unreadable: true}
	bridgetest.Eventually(t, "no token is good", func() bool { return !isKnown() })
	verdicts <- auth.Bucket{}
	bridgetest.Eventually(t, "a token is good again", isKnown)
}

// A key that no bucket stores is reported, once, unless the bucket comes within a moment.
func TestKeyThatNothingStores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bridgetest.Output
		config, verdicts := inspected()
		config.Log = slog.New(slog.NewTextHandler(&log, nil))
		from := bridgetest.NewSource()
		a := openOver(t, config, from, func() {})
		want := func(after time.Duration, isReported bool, lines int) {
			t.Helper()
			time.Sleep(after)
			if problem := a.Problem(); strings.Contains(problem, `"sub.alice"`) != isReported || strings.Count(log.String(), "revoke again: nats kv add") != lines {
				t.Errorf("the problem: %q; the log:\n%s", problem, &log)
			}
		}
		verdict := func(bucket auth.Bucket) {
			verdicts <- bucket
			synctest.Wait()
		}
		revoke := func(key string) { from.Publish(bridge.Subject("$KV."+auth.RevokedBucket+"."+key), nil) }
		synctest.Wait()
		revoke("sub.alice")
		want(time.Minute, false, 0) // nobody knows whether there is a bucket
		none := auth.Bucket{Remedy: "nats kv add"}
		verdict(none)
		want(time.Second, false, 0)
		want(2*time.Second, true, 1)
		revoke("sub.bob")
		verdict(none)
		want(time.Minute, true, 1)
		verdict(auth.Bucket{Exists: true})
		revoke("sub.alice")
		want(time.Minute, false, 1)
		verdict(none)
		revoke("sub.alice")
		want(time.Second, false, 1)
		want(2*time.Second, true, 2)
		verdict(auth.Bucket{Exists: true})
		verdict(none)
		revoke("sub.alice")
		want(time.Second, false, 2)
		verdict(auth.Bucket{Exists: true})
		want(time.Minute, false, 2)
	})
}
