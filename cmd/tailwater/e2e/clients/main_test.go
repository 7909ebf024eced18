//go:build unix

// Package clients tests the bridge with the clients of others: the command as a process, and their programs on its sockets.
package clients

import (
	"flag"
	"os"
	"os/exec"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// patience bounds every wait of these tests. It decides only how long a failure takes.
const patience = 40 * time.Second

var (
	only  = flag.String("only", "", "run only the clients and faults whose names hold this text, as in -only=htmx or -only=kill")
	write = flag.Bool("write", false, "write the table of CLIENTS.md instead of comparing it")
)

// tool returns the path of the first of some programs that is installed. Without any, the test is skipped, except in CI,
// which must have all.
func tool(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	missing(t, "%s is not installed", names[0])
	return ""
}

func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format+"; .ci/run installs what these tests need", args...)
	}
	t.Skipf(format+"; see CONTRIBUTING.md for what these tests need", args...)
}
