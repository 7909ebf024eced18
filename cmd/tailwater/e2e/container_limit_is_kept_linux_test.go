package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/load"
)

// The limit of a container is found, by control groups of version 1 and 2, and Go is told to stay below it, unless GOMEMLIMIT says
// otherwise.
func TestContainerLimitIsFound(t *testing.T) {
	t.Parallel()
	path, err := bridgetest.Tailwater()
	noError(t, err)
	taken, err := net.Listen("tcp", "127.0.0.1:0") // where a bridge that has told Go of its limit cannot start
	noError(t, err)
	defer taken.Close()
	for name, enter := range map[string]func(*testing.T, int) (shell []string, script string){"version 1": enterVersion1, "version 2": enterVersion2} {
		t.Run(name, func(t *testing.T) {
			shell, script := enter(t, 128<<20)
			call := func(listen, env, command string) string {
				cmd := exec.Command(shell[0], append(shell[1:], script+" && exec "+path+" "+command)...)
				cmd.Dir = t.TempDir()
				cmd.Env = append(os.Environ(), "TAILWATER_HTTP_LISTEN="+listen, "TAILWATER_ADMIN_LISTEN=", "TAILWATER_EMBED_LISTEN=127.0.0.1:0", env)
				said, _ := cmd.CombinedOutput() // whose end says nothing of memory
				return string(said)
			}
			for env, want := range map[string][2]string{
				"TAILWATER_LOG_FORMAT=json": {"Go is limited to 72 MiB", `"go_limit":"72 MiB"`},
				"GOMEMLIMIT=50MiB":          {"GOMEMLIMIT is 50 MiB", `"go_limit":"50 MiB"`},
			} {
				wantAll(t, env+": check", call("127.0.0.1:0", env, "check"), "32 MiB for events, pages of history and bodies; the container is limited to 128 MiB", want[0])
				wantAll(t, env+": serve", call(taken.Addr().String(), env, "serve"), `"container":"128 MiB"`, want[1])
			}
		})
	}
}

// A container of 128 MiB, with NATS inside, holds 5,000 clients on as many subjects, and 200,000 messages that are published as fast as their publisher
// can. The kernel kills a process that takes more.
func TestFloodInContainer(t *testing.T) {
	onlySoak(t)
	shell, script := enterVersion1(t, 128<<20)
	b := startBridgeBy(t, settings{"HISTORY": "chat.>"}, func(path string) *exec.Cmd {
		return exec.Command(shell[0], append(shell[1:], script+" && exec "+path)...)
	})
	code, out, said := call(t, nil, "bench", "--json", "--settle=0s", "--patience=60s", "--duration=60s", "--url=http://"+b.address+"/events/{subject}", "--nats="+b.nats,
		"--subject=chat.{n}", "--subjects=5000", "--connections=5000", "--rate=400000", "--messages=200000")
	var report load.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("%d: %v\n%s%s", code, err, out, said)
	}
	got := report.Deliveries
	if report.Connections.Closed > 0 || got.Received != 200_000 || got.Lost+got.Gaps+got.Resets > 0 {
		t.Errorf("%d connections were closed; %+v", report.Connections.Closed, got)
	}
}

var plainShell = []string{"sh", "-c"}

// enterVersion1 makes a control group of version 1 with a limit, and returns a shell and the script by which it enters the group. Where such a group
// cannot be made, the test is skipped.
func enterVersion1(t *testing.T, limit int) (shell []string, script string) {
	t.Helper()
	group := makeGroup(t, "/sys/fs/cgroup/memory")
	if err := os.WriteFile(filepath.Join(group, "memory.limit_in_bytes"), fmt.Append(nil, limit), 0); err != nil {
		t.Skip(err)
	}
	return plainShell, "echo $$ > " + group + "/cgroup.procs"
}

// enterVersion2 is enterVersion1 for version 2. Where version 1 limits memory, no file of the group says a limit: a file that does stands
// there for the process that enters.
func enterVersion2(t *testing.T, limit int) (shell []string, script string) {
	t.Helper()
	root := "/sys/fs/cgroup"
	if _, err := os.Stat(root + "/cgroup.controllers"); err != nil {
		root += "/unified"
	}
	group := makeGroup(t, root)
	enter := "echo $$ > " + group + "/cgroup.procs"
	if os.WriteFile(filepath.Join(group, "memory.max"), fmt.Append(nil, limit), 0) == nil {
		return plainShell, enter
	}
	ownMounts := append([]string{"unshare", "--mount"}, plainShell...)
	if out, err := exec.Command(ownMounts[0], append(ownMounts[1:], "true")...).CombinedOutput(); err != nil {
		t.Skipf("%v: %s", err, out)
	}
	return ownMounts, fmt.Sprintf("%s && mount -t tmpfs tmpfs %s && echo %d > %[2]s/memory.max", enter, group, limit)
}

// makeGroup makes a control group below another, or skips the test where that is not allowed.
func makeGroup(t *testing.T, below string) string {
	t.Helper()
	group := filepath.Join(below, fmt.Sprint("tailwater-test-", os.Getpid()))
	err := os.Mkdir(group, 0o755)
	if err == nil {
		t.Cleanup(func() {
			if err := os.Remove(group); err != nil {
				t.Error(err)
			}
		})
		_, err = os.Stat(filepath.Join(group, "cgroup.procs")) // it is there where this is a control group
	}
	if err != nil {
		t.Skipf("no control group can be made here: %v", err)
	}
	return group
}
