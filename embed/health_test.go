package embed_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/embed"
)

// sharedLog is a log that can be read while it is written to.
type sharedLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *sharedLog) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *sharedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); {
		if time.Now().After(end) {
			t.Fatalf("in vain: %s", what)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// breakStore makes the stream S fail when it begins its third file. It returns how to remove the cause, and the last acknowledged
// sequence.
func breakStore(t *testing.T, config embed.Config, server *embed.Server, js jetstream.JetStream) (mend func(), acknowledged uint64) {
	t.Helper()
	obstacle := filepath.Join(dirOf(config), "jetstream", "$G", "streams", "S", "msgs", "3.blk")
	if err := os.Mkdir(obstacle, 0o700); err != nil {
		t.Fatal(err)
	}
	for server.Problem() == "" {
		ctx, cancel := context.WithTimeout(within(t), time.Second)
		ack, err := js.Publish(ctx, "s.a", make([]byte, 1000))
		cancel()
		if err == nil {
			acknowledged = ack.Sequence
		} else if t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
	return func() { remove(t, obstacle) }, acknowledged
}

// startLogged is start with a log that the test can read.
func startLogged(t *testing.T, config embed.Config, log *sharedLog) *embed.Server {
	t.Helper()
	server, err := embed.Start(config, slog.New(secrets.Log(slog.NewTextHandler(log, nil))))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, server) })
	return server
}

// breakable starts a server with a stream S of small files.
func breakable(t *testing.T, config embed.Config, log *sharedLog) (*embed.Server, jetstream.JetStream) {
	t.Helper()
	server := startLogged(t, config, log)
	ended := make(chan struct{})
	conn, err := server.Dial(nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond), nats.ClosedHandler(func(*nats.Conn) { close(ended) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		<-ended
	})
	streams := js(t, conn)
	if _, err := streams.CreateStream(within(t), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}, MaxBytes: 127_000}); err != nil {
		t.Fatal(err)
	}
	if problem := server.Problem(); problem != "" {
		t.Errorf("the problem of a healthy server: %s", problem)
	}
	return server, streams
}

// isWhole checks that no acknowledged message of the stream S is missing, and nothing was mistaken for damage.
func isWhole(t *testing.T, server *embed.Server, js jetstream.JetStream, acknowledged uint64, log *sharedLog) {
	t.Helper()
	stream, err := js.Stream(within(t), "S")
	if err != nil {
		t.Fatal(err)
	}
	info := stream.CachedInfo()
	if s := info.State; s.FirstSeq != 1 || s.LastSeq < acknowledged || s.Msgs != s.LastSeq {
		t.Errorf("%d messages were acknowledged, and there are %+v", acknowledged, s)
	}
	if began := server.Began("S", info.Created); !began.Equal(info.Created) || strings.Contains(log.String(), "damaged") {
		t.Errorf("created %v, began %v, logged:\n%s", info.Created, began, log)
	}
}

// A server whose store is broken reports it, and is restarted when the cause is gone, with the same address, users and streams.
// No acknowledged message is lost.
func TestBrokenStoreIsStartedAnew(t *testing.T) {
	for _, test := range []struct {
		name, file string
		signIn     []nats.Option
		buckets    []string
	}{
		{name: "no file"},
		{name: "guarded", buckets: []string{bucket}},
		{"users", "authorization { users = [ {user: ann, password: swordfish} ] }", []nats.Option{nats.UserInfo("ann", "swordfish")}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			config, log := withFile(t, test.file), new(sharedLog)
			config.Buckets = test.buckets
			server, inside := breakable(t, config, log)
			address := server.URL()
			if server.IsGuarded() {
				test.signIn = []nats.Option{login(t, server.PublisherContext())}
				put(t, stranger(t, server, login(t, server.AdminContext())), "a")
			}
			mend, acknowledged := breakStore(t, config, server, inside)
			if problem := server.Problem(); !strings.Contains(problem, "cannot store") || !strings.Contains(problem, "3.blk") {
				t.Errorf("the problem is %q", problem)
			}
			mend()
			eventually(t, "the server was restarted", func() bool { return server.Restarts() == 1 && server.Problem() == "" })
			if server.URL() != address {
				t.Errorf("it was at %s, and is at %s", address, server.URL())
			}
			outside := js(t, stranger(t, server, test.signIn...))
			ack, err := outside.Publish(within(t), "s.a", nil)
			if err != nil || ack.Sequence <= acknowledged {
				t.Errorf("after %d follows %+v, %v", acknowledged, ack, err)
			}
			eventually(t, "the connection of this process is back", inside.Conn().IsConnected)
			isWhole(t, server, inside, acknowledged, log)
			if server.IsGuarded() && !holdsKey(t, stranger(t, server, login(t, server.AdminContext())), "a") {
				t.Error("the bridge's own bucket has lost a key")
			}
		})
	}
}

