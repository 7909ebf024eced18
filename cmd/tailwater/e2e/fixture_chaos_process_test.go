package e2e

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// chaosBridge is `tailwater` as a process that is killed, and started again with the same settings, ports and files.
type chaosBridge struct {
	t       *testing.T
	env     []string
	dir     string
	address string // for browsers
	nats    string // the URL of its server
	command func(path string) *exec.Cmd
	cmd     *exec.Cmd
	output  *bytes.Buffer // to be read once the process has ended
}

func startBridge(t *testing.T, s settings) *chaosBridge {
	t.Helper()
	return startBridgeBy(t, s, func(path string) *exec.Cmd { return exec.Command(path) })
}

// startBridgeBy starts a bridge by a command of its own.
func startBridgeBy(t *testing.T, s settings, command func(path string) *exec.Cmd) *chaosBridge {
	t.Helper()
	b := &chaosBridge{t: t, command: command, dir: t.TempDir(), output: new(bytes.Buffer)}
	b.address = fmt.Sprintf("127.0.0.1:%d", bridgetest.FreePort(t))
	b.nats = s["NATS_URL"]
	all := settings{
		"HTTP_LISTEN": b.address, "ADMIN_LISTEN": "127.0.0.1:0", "DEMO_TIME": "false", "LOG_LEVEL": "debug",
		"ANONYMOUS_SUBSCRIBE": "chat.>", "ANONYMOUS_PUBLISH": "chat.>", "ANONYMOUS_WILDCARDS": "true",
		"LIMIT_PUBLISH_RATE": "0",
	}
	if b.nats == "" {
		embedded := fmt.Sprintf("127.0.0.1:%d", bridgetest.FreePort(t))
		b.nats = "nats://" + embedded
		all["EMBED_LISTEN"], all["EMBED_DIR"] = embedded, filepath.Join(b.dir, "data")
	}
	b.env = environ(with(all, s))
	t.Cleanup(func() {
		b.kill()
		log := b.output.Bytes()
		secrets.Overhear(string(log))
		if t.Failed() {
			const most = 4000
			t.Logf("the bridge at %s wrote:\n%s", b.address, log[max(0, len(log)-most):])
		}
	})
	b.start()
	return b
}

// start returns when the bridge takes connections.
func (b *chaosBridge) start() {
	b.t.Helper()
	path, err := bridgetest.Tailwater()
	noError(b.t, err)
	b.cmd = b.command(path)
	b.cmd.Dir, b.cmd.Env = b.dir, append(append(os.Environ(), b.cmd.Env...), b.env...)
	b.cmd.Stderr = b.output
	noError(b.t, b.cmd.Start())
	eventually(b.t, "the bridge listens at "+b.address, func() bool {
		conn, err := net.Dial("tcp", b.address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

// kill is kill -9. It may be called more than once.
func (b *chaosBridge) kill() {
	if b.cmd != nil {
		_ = b.cmd.Process.Kill()
		_ = b.cmd.Wait()
		b.cmd = nil
	}
}

// stop ends the bridge as an operator does, and waits for its end.
func (b *chaosBridge) stop() {
	b.t.Helper()
	noError(b.t, b.cmd.Process.Signal(syscall.SIGTERM))
	if err := b.cmd.Wait(); err != nil {
		b.t.Errorf("after SIGTERM: %v", err)
	}
	b.cmd = nil
}
