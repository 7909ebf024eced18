package embed_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/embed"
)

// patience is how long a test waits. A test that passes never waits so long.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	secrets.Plant("swordfish") // the password of all users
	goleak.VerifyTestMain(m, goleak.Cleanup(secrets.Exit))
}

// secrets records everything that servers of these tests log.
var secrets bridgetest.Secrets

// loopback is a free port that only this machine can reach.
const loopback = "127.0.0.1:0"

// usual returns the settings' default configuration, on a folder of the test's own.
func usual(t *testing.T) embed.Config {
	t.Helper()
	return embed.Config{
		Listen: embed.Setting[string]{Value: loopback},
		Dir:    embed.Setting[string]{Value: filepath.Join(t.TempDir(), "data")},
		Sync:   embed.Setting[embed.Interval]{Value: embed.Interval{Every: time.Minute}},
	}
}

// withFile returns the usual configuration with a file of that text.
func withFile(t *testing.T, text string) embed.Config {
	t.Helper()
	config := usual(t)
	write(t, &config, text)
	return config
}

// pathOf returns the path of a test's configuration file.
func pathOf(config *embed.Config) string { return dirOf(*config) + ".conf" }

// write replaces the file of a configuration.
func write(t *testing.T, config *embed.Config, text string) {
	t.Helper()
	err := os.WriteFile(pathOf(config), []byte(text), 0o600)
	if err == nil {
		config.File, err = embed.ReadFile(pathOf(config))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func set[T any](value T) embed.Setting[T] { return embed.Setting[T]{Value: value, IsSet: true} }

// start starts a server. The end of the test stops it.
func start(t *testing.T, config embed.Config) *embed.Server {
	t.Helper()
	return startLogged(t, config, new(bridgetest.Output))
}

// startLogged is start with a log that the test can read.
func startLogged(t *testing.T, config embed.Config, log *bridgetest.Output) *embed.Server {
	t.Helper()
	server, err := embed.Start(config, logTo(log))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, server) })
	return server
}

func logTo(log *bridgetest.Output) *slog.Logger {
	return slog.New(secrets.Log(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
}

func stop(t *testing.T, server *embed.Server) {
	t.Helper()
	if err := server.Stop(); err != nil {
		t.Error(err)
	}
}

// refused checks that a server does not start, and that the error contains all wants.
func refused(t *testing.T, config embed.Config, wants ...string) {
	t.Helper()
	server, err := embed.Start(config, logTo(new(bridgetest.Output)))
	if err == nil {
		stop(t, server)
		t.Fatal("the server has started")
	}
	secrets.Overhear(err.Error())
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error %q does not name %q", err, want)
		}
	}
}

// own returns the bridge's connection.
func own(t *testing.T, server *embed.Server, options ...nats.Option) *nats.Conn {
	t.Helper()
	return connected(t, func(more ...nats.Option) (*nats.Conn, error) {
		return server.Dial(append(options, more...)...)
	})
}

// stranger returns a connection over the network, as any client may open one.
func stranger(t *testing.T, server *embed.Server, options ...nats.Option) *nats.Conn {
	t.Helper()
	return connected(t, func(more ...nats.Option) (*nats.Conn, error) {
		return nats.Connect(url(server), append(options, more...)...)
	})
}

// url returns the loopback URL of a server, even of one that listens on all interfaces.
func url(server *embed.Server) string {
	return strings.Replace(server.URL(), "0.0.0.0", "127.0.0.1", 1)
}

// wantRefused checks that a client without the bridge's credentials is refused.
func wantRefused(t *testing.T, server *embed.Server, options ...nats.Option) {
	t.Helper()
	conn, err := nats.Connect(url(server), append(options, nats.MaxReconnects(0))...)
	if err == nil {
		conn.Close()
	}
	if err == nil || !strings.Contains(strings.ToLower(err.Error()), "authorization violation") {
		t.Errorf("a stranger got %v, want an authorization violation", err)
	}
}

func connected(t *testing.T, dial func(...nats.Option) (*nats.Conn, error)) *nats.Conn {
	t.Helper()
	closed := make(chan struct{})
	conn, err := dial(nats.MaxReconnects(0), nats.ClosedHandler(func(*nats.Conn) { close(closed) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		<-closed
	})
	return conn
}

// talk checks that what one connection publishes reaches the other.
func talk(t *testing.T, from, to *nats.Conn) {
	t.Helper()
	sub, err := to.SubscribeSync("talk.*")
	if err != nil {
		t.Fatal(err)
	}
	if err := to.FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
	if err := from.Publish("talk.a", []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if msg, err := sub.NextMsg(patience); err != nil || string(msg.Data) != "hello" {
		t.Fatalf("got %v, %v", msg, err)
	}
	if err := sub.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func dirOf(config embed.Config) string { return config.Dir.Value }
