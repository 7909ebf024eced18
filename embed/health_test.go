package embed_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/embed"
)

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

// breakable starts a server with a stream S of small files.
func breakable(t *testing.T, config embed.Config, log *bridgetest.Output) (*embed.Server, jetstream.JetStream) {
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
func isWhole(t *testing.T, server *embed.Server, js jetstream.JetStream, acknowledged uint64, log *bridgetest.Output) {
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
		bucket     string
	}{
		{name: "no file"},
		{name: "guarded", bucket: bucket},
		{"users", "authorization { users = [ {user: ann, password: swordfish} ] }", []nats.Option{nats.UserInfo("ann", "swordfish")}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			config, log := withFile(t, test.file), new(bridgetest.Output)
			config.Bucket = test.bucket
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
			bridgetest.Eventually(t, "the server was restarted", func() bool { return server.Restarts() == 1 && server.Problem() == "" })
			if server.URL() != address {
				t.Errorf("it was at %s, and is at %s", address, server.URL())
			}
			outside := js(t, stranger(t, server, test.signIn...))
			ack, err := outside.Publish(within(t), "s.a", nil)
			if err != nil || ack.Sequence <= acknowledged {
				t.Errorf("after %d follows %+v, %v", acknowledged, ack, err)
			}
			bridgetest.Eventually(t, "the connection of this process is back", inside.Conn().IsConnected)
			isWhole(t, server, inside, acknowledged, log)
			if server.IsGuarded() {
				if !holdsKey(t, stranger(t, server, login(t, server.AdminContext())), "a") {
					t.Error("the bridge's own bucket has lost a key")
				}
				return // nats-server reads its options without a lock to answer a direct get, which a reload exchanges
			}
			if err := server.Reload(); err != nil {
				t.Errorf("after the restart: %v", err)
			}
		})
	}
}

// A server that is stopped while its store is broken records nothing that the next start would mistake for damage.
func TestBrokenStoreIsStopped(t *testing.T) {
	t.Parallel()
	config, log := usual(t), new(bridgetest.Output)
	server, streams := breakable(t, config, log)
	mend, acknowledged := breakStore(t, config, server, streams)
	stop(t, server)
	isNotedAsBroken(t, config)
	mend()
	server = startLogged(t, config, log)
	isWhole(t, server, js(t, own(t, server)), acknowledged, log)
}

// isNotedAsBroken checks that the inventory does not say that the files of the streams hold all that was done: a later start would take
// what they lack for damage.
func isNotedAsBroken(t *testing.T, config embed.Config) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dirOf(config), "tailwater-streams.json"))
	if err != nil {
		t.Fatal(err)
	}
	var inventory struct {
		Clean   *bool
		Streams map[string]any
	}
	if err := json.Unmarshal(text, &inventory); err != nil || inventory.Clean == nil || *inventory.Clean || len(inventory.Streams) != 1 {
		t.Errorf("the inventory of a broken store says %s, %v", text, err)
	}
}

// A server that cannot be started anew says why, and takes nothing for damage when it is started later.
func TestBrokenStoreCannotBeStartedAnew(t *testing.T) {
	t.Parallel()
	config, log := usual(t), new(bridgetest.Output)
	server, streams := breakable(t, config, log)
	mend, acknowledged := breakStore(t, config, server, streams)
	// A start first puts back the files of a start that was cut short. A file is where a folder of these is to be.
	kept, obstacle := filepath.Join(dirOf(config), "tailwater-kept"), filepath.Join(dirOf(config), "jetstream", "obstacle")
	if err := errors.Join(os.WriteFile(obstacle, nil, 0o600), os.MkdirAll(filepath.Join(kept, "obstacle"), 0o700)); err != nil {
		t.Fatal(err)
	}
	mend()
	bridgetest.Eventually(t, "the problem is why it cannot be started anew", func() bool { return strings.Contains(server.Problem(), "put the files of streams back") })
	isNotedAsBroken(t, config)
	stop(t, server)
	remove(t, obstacle)
	server = startLogged(t, config, log)
	isWhole(t, server, js(t, own(t, server)), acknowledged, log)
}

