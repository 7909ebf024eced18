package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// process is `tailwater` as a process of its own.
type process struct {
	cmd   *exec.Cmd
	http  string    // the URL of its listener for browsers
	admin string    // and for probes
	nats  string    // and for NATS clients
	log   logBuffer // from then on
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
	if err != nil {
		t.Fatal(err)
	}
	cmd := command(path)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "TAILWATER_HTTP_LISTEN=127.0.0.1:0", "TAILWATER_ADMIN_LISTEN=127.0.0.1:0", "TAILWATER_EMBED_LISTEN=127.0.0.1:0")
	cmd.Env = append(cmd.Env, env...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
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
		p.http, p.admin, p.nats = entry.HTTP, entry.Admin, entry.NATS
	}
	go io.Copy(io.MultiWriter(&secrets, &p.log), lines)
	return p
}

func TestSignalEndsTheProcessCleanly(t *testing.T) {
	p := startProcess(t)
	reader, _ := subscribe(t, p.http+"/events/chat.room1", "")
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	reader.expect("tailwater:close", `{"reason":"drain"}`)
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
}

func TestSecondSignalIsImmediate(t *testing.T) {
	p := startProcess(t, "TAILWATER_DRAIN_DELAY=1h")
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	// From now on connections are asked to come back: the first signal has been taken.
	eventually(t, "the process drains", func() bool {
		event, err := dial(t, p.http+"/events/chat.room1", "").Next()
		return err == nil && event.Type == "tailwater:close"
	})
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := p.cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("after the second signal: %v", err)
	}
}

// While messages keep coming, a stop ends every connection behind a whole frame, with nothing missing before it.
func TestSignalUnderLoad(t *testing.T) {
	for _, loops := range []string{"auto", "0"} {
		t.Run("loops "+loops, func(t *testing.T) {
			p := startProcess(t, "TAILWATER_HTTP_LOOPS="+loops, "TAILWATER_DRAIN_WINDOW=1s", "TAILWATER_LIMIT_PUBLISH_RATE=0")
			var readers []*subscription
			for range 100 {
				reader, _ := subscribe(t, p.http+"/events/chat.load", "")
				readers = append(readers, reader)
			}
			var publishing, reading sync.WaitGroup
			publishing.Go(func() {
				for n := 0; ; n++ {
					response, err := http.Post(p.http+"/events/chat.load", "text/plain", strings.NewReader(strconv.Itoa(n)))
					if err != nil {
						return // it has stopped
					}
					response.Body.Close()
				}
			})
			var some sync.WaitGroup // until all have had a few
			some.Add(len(readers))
			for _, reader := range readers {
				hasSome := sync.OnceFunc(some.Done)
				reading.Go(func() {
					defer hasSome()
					for n := 0; ; n++ {
						event, err := reader.Next()
						if n == 20 {
							hasSome()
						}
						switch {
						case err != nil:
							t.Errorf("behind %d messages: %v", n, err)
							return
						case event.Type == "tailwater:close":
							if _, err := reader.Next(); err == nil {
								t.Error("it goes on behind its end")
							}
							return
						case event.Data != strconv.Itoa(n):
							t.Errorf("message %d is %+v", n, event)
							return
						}
					}
				})
			}
			some.Wait()
			if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			reading.Wait()
			if err := p.cmd.Wait(); err != nil {
				t.Errorf("after SIGTERM: %v", err)
			}
			publishing.Wait()
		})
	}
}
