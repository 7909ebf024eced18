package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// beside starts clients and publishers of a bridge with NATS inside.
func (c *chaos) beside(b *chaosBridge, every time.Duration) {
	c.read(6, "/events/chat.a", "chat.a", nil, b)
	c.read(6, "/events/chat.%3E", "chat.>", rareCut, b)
	c.awaitOpen()
	c.publish("chat.a", every, byPost(c.t, b))
	c.publish("chat.b", every, byNATS(c.t, b.nats))
}

// The disk fills up and is freed again, while messages are published.
func TestChaosFullDisk(t *testing.T) {
	onlyChaos(t)
	c := startChaos(t)
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("only who may mount a small file system can fill it: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(disk, unix.MNT_DETACH) })
	b := startBridge(t, settings{"HISTORY": "chat.>", "EMBED_DIR": filepath.Join(disk, "data")})
	c.beside(b, 5*time.Millisecond)
	ballast := filepath.Join(disk, "ballast")
	for range strikes(5) {
		c.strike(func() {
			fill(t, ballast)
			c.pass(3 * time.Second)
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
		})
	}
	c.finish(bridgetest.Rules{})
}

// The process may open no file and accept no connection for a while.
func TestChaosDescriptors(t *testing.T) {
	onlyChaos(t)
	c := startChaos(t)
	b := startBridge(t, settings{"HISTORY": "chat.>"})
	c.beside(b, 5*time.Millisecond)
	for range strikes(5) {
		c.strike(func() {
			var before unix.Rlimit
			limit := func(next, old *unix.Rlimit) {
				if err := unix.Prlimit(b.cmd.Process.Pid, unix.RLIMIT_NOFILE, next, old); err != nil {
					t.Error(err)
				}
			}
			limit(nil, &before)
			limit(&unix.Rlimit{Cur: 3, Max: before.Max}, nil) // what is open stays open
			c.pass(3 * time.Second)
			limit(&before, nil)
		})
	}
	c.finish(bridgetest.Rules{})
}

// A container of 128 MiB holds a bridge with NATS inside, messages of 16 KB, and clients that come and want all of them. The kernel would kill what takes
// more, and then nobody would be served any more.
func TestChaosMemoryLimit(t *testing.T) {
	onlyChaos(t)
	shell, script := enterVersion1(t, 128<<20)
	c := startChaos(t)
	c.padding = 16 << 10
	b := startBridgeBy(t, settings{"HISTORY": "chat.>", "HISTORY_MAX_BYTES": "1GiB"}, func(path string) *exec.Cmd {
		return exec.Command(shell[0], append(shell[1:], script+" && exec "+path)...)
	})
	c.beside(b, 4*time.Millisecond)
	for range strikes(2) {
		c.strike(func() {
			c.read(10, "/events/chat.a?since=all", "chat.a", nil, b)
			c.pass(2 * time.Second)
		})
	}
	c.finish(bridgetest.Rules{})
}

// A file of the stream loses its second half while the bridge is stopped.
func TestChaosDamagedFolder(t *testing.T) {
	onlyChaos(t)
	c := startChaos(t)
	b := startBridge(t, settings{"HISTORY": "chat.>", "DRAIN_WINDOW": "100ms"})
	c.read(6, "/events/chat.a", "chat.a", nil, b)
	c.read(6, "/events/chat.%3E", "chat.>", rareCut, b)
	c.awaitOpen()
	c.publish("chat.a", 2*time.Millisecond, byPost(t, b))
	c.publish("chat.b", 2*time.Millisecond, byNATS(t, b.nats))
	c.strike(func() {
		c.ledger.Disturb(func() {
			b.stop()
			blocks, err := filepath.Glob(filepath.Join(b.dir, "data", "jetstream", "$G", "streams", "TAILWATER", "msgs", "*.blk"))
			if err != nil || len(blocks) == 0 {
				t.Fatal(err, blocks)
			}
			file, err := os.Stat(blocks[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(blocks[0], file.Size()/2); err != nil {
				t.Fatal(err)
			}
			b.start()
		})
	})
	c.finish(bridgetest.Rules{Resets: []string{"recreated"}})
	if c.clients[0].resets.Load() == 0 {
		t.Error("nobody was told")
	}
}

// clockFaults are by how much a clock is set forward or back, one after the other.
var clockFaults = []time.Duration{time.Hour, -time.Hour, 10 * time.Second, -10 * time.Second, 0}

// The clock of a bridge, of its NATS server, or of both is set while everything runs. No test can set the machine's clock: the programs are
// built with a package time whose wall clock a file moves. Their monotonic clock goes on, as the kernel's does when the time is set.
func TestChaosClock(t *testing.T) {
	onlyChaos(t)
	bridge, server := bridgetest.WithMovableClock(t)
	for name, start := range map[string]func(t *testing.T, clock *bridgetest.Clock) *chaosBridge{
		"of the bridge": func(t *testing.T, clock *bridgetest.Clock) *chaosBridge {
			return startBridgeOf(t, bridgetest.StartNATSServer(t), func(string) *exec.Cmd { return clock.Command(bridge) })
		},
		"of NATS": func(t *testing.T, clock *bridgetest.Clock) *chaosBridge {
			nats := bridgetest.StartNATSServerBy(t, func(args ...string) *exec.Cmd { return clock.Command(server, args...) })
			return startBridgeOf(t, nats, func(path string) *exec.Cmd { return exec.Command(path) })
		},
		"of a bridge with NATS inside": func(t *testing.T, clock *bridgetest.Clock) *chaosBridge {
			return startBridgeBy(t, settings{"HISTORY": "chat.>"}, func(string) *exec.Cmd { return clock.Command(bridge) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, clock := startChaos(t), bridgetest.NewClock(t)
			c.beside(start(t, clock), 5*time.Millisecond)
			for _, by := range clockFaults {
				c.strike(func() {
					clock.Set(t, by)
					c.pass(time.Second)
				})
			}
			c.finish(bridgetest.Rules{})
		})
	}
}

// startBridgeOf starts a bridge of a server with the stream of these tests.
func startBridgeOf(t *testing.T, server *bridgetest.NATSServer, command func(path string) *exec.Cmd) *chaosBridge {
	t.Helper()
	createStream(t, connectJetStream(t, server.URL()), nil)
	b := startBridgeBy(t, settings{"NATS_URL": server.URL()}, command)
	b.nats = server.URL()
	return b
}
