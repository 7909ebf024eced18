package embed_test

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/embed"
)

func js(t *testing.T, conn *nats.Conn) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func TestDefaults(t *testing.T) {
	config := usual(t)
	server := start(t, config)
	if !strings.HasPrefix(server.URL(), "nats://127.0.0.1:") {
		t.Errorf("the server listens on %s, want loopback", server.URL())
	}
	bridge, other := own(t, server), stranger(t, server)
	talk(t, other, bridge)
	talk(t, bridge, other)
	if _, err := js(t, other).AccountInfo(within(t)); err != nil {
		t.Errorf("JetStream: %v", err)
	}
	if name := bridge.ConnectedServerName(); name != "tailwater" {
		t.Errorf("the server is called %q", name)
	}
	if n := bridge.MaxPayload(); n != 1<<20 {
		t.Errorf("a payload may have %d bytes, want nats-server's own default", n)
	}
}

func TestInProcessOnly(t *testing.T) {
	config := usual(t)
	config.Listen.Value = ""
	server := start(t, config)
	if url := server.URL(); url != "" {
		t.Errorf("the server listens on %s", url)
	}
	bridge := own(t, server)
	talk(t, bridge, own(t, server))
	if _, err := js(t, bridge).AccountInfo(within(t)); err != nil {
		t.Errorf("JetStream: %v", err)
	}
}

