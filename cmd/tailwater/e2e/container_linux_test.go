package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The limit of a container is found, and Go is told to stay below it, unless GOMEMLIMIT says otherwise.
func TestContainerLimitIsFound(t *testing.T) {
	group := memoryGroup(t, 128<<20)
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	for env, want := range map[string]string{"TAILWATER_LOG_LEVEL=info": "Go is told to keep within 102 MiB", "GOMEMLIMIT=50MiB": "GOMEMLIMIT is 50 MiB"} {
		command := exec.Command("sh", "-c", fmt.Sprintf("echo $$ > %s/cgroup.procs && exec %s check", group, path))
		command.Dir = t.TempDir()
		command.Env = append(os.Environ(), "TAILWATER_HTTP_LISTEN=127.0.0.1:0", "TAILWATER_ADMIN_LISTEN=127.0.0.1:0", "TAILWATER_EMBED_LISTEN=127.0.0.1:0", env)
		said, err := command.CombinedOutput()
		if err != nil {
			t.Errorf("%v: %s", err, said)
		}
		for _, line := range []string{"32 MiB for events, pages of history and bodies; the container is limited to 128 MiB", want} {
			if !strings.Contains(string(said), line) {
				t.Errorf("%s: check does not say %q:\n%s", env, line, said)
			}
		}
	}
}

// memoryGroup makes a control group with a limit, of version 1 or 2, or skips the test where that is not allowed.
func memoryGroup(t *testing.T, limit int) string {
	t.Helper()
	for _, version := range [][2]string{{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"}, {"/sys/fs/cgroup", "memory.max"}} {
		group := filepath.Join(version[0], fmt.Sprint("tailwater-test-", os.Getpid()))
		if err := os.Mkdir(group, 0o755); err != nil {
			continue
		}
		t.Cleanup(func() {
			if err := os.Remove(group); err != nil {
				t.Error(err)
			}
		})
		limits, err := os.OpenFile(filepath.Join(group, version[1]), os.O_WRONLY, 0) // it is there where this is a control group
		if err != nil {
			continue
		}
		_, err = fmt.Fprint(limits, limit)
		if limits.Close() == nil && err == nil {
			return group
		}
	}
	t.Skip("no control group can be made here")
	return ""
}
