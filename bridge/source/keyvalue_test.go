package source_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/source"
)

const presenceStream = "KV_" + bridge.PresenceBucket

// keyValue opens a source on a server, and the bucket of members.
func keyValue(t *testing.T, url string) (*fixture, *source.KeyValue) {
	t.Helper()
	b := newFixtureWith(t, to(url), source.Config{}, quiet)
	return b, b.source.KeyValue(bridge.PresenceBucket, 1)
}

// TestKeyValue: the first bridge makes the bucket, and a value is written only with the revision of the one before.
func TestKeyValue(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	_, one := keyValue(t, server.URL())
	_, two := keyValue(t, server.URL())
	ctx := within(t, patience)
	for _, k := range []*source.KeyValue{one, two, one} {
		if err := k.Prepare(ctx); err != nil {
			t.Fatal(err)
		}
	}
	key := strings.TrimSuffix(strings.Repeat("聊天室.", 15), ".") + ".größe" // 16 tokens
	if value, revision, err := one.Get(ctx, key); value != nil || revision != 0 || err != nil {
		t.Errorf("a key that was never written: %q, %d, %v", value, revision, err)
	}
	first, err := one.Put(ctx, key, []byte("1"), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := two.Put(ctx, key, []byte("2"), 0, 0); !errors.Is(err, bridge.ErrConflict) {
		t.Errorf("who does not know the value writes it: %v", err)
	}
	if value, revision, err := two.Get(ctx, key); string(value) != "1" || revision != first || err != nil {
		t.Errorf("the value is %q, %d, %v", value, revision, err)
	}
	second, err := two.Put(ctx, key, []byte("2"), first, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := one.Delete(ctx, key, first); !errors.Is(err, bridge.ErrConflict) {
		t.Errorf("who does not know the value deletes it: %v", err)
	}
	if err := one.Delete(ctx, key, second); err != nil {
		t.Fatal(err)
	}
	value, revision, err := two.Get(ctx, key)
	if value != nil || revision <= second || err != nil {
		t.Errorf("a key that was deleted: %q, %d, %v", value, revision, err)
	}
	if _, err := two.Put(ctx, key, []byte("3"), revision, 0); err != nil {
		t.Errorf("a key that was deleted cannot be written: %v", err)
	}
}

// TestKeyValueExpires: a value with a time to live disappears by itself, and can be written again.
func TestKeyValueExpires(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	_, k := keyValue(t, server.URL())
	ctx := within(t, patience)
	if err := k.Prepare(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Put(ctx, "_lease.a", []byte("here"), 0, time.Second); err != nil {
		t.Fatal(err)
	}
	watch, err := manager(t, to(server.URL())).KeyValue(ctx, bridge.PresenceBucket)
	if err != nil {
		t.Fatal(err)
	}
	seen, err := watch.Watch(ctx, "_lease.a", jetstream.UpdatesOnly())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = seen.Stop() }()
	for value := []byte{}; value != nil; {
		if value, _, err = k.Get(ctx, "_lease.a"); err != nil {
			t.Fatal(err)
		}
		if value != nil {
			select {
			case <-seen.Updates(): // the marker that NATS leaves
			case <-ctx.Done():
				t.Fatal("the value stays")
			}
		}
	}
	_, revision, err := k.Get(ctx, "_lease.a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Put(ctx, "_lease.a", []byte("again"), revision, time.Minute); err != nil {
		t.Errorf("it cannot be written again: %v", err)
	}
	info, err := manager(t, to(server.URL())).Stream(ctx, presenceStream)
	if err != nil {
		t.Fatal(err)
	}
	if ttl := info.CachedInfo().Config.SubjectDeleteMarkerTTL; ttl <= 0 || ttl > 10*time.Minute {
		t.Errorf("markers stay for %v", ttl)
	}
}

// TestBucketsOfOthers: a suitable bucket is used, whoever has made it; otherwise the error says what it lacks.
func TestBucketsOfOthers(t *testing.T) {
	t.Parallel()
	subjects := []string{"$KV." + bridge.PresenceBucket + ".>"}
	for name, test := range map[string]struct {
		config jetstream.StreamConfig
		says   string // "" for a bucket that is used
	}{
		"made by the nats command":   {jetstream.StreamConfig{Subjects: subjects, MaxMsgsPerSubject: 5, AllowRollup: true, AllowDirect: true, AllowMsgTTL: true}, ""},
		"in memory, with an age":     {jetstream.StreamConfig{Subjects: subjects, Storage: jetstream.MemoryStorage, MaxMsgsPerSubject: 1, MaxAge: time.Hour, AllowMsgTTL: true}, ""},
		"without a time to live":     {jetstream.StreamConfig{Subjects: subjects, MaxMsgsPerSubject: 1}, "allows no time to live"},
		"of other subjects":          {jetstream.StreamConfig{Subjects: []string{"other.>"}, AllowMsgTTL: true}, "has not the subjects"},
		"a part of the subjects":     {jetstream.StreamConfig{Subjects: []string{"$KV." + bridge.PresenceBucket + ".chat.>"}, AllowMsgTTL: true}, "has not the subjects"},
		"a work queue":               {jetstream.StreamConfig{Subjects: subjects, Retention: jetstream.WorkQueuePolicy, AllowMsgTTL: true}, "cannot read"},
		"for small values":           {jetstream.StreamConfig{Subjects: subjects, MaxMsgSize: 1000, AllowMsgTTL: true}, "takes only values of"},
		"sealed":                     {jetstream.StreamConfig{Subjects: subjects, AllowMsgTTL: true, Sealed: true}, "is sealed"},
		"of a stream with all there": {jetstream.StreamConfig{Name: "ALL", Subjects: []string{"$KV.>"}}, "subjects overlap"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := bridgetest.StartNATSServer(t)
			js, ctx := manager(t, to(server.URL())), within(t, patience)
			isSealed := test.config.Sealed
			test.config.Sealed = false
			if test.config.Name == "" {
				test.config.Name = presenceStream
			}
			_, err := js.CreateStream(ctx, test.config)
			if isSealed && err == nil {
				test.config.Sealed = true
				_, err = js.UpdateStream(ctx, test.config)
			}
			if err != nil {
				t.Fatal(err)
			}
			_, k := keyValue(t, server.URL())
			err = k.Prepare(ctx)
			switch {
			case test.says == "" && err != nil:
				t.Errorf("it is not used: %v", err)
			case test.says != "" && (!errors.Is(err, bridge.ErrNoBucket) || !strings.Contains(fmt.Sprint(err), test.says)):
				t.Errorf("it says %v; want %s", err, test.says)
			}
			if test.says == "" {
				if _, err := k.Put(ctx, "chat.a", []byte("1"), 0, time.Minute); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestNoBucket: if there can be no bucket, the error says so at once; if that is unknown, it does not.
func TestNoBucket(t *testing.T) {
	t.Parallel()
	user := `{ user: bridge, password: swordfish%s }`
	for name, test := range map[string]struct{ config, says string }{
		"no JetStream":             {`accounts: { A: { users: [ ` + fmt.Sprintf(user, "") + ` ] } }`, ""},
		"no permission to ask":     {`authorization { users: [ ` + fmt.Sprintf(user, `, permissions: { publish: { deny: "$JS.API.STREAM.INFO.>" } }`) + ` ] }`, "refuses"},
		"no permission to make it": {`authorization { users: [ ` + fmt.Sprintf(user, `, permissions: { publish: { deny: "$JS.API.STREAM.CREATE.>" } }`) + ` ] }`, "refuses"},
		"no streams left":          {`accounts: { A: { jetstream: { max_streams: 1 }, users: [ ` + fmt.Sprintf(user, "") + ` ] } }`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := configFile(t, test.config)
			server := bridgetest.StartNATSServer(t, "-c", file)
			url := fmt.Sprintf("nats://bridge:swordfish@127.0.0.1:%d", server.Port)
			if strings.Contains(test.config, "max_streams") {
				if _, err := manager(t, to(url)).CreateStream(t.Context(), jetstream.StreamConfig{Name: "ONE", Subjects: []string{"one"}}); err != nil {
					t.Fatal(err)
				}
			}
			_, k := keyValue(t, url)
			if err := k.Prepare(within(t, patience)); !errors.Is(err, bridge.ErrNoBucket) || !strings.Contains(fmt.Sprint(err), test.says) {
				t.Errorf("it says %v", err)
			}
		})
	}
	t.Run("NATS is away", func(t *testing.T) {
		t.Parallel()
		server := bridgetest.StartNATSServer(t)
		b, k := keyValue(t, server.URL())
		server.Kill()
		b.awaitStatus(t, nats.RECONNECTING)
		if err := k.Prepare(within(t, time.Second)); !errors.Is(err, bridge.ErrUnavailable) {
			t.Errorf("it says %v", err)
		}
		if _, _, err := k.Get(within(t, time.Second), "chat.a"); !errors.Is(err, bridge.ErrUnavailable) {
			t.Errorf("reading says %v", err)
		}
	})
}

// TestInject: an injected message reaches the readers of its subject, and nobody else.
func TestInject(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	b := newFixture(t, to(server.URL()), quiet)
	one, other := b.read(t, "chat.a"), b.read(t, "chat.b")
	one.wantOpen()
	other.wantOpen()
	b.source.Inject("chat.a", []byte("injected"))
	one.wantData("injected")
	b.source.Inject("chat.b", []byte("after"))
	other.wantData("after")
}