func TestMaxPayload(t *testing.T) {
	for _, test := range []struct {
		name    string
		file    string
		setting int
		want    int64
	}{
		{"set", "", 3 << 20, 3 << 20},
		{"the file wins", "max_payload: 2MB", 3 << 20, 2 << 20},
		{"the file says nothing", "server_name: a", 3 << 20, 3 << 20},
		{"the file alone", "max_payload: 2MB", 0, 2 << 20},
		{"more than may usually wait for a client", "", 64<<20 + 64<<10, 64<<20 + 64<<10},
	} {
		t.Run(test.name, func(t *testing.T) {
			config := withFile(t, test.file)
			config.MaxPayload = test.setting
			bridge := own(t, start(t, config))
			if got := bridge.MaxPayload(); got != test.want {
				t.Fatalf("a payload may have %d bytes, want %d", got, test.want)
			}
			sub, err := bridge.SubscribeSync("large")
			if err != nil {
				t.Fatal(err)
			}
			if err := sub.SetPendingLimits(-1, -1); err != nil {
				t.Fatal(err)
			}
			if err := bridge.Publish("large", make([]byte, test.want)); err != nil {
				t.Fatal(err)
			}
			if _, err := sub.NextMsg(patience); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("more than can be pending", func(t *testing.T) {
		config := withFile(t, "max_pending: 1MB")
		config.MaxPayload = 2 << 20
		refused(t, config, "max_payload")
	})
}

func TestFolder(t *testing.T) {
	config := usual(t)
	server := start(t, config)

	store := filepath.Join(dirOf(config), "jetstream")
	info, err := os.Stat(store)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o700 {
		t.Errorf("JetStream's folder has the mode %o, want 700", mode)
	}
	refused(t, config, "TAILWATER_EMBED_DIR", dirOf(config))
	talk(t, own(t, server), own(t, server)) // the first server still works
	stop(t, server)
	start(t, config)
}

// An existing folder that all users may read, such as a mounted volume, keeps its mode. The stored files are protected.
func TestFolderThatExists(t *testing.T) {
	config := usual(t)
	for _, dir := range []string{dirOf(config), filepath.Join(dirOf(config), "jetstream")} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	start(t, config)
	for dir, want := range map[string]fs.FileMode{".": 0o755, "jetstream": 0o700} {
		info, err := os.Stat(filepath.Join(dirOf(config), dir))
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != want {
			t.Errorf("%s has the mode %o, want %o", dir, mode, want)
		}
	}
}

func TestFolderThatCannotBe(t *testing.T) {
	config := usual(t)
	if err := os.WriteFile(dirOf(config), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, config, "TAILWATER_EMBED_DIR")
}

func TestBusyPort(t *testing.T) {
	listener, err := net.Listen("tcp", loopback)
	if err != nil {
		t.Fatal(err)
	}
	config := usual(t)
	config.Listen = set(listener.Addr().String())
	refused(t, config, "TAILWATER_EMBED_LISTEN", listener.Addr().String())
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	server := start(t, config) // the first attempt has left nothing
	talk(t, own(t, server), stranger(t, server))
}

func TestListenThatIsNone(t *testing.T) {
	for _, address := range []string{"127.0.0.1", "127.0.0.1:http", "127.0.0.1:70000", "127.0.0.1:-1"} {
		config := usual(t)
		config.Listen = set(address)
		refused(t, config, "TAILWATER_EMBED_LISTEN")
	}
}

// A stop waits for streams that are being made: nats-server would leave their files open, and goroutines that the leak check finds.
func TestStopWhileStreamsAreMade(t *testing.T) {
	for range 5 {
		server := start(t, usual(t))
		conn := own(t, server)
		for i := range 20 {
			if err := conn.Publish(fmt.Sprint("$JS.API.STREAM.CREATE.S", i), fmt.Appendf(nil, `{"name":"S%d","subjects":["s.%d"]}`, i, i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := conn.FlushTimeout(patience); err != nil {
			t.Fatal(err)
		}
		conn.Close()
		stop(t, server)
	}
}

// Stop may be called again.
func TestStopTwice(t *testing.T) {
	server := start(t, usual(t))
	conn := own(t, server)
	stop(t, server)
	stop(t, server)
	if _, err := server.Dial(nats.MaxReconnects(0)); err == nil {
		t.Error("there is a connection to a server that has stopped")
	}
	conn.Close()
}

func TestLog(t *testing.T) {
	log := new(bridgetest.Output)
	server := startLogged(t, withFile(t, "authorization { user: a, password: swordfish }"), log)
	wantRefused(t, server)
	stop(t, server)
	for text, want := range map[string]slog.Level{
		"Server is ready":        slog.LevelDebug,
		"Starting JetStream":     slog.LevelDebug,
		"Plaintext passwords":    slog.LevelWarn,
		"authentication error":   slog.LevelError,
		"Initiating Shutdown...": slog.LevelDebug,
	} {
		isLogged := false
		for line := range strings.Lines(log.String()) {
			if strings.Contains(line, text) {
				isLogged = true
				if !strings.Contains(line, "level="+want.String()) {
					t.Errorf("the log says %q, want the level %v", line, want)
				}
			}
		}
		if !isLogged {
			t.Errorf("the log does not say %q", text)
		}
	}
	if strings.Contains(log.String(), "%!") {
		t.Error("the log holds a format that was not filled in")
	}
}

// The reason why a server does not start is returned, and not logged as well.
func TestFailureIsNotLogged(t *testing.T) {
	listener, err := net.Listen("tcp", loopback)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	log := new(bridgetest.Output)
	config := usual(t)
	config.Listen = set(listener.Addr().String())
	if _, err := embed.Start(config, logTo(log)); err == nil {
		t.Fatal("the server has started")
	}
	if strings.Contains(log.String(), "Error listening") {
		t.Errorf("the log says so too: %s", log)
	}
}

// The server leaves the signals of this process alone.
func TestSignalsAreNotTaken(t *testing.T) {
	got := make(chan os.Signal, 8)
	signal.Notify(got, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer signal.Stop(got)
	log := new(bridgetest.Output)
	server := startLogged(t, withFile(t, ""), log)
	a, b := own(t, server), own(t, server)
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM} {
		if err := self.Signal(s); err != nil {
			t.Fatal(err)
		}
		select {
		case <-got:
		case <-time.After(patience):
			t.Fatalf("%v did not come", s)
		}
		talk(t, a, b)
	}
	stop(t, server)
	if strings.Contains(log.String(), "Trapped") {
		t.Error("the server has taken a signal")
	}
}

// The limit of messages can be raised while clients are connected, but not lowered: the server would end the connection of whoever
// publishes more, even the bridge's own, for good.
func TestReloadLowersNoLimitOfMessages(t *testing.T) {
	t.Parallel()
	unsaid := withFile(t, "")
	usual := start(t, unsaid)
	write(t, &unsaid, "max_payload: 1000")
	if err := usual.Reload(); err == nil || !strings.Contains(err.Error(), "max_payload is 1048576") {
		t.Errorf("after a reload to less than the usual: %v", err)
	}
	config := withFile(t, "max_payload: 4000")
	server := start(t, config)
	conn := own(t, server)
	for _, test := range []struct {
		file      string
		isRefused bool
	}{{"max_payload: 1000", true}, {"max_payload: 5000", false}, {"max_payload: 4000", true}} {
		write(t, &config, test.file)
		if err := server.Reload(); (err != nil) != test.isRefused || err != nil && !strings.Contains(err.Error(), "max_payload") {
			t.Errorf("after a reload of %s: %v", test.file, err)
		}
		if err := errors.Join(conn.Publish("a", make([]byte, 4000)), conn.FlushTimeout(patience)); err != nil {
			t.Fatalf("after a reload of %s: %v", test.file, err)
		}
	}
}
