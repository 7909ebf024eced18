package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge/auth"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// bucketStream is the stream of a bucket of revoked tokens, as the nats command makes it.
func bucketStream() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: "KV_" + auth.RevokedBucket, Subjects: []string{string(auth.RevokedFilter)}, MaxMsgsPerSubject: 1, Discard: jetstream.DiscardNew,
		AllowRollup: true, DenyDelete: true, AllowDirect: true, MaxBytes: -1, MaxMsgs: -1,
	}
}

// A bucket that cannot be read, or does not keep what it is given, revokes nothing, or not for long: the log and /readyz say so, and where
// it cannot be known what is revoked, no token is taken.
func TestBucketThatRevokesNothing(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	js := connectJetStream(t, server.URL())
	var log bridgetest.Output
	n := startLogged(t, signedIn(settings{"NATS_URL": server.URL()}), &log)
	ready := func() (int, string) { return get(t, n.AdminURL()+"/readyz") }
	signsIn := func(name string, want int) func() bool {
		token := sign(t, tokenSecret, claimsOf(name, ""))
		return func() bool {
			status, _ := request(t, "POST", n.URL()+"/outbox", token, "hi")
			return status == want
		}
	}
	changed := func(change func(*jetstream.StreamConfig)) jetstream.StreamConfig {
		config := bucketStream()
		change(&config)
		return config
	}
	var stream jetstream.Stream
	for i, test := range []struct {
		config  jetstream.StreamConfig
		says    string
		isKnown bool // what is revoked can be read
	}{
		{jetstream.StreamConfig{Name: "KV_" + auth.RevokedBucket, Mirror: &jetstream.StreamSource{Name: "KV_origin"}}, "is a mirror", false},
		{jetstream.StreamConfig{Name: "KV_" + auth.RevokedBucket, Sources: []*jetstream.StreamSource{{Name: "KV_origin"}}}, "", false},
		{changed(func(c *jetstream.StreamConfig) { c.Subjects = []string{"$KV.tailwater_revoked.sub.>"} }), "holds a part of it only", false},
		{changed(func(c *jetstream.StreamConfig) { c.Retention = jetstream.WorkQueuePolicy }), "is a work queue", false},
		{changed(func(c *jetstream.StreamConfig) { c.Retention = jetstream.InterestPolicy }), "keeps messages only until", false},
		{changed(func(c *jetstream.StreamConfig) { c.NoAck, c.AllowRollup = true, false }), "does not acknowledge", false},
		{changed(func(c *jetstream.StreamConfig) {
			c.SubjectTransform = &jetstream.SubjectTransformConfig{Source: "$KV.tailwater_revoked.>", Destination: "elsewhere.>"}
		}), "under other subjects", false},
		{changed(func(c *jetstream.StreamConfig) { c.Name = "OTHER" }), "is held by the stream OTHER", true},
		{changed(func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage }), "is kept in memory", true},
		{changed(func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour }), "forgets a key after 1h0m0s", true},
		{changed(func(c *jetstream.StreamConfig) { c.Discard, c.MaxMsgs = jetstream.DiscardOld, 10 }), "throws away old keys", true},
		{changed(func(c *jetstream.StreamConfig) { c.Discard, c.MaxBytes = jetstream.DiscardOld, 1<<20 }), "throws away old keys", true},
		{changed(func(c *jetstream.StreamConfig) { c.MaxAge = 1000 * time.Hour }), "", true},
		{bucketStream(), "", true},
	} {
		if stream != nil {
			noError(t, js.DeleteStream(t.Context(), stream.CachedInfo().Config.Name))
		}
		// What was deleted a moment ago may still be in the way.
		eventually(t, "there is a stream for: "+test.says, func() (made bool) {
			var err error
			if stream, err = js.CreateStream(t.Context(), test.config); err != nil {
				t.Logf("make the stream %s: %v", test.config.Name, err)
			}
			return err == nil
		})
		name := fmt.Sprint("caller", i)
		want, isSound := http.StatusOK, test.isKnown && test.says == ""
		if !test.isKnown {
			want = http.StatusServiceUnavailable
		}
		eventually(t, "/readyz says "+test.says, func() bool {
			status, text := ready()
			return status == want && strings.Contains(text, test.says) && (!isSound || text == "ready; NATS is connected\n")
		})
		eventually(t, "the log says "+test.says, func() bool { return strings.Contains(log.String(), test.says) })
		if !test.isKnown {
			eventually(t, "no token is taken", signsIn(name, http.StatusServiceUnavailable))
			continue
		}
		eventually(t, "tokens are taken", signsIn(name, http.StatusAccepted))
		if _, err := js.Publish(t.Context(), "$KV.tailwater_revoked.sub."+name, nil); err != nil {
			t.Fatal(err)
		}
		eventually(t, "they can be revoked", signsIn(name, http.StatusUnauthorized))
	}
}

