//go:build unix

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// The demo of kill -9 works as the README prints it, typed into one shell: what was posted on either side of the crash is there, once.
func TestReadmeDemo(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	path, err := bridgetest.Tailwater()
	noError(t, err)
	address := fmt.Sprintf("127.0.0.1:%d", bridgetest.FreePort(t))
	shell := exec.Command("bash", "-c", strings.ReplaceAll(demo(t), "127.0.0.1:8080", address)+"\nwait")
	shell.Dir = t.TempDir()
	shell.Env = append(os.Environ(), "PATH="+filepath.Dir(path)+":"+os.Getenv("PATH"),
		"TAILWATER_HTTP_LISTEN="+address, "TAILWATER_ADMIN_LISTEN=", "TAILWATER_EMBED_LISTEN=")
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	t.Cleanup(func() {
		if shell.Process != nil {
			_ = syscall.Kill(-shell.Process.Pid, syscall.SIGKILL) // the bridges that a test which failed has left
		}
	})
	out, err := shell.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, text := range []string{"before the crash", "after the crash"} {
		if strings.Count(string(out), text) != 1 {
			t.Errorf("%q is not there once: %s", text, out)
		}
	}
}

// demo returns the commands of the README with a kill -9 among them.
func demo(t *testing.T) string {
	t.Helper()
	for i, block := range strings.Split(document(t, "README.md"), "```") {
		if i%2 == 1 && strings.Contains(block, "kill -9") {
			return strings.TrimPrefix(block, "sh\n")
		}
	}
	t.Fatal("the README kills nothing")
	return ""
}