// A server that is stopped while its store is broken records nothing that the next start would mistake for damage.
func TestBrokenStoreIsStopped(t *testing.T) {
	t.Parallel()
	config, log := usual(t), new(sharedLog)
	server, err := embed.Start(config, quiet)
	if err != nil {
		t.Fatal(err)
	}
	streams := js(t, own(t, server))
	if _, err := streams.CreateStream(within(t), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}, MaxBytes: 127_000}); err != nil {
		t.Fatal(err)
	}
	mend, acknowledged := breakStore(t, config, server, streams)
	stop(t, server)
	isNotedAsBroken(t, config)
	mend()
	server = startLogged(t, config, log)
	isWhole(t, server, js(t, own(t, server)), acknowledged, log)
}

// isNotedAsBroken checks that the ledger does not say that the files of the streams hold all that was done: a later start would take
// what they lack for damage.
func isNotedAsBroken(t *testing.T, config embed.Config) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dirOf(config), "tailwater-streams.json"))
	if err != nil {
		t.Fatal(err)
	}
	var ledger struct {
		Clean   *bool
		Streams map[string]any
	}
	if err := json.Unmarshal(text, &ledger); err != nil || ledger.Clean == nil || *ledger.Clean || len(ledger.Streams) != 1 {
		t.Errorf("the ledger of a broken store says %s, %v", text, err)
	}
}

// A server that cannot be started anew says why, and takes nothing for damage when it is started later.
func TestBrokenStoreCannotBeStartedAnew(t *testing.T) {
	t.Parallel()
	config, log := usual(t), new(sharedLog)
	server, err := embed.Start(config, quiet)
	if err != nil {
		t.Fatal(err)
	}
	streams := js(t, own(t, server))
	if _, err := streams.CreateStream(within(t), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}, MaxBytes: 127_000}); err != nil {
		t.Fatal(err)
	}
	mend, acknowledged := breakStore(t, config, server, streams)
	// A start first puts back the files of a start that was cut short. A file is where a folder of these is to be.
	kept, obstacle := filepath.Join(dirOf(config), "tailwater-kept"), filepath.Join(dirOf(config), "jetstream", "obstacle")
	if err := errors.Join(os.WriteFile(obstacle, nil, 0o600), os.MkdirAll(filepath.Join(kept, "obstacle"), 0o700)); err != nil {
		t.Fatal(err)
	}
	mend()
	eventually(t, "the problem is why it cannot be started anew", func() bool { return strings.Contains(server.Problem(), "put the files of streams back") })
	isNotedAsBroken(t, config)
	stop(t, server)
	remove(t, obstacle)
	server = startLogged(t, config, log)
	isWhole(t, server, js(t, own(t, server)), acknowledged, log)
}

// The server is started anew less and less often in a row, and not for ever. What comes after a long calm is no row.
func TestAttempts(t *testing.T) {
	var tries embed.Attempts
	now := time.Now()
	var pauses []time.Duration
	for begun := now; !tries.AreSpent(); {
		now = now.Add(time.Second)
		if tries.IsDue(now) {
			pauses = append(pauses, now.Sub(begun))
			tries.Note(now)
			begun = now
		}
	}
	want := []time.Duration{3 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second}
	if !slices.Equal(pauses, want) { // the first is counted from the second tick
		t.Errorf("paused for %v, want %v", pauses, want)
	}
	if tries.Rest(now.Add(time.Minute)); !tries.AreSpent() {
		t.Error("a minute begins a new row")
	}
	if tries.Forgive(); tries.AreSpent() || tries.IsDue(now.Add(7*time.Second)) || !tries.IsDue(now.Add(8*time.Second)) {
		t.Error("a full disk does not begin a new row")
	}
	if tries.Rest(now.Add(10 * time.Minute)); tries.AreSpent() || tries.IsDue(now.Add(10*time.Minute)) {
		t.Error("a long calm does not begin a new row")
	}
}
