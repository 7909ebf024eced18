package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// The disk fills up and is freed again, while messages are published.
func TestChaosFullDisk(t *testing.T) {
	onlyChaos(t)
	c := startChaos(t)
	disk := smallDisk(t, 64)
	b := startBridge(t, settings{"HISTORY": "chat.>", "EMBED_DIR": filepath.Join(disk, "data")})
	c.beside(5*time.Millisecond, b)
	ballast := filepath.Join(disk, "ballast")
	for range strikes(5) {
		c.strike(func() {
			fill(t, ballast)
			c.pass(3 * time.Second)
			noError(t, os.Remove(ballast))
		})
	}
	c.finish(bridgetest.Rules{})
}

// The process may open no file and accept no connection for a while.
func TestChaosDescriptors(t *testing.T) {
	onlyChaos(t)
	c := startChaos(t)
	b := startBridge(t, settings{"HISTORY": "chat.>"})
	c.beside(5*time.Millisecond, b)
	for range strikes(5) {
		c.strike(func() {
			giveBack := takeDescriptors(t, b.cmd.Process.Pid)
			c.pass(3 * time.Second)
			giveBack()
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
	c.beside(4*time.Millisecond, b)
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
	c.beside(2*time.Millisecond, b)
	c.strike(func() {
		c.ledger.Disturb(func() {
			b.stop()
			blocks, err := filepath.Glob(filepath.Join(b.dir, "data", "jetstream", "$G", "streams", "TAILWATER", "msgs", "*.blk"))
			if err != nil || len(blocks) == 0 {
				t.Fatal(err, blocks)
			}
			file, err := os.Stat(blocks[0])
			noError(t, err)
			noError(t, os.Truncate(blocks[0], file.Size()/2))
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
			c.beside(5*time.Millisecond, start(t, clock))
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
	return startBridgeBy(t, settings{"NATS_URL": server.URL()}, command)
}