// A bucket whose stream the bridge may not read counts as unread: no token is accepted, whether it is revoked or not.
func TestBucketThatMayNotBeRead(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "nats.conf")
	text := `authorization { users: [ { user: admin, password: swordfish },
		{ user: bridge, password: swordfish, permissions: { publish: { deny: "$JS.API.CONSUMER.*.KV_tailwater_revoked.>" } } } ] }`
	noError(t, os.WriteFile(file, []byte(text), 0o600))
	server := bridgetest.StartNATSServer(t, "-c", file)
	as := func(user string) string { return fmt.Sprintf("nats://%s:swordfish@127.0.0.1:%d", user, server.Port) }
	js := connectJetStream(t, as("admin"))
	if _, err := js.CreateStream(t.Context(), bucketStream()); err != nil {
		t.Fatal(err)
	}
	revoked(t, js)("sub.alice")
	var log bridgetest.Output
	n := startLogged(t, signedIn(settings{"NATS_URL": as("bridge")}), &log)
	eventually(t, "/readyz says so", func() bool {
		status, text := get(t, n.AdminURL()+"/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(text, "cannot be read: NATS does not let this bridge read the stream KV_tailwater_revoked")
	})
	for _, name := range []string{"alice", "bob"} {
		token := sign(t, tokenSecret, claimsOf(name, ""))
		if status, text := request(t, "POST", n.URL()+"/outbox", token, "hi"); status != http.StatusServiceUnavailable {
			t.Errorf("the token of %s is answered %d %s", name, status, text)
		}
	}
}

// What serve says of the bucket, check does; it fails where no token would be taken.
func TestCheckLooksAtTheBucket(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	js := connectJetStream(t, server.URL())
	memory, mirror := bucketStream(), jetstream.StreamConfig{Name: "KV_" + auth.RevokedBucket, Mirror: &jetstream.StreamSource{Name: "KV_origin"}}
	memory.Storage = jetstream.MemoryStorage
	for _, test := range []struct {
		config *jetstream.StreamConfig
		says   string
		code   int
	}{
		{nil, "! there is no bucket tailwater_revoked", 0},
		{&mirror, "! the keys of the bucket tailwater_revoked cannot be read: the stream KV_tailwater_revoked is a mirror", exitFailure},
		{&memory, "! the bucket tailwater_revoked is kept in memory", 0},
	} {
		if test.config != nil {
			_ = js.DeleteStream(t.Context(), test.config.Name)
			if _, err := js.CreateStream(t.Context(), *test.config); err != nil {
				t.Fatal(err)
			}
		}
		if code, out, _ := call(t, signedIn(settings{"NATS_URL": server.URL()}), "check"); code != test.code || !strings.Contains(out, test.says) || test.config != nil && !strings.Contains(out, "fix: ") {
			t.Errorf("exit code %d, without %q:\n%s", code, test.says, out)
		}
	}
}

// What is published to revoke a token, and no bucket keeps, is told: it is lost with this process.
func TestRevocationThatNothingKeeps(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	var log bridgetest.Output
	n := startLogged(t, signedIn(settings{"NATS_URL": server.URL()}), &log)
	ready := func() string {
		_, text := get(t, n.AdminURL()+"/readyz")
		return text
	}
	eventually(t, "it is ready", func() bool { return ready() == "ready; NATS is connected\n" })
	conn := publisher(t, server.URL())
	noError(t, conn.Publish("$KV.tailwater_revoked.sub.alice", nil))
	const says = "no bucket tailwater_revoked stores it"
	eventually(t, "/readyz says so", func() bool {
		return strings.Contains(ready(), "ready; NATS is connected; the key") && strings.Contains(ready(), says)
	})
	eventually(t, "the log says so", func() bool {
		return strings.Contains(log.String(), says) && strings.Contains(log.String(), "nats kv add tailwater_revoked")
	})
	revoked(t, connectJetStream(t, server.URL()))("sub.alice")
	eventually(t, "the bucket keeps it", func() bool { return ready() == "ready; NATS is connected\n" })
}