// The server is started anew less and less often in a row, and not for ever, and never while something keeps it from writing. What comes after
// a long calm is no row.
func TestAttempts(t *testing.T) {
	var tries embed.Attempts
	now := time.Now()
	var pauses []time.Duration
	for begun, step := now, embed.Wait; step != embed.GiveUp && len(pauses) < 10; {
		now = now.Add(time.Second)
		if step = tries.Next(now, nil); step == embed.Restart {
			pauses = append(pauses, now.Sub(begun))
			now = now.Add(time.Minute) // it takes long to start, which is no pause
			tries.Restarted(now)
			begun = now
		}
	}
	want := []time.Duration{3 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second}
	if !slices.Equal(pauses, want) { // the first is counted from the second tick
		t.Errorf("paused for %v, want %v", pauses, want)
	}
	if tries.Rest(now.Add(time.Minute)); tries.Next(now.Add(time.Minute), nil) != embed.GiveUp {
		t.Error("a minute begins a new row")
	}
	last := now.Add(-time.Second) // of the restarts
	for _, full := range []time.Time{now, now.Add(time.Hour)} {
		if step := tries.Next(full, errors.New("the disk is full")); step != embed.Wait {
			t.Errorf("on a full disk the next step is %d", step)
		}
	}
	if tries.Next(last.Add(7*time.Second), nil) != embed.Wait || tries.Next(last.Add(8*time.Second), nil) != embed.Restart {
		t.Error("after a full disk the next restart is not 8 s after the last")
	}
	if tries.Rest(now.Add(10 * time.Minute)); tries.Next(now.Add(10*time.Minute), nil) != embed.Wait || tries.Next(now.Add(10*time.Minute+2*time.Second), nil) != embed.Restart {
		t.Error("a long calm does not begin a new row")
	}
}

// While the server is started anew, nobody can connect, and the problem says why. What its files lose meanwhile is noticed.
func TestDamageDuringARestart(t *testing.T) {
	t.Parallel()
	config, log := usual(t), new(bridgetest.Output)
	var broken atomic.Pointer[embed.Server]
	var starts int
	var meanwhile, refused string
	meddle := func(_ []string, logged slog.Attr) slog.Attr { // while the server waits for its log
		if !strings.Contains(logged.Value.String(), "Starting nats-server") {
			return logged
		}
		if starts++; starts != 2 {
			return logged
		}
		meanwhile = broken.Load().Problem()
		if _, err := broken.Load().InProcessConn(); err != nil {
			refused = err.Error()
		}
		files, err := filepath.Glob(filepath.Join(dirOf(config), "jetstream", "$G", "streams", "S", "msgs", "*"))
		for _, file := range files {
			err = errors.Join(err, os.RemoveAll(file))
		}
		if len(files) == 0 || err != nil {
			t.Errorf("removed %v: %v", files, err)
		}
		return logged
	}
	server, err := embed.Start(config, slog.New(secrets.Log(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: meddle}))))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, server) })
	inside := js(t, own(t, server))
	stream, err := inside.CreateStream(within(t), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}, MaxBytes: 127_000})
	if err != nil {
		t.Fatal(err)
	}
	broken.Store(server)
	mend, _ := breakStore(t, config, server, inside)
	bridgetest.Eventually(t, "the problem says what is done", func() bool { return strings.Contains(server.Problem(), "is being restarted") })
	mend()
	bridgetest.Eventually(t, "the server was restarted", func() bool { return server.Restarts() == 1 })
	for what, text := range map[string]string{"the problem": meanwhile, "whoever connects": refused} {
		if !strings.Contains(text, "is being restarted") {
			t.Errorf("meanwhile %s is told %q", what, text)
		}
	}
	if !strings.Contains(meanwhile, "3.blk") {
		t.Errorf("meanwhile the problem is %q", meanwhile)
	}
	if created := stream.CachedInfo().Created; !server.Began("S", created).After(created) || !strings.Contains(log.String(), "damaged") {
		t.Error("the damage was not noticed")
	}
	if problem := server.Problem(); problem != "" {
		t.Errorf("after the restart the problem is %q", problem)
	}
}

// A server whose streams hold more than the configuration allows says so, and stores again as soon as they hold less.
func TestLimitIsReached(t *testing.T) {
	t.Parallel()
	server := start(t, withFile(t, "jetstream { max_file_store: 100KB }"))
	streams := js(t, own(t, server))
	stream, err := streams.CreateStream(within(t), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}})
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = streams.Publish(within(t), "s.a", make([]byte, 10_000))
	}
	bridgetest.Eventually(t, "the problem says what to do", func() bool {
		problem := server.Problem()
		return strings.Contains(problem, "JetStream's limit is 100 KiB") && strings.Contains(problem, "max_file_store")
	})
	if err := stream.Purge(within(t)); err != nil {
		t.Fatal(err)
	}
	bridgetest.Eventually(t, "the server has no problem", func() bool { return server.Problem() == "" })
	if _, err := streams.Publish(within(t), "s.a", nil); err != nil || server.Restarts() > 0 {
		t.Errorf("%v, after %d restarts", err, server.Restarts())
	}
}

// A server that may store nothing, but holds something, says so as well, and is not started anew: that would not help.
func TestLimitIsNothing(t *testing.T) {
	t.Parallel()
	config := withFile(t, "")
	before := start(t, config)
	streams := js(t, own(t, before))
	_, made := streams.CreateStream(within(t), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}})
	_, stored := streams.Publish(within(t), "s.a", []byte("one"))
	stop(t, before)
	if err := errors.Join(made, stored); err != nil {
		t.Fatal(err)
	}
	write(t, &config, "jetstream { max_file_store: 0 }")
	server := start(t, config)
	bridgetest.Eventually(t, "the problem says what to do", func() bool { return strings.Contains(server.Problem(), "max_file_store") })
}
