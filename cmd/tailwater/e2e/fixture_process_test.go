package e2e

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// process is `tailwater` as a process of its own.
type process struct {
	cmd   *exec.Cmd
	http  string            // the URL of its listener for browsers
	admin string            // and for probes
	nats  string            // and for NATS clients
	log   bridgetest.Output // from then on
	start string            // what it logged until it listened
}

func startProcess(t *testing.T, env ...string) *process {
	t.Helper()
	return startCommand(t, func(path string) *exec.Cmd { return exec.Command(path) }, env...)
}

// startLimited is startProcess where the process may have so many descriptors.
func startLimited(t *testing.T, descriptors int, env ...string) *process {
	t.Helper()
	return startCommand(t, func(path string) *exec.Cmd { return limited(descriptors, path) }, env...)
}

// limited is a command that may have so many descriptors.
func limited(descriptors int, command ...string) *exec.Cmd {
	return exec.Command("sh", append([]string{"-c", `ulimit -n "$0" && exec "$@"`, strconv.Itoa(descriptors)}, command...)...)
}

func startCommand(t *testing.T, command func(path string) *exec.Cmd, env ...string) *process {
	t.Helper()
	path, err := bridgetest.Tailwater()
	noError(t, err)
	cmd := command(path)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "TAILWATER_HTTP_LISTEN=127.0.0.1:0", "TAILWATER_ADMIN_LISTEN=127.0.0.1:0")
	if !slices.ContainsFunc(env, func(e string) bool { return strings.HasPrefix(e, "TAILWATER_NATS_URL=") }) {
		cmd.Env = append(cmd.Env, "TAILWATER_EMBED_LISTEN=127.0.0.1:0")
	}
	cmd.Env = append(cmd.Env, env...)
	stderr, err := cmd.StderrPipe()
	noError(t, err)
	noError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	p := &process{cmd: cmd}
	lines := bufio.NewReader(stderr)
	for p.http == "" {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			t.Fatalf("the process ended before it listened: %v", err)
		}
		var entry struct{ HTTP, Admin, NATS string }
		if err := json.Unmarshal(line, &entry); err != nil {
			t.Errorf("not a JSON log line: %s", line)
		}
		secrets.Overhear(string(line))
		p.start += string(line)
		p.http, p.admin, p.nats = entry.HTTP, entry.Admin, entry.NATS
	}
	go io.Copy(io.MultiWriter(&secrets, &p.log), lines)
	return p
}

// terminate stops the process by SIGTERM, which must succeed.
func (p *process) terminate(t *testing.T) {
	t.Helper()
	noError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	if err := p.end(t, patience); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
}

// end returns how the process has ended, which must not take longer.
func (p *process) end(t *testing.T, within time.Duration) error {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- p.cmd.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-time.After(within):
		_ = p.cmd.Process.Kill()
		<-ended
		t.Fatalf("the process has not ended within %v; it logged\n%s", within, &p.log)
		return nil
	}
}
