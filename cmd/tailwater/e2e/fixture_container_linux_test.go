package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// engine runs containers by Podman, which needs no daemon, in a folder of its own. The ports are published by a process, so the network of this machine stays
// as it is.
type engine struct {
	t     *testing.T
	flags []string
}

// startEngine skips the test if no container can be run here, except where CI must.
func startEngine(t *testing.T) engine {
	t.Helper()
	dir := t.TempDir()
	e := engine{t, []string{
		"--root=" + filepath.Join(dir, "root"), "--runroot=" + filepath.Join(dir, "run"), "--tmpdir=" + filepath.Join(dir, "tmp"), "--storage-driver=vfs",
		"--runtime=runc", "--cgroup-manager=cgroupfs", "--events-backend=none",
	}}
	refuse := t.Skipf
	if os.Getenv("CI") != "" {
		refuse = t.Fatalf
	}
	for _, program := range []string{"podman", "runc", "slirp4netns"} {
		if _, err := exec.LookPath(program); err != nil {
			refuse("%v; .ci/run installs Debian's packages podman, runc and slirp4netns", err)
		}
	}
	if os.Geteuid() != 0 {
		refuse("only root may run containers in every environment of tests")
	}
	return e
}

func (e engine) command(args ...string) *exec.Cmd {
	return exec.Command("podman", append(e.flags, args...)...)
}

// run returns what a command of Podman says.
func (e engine) run(args ...string) string {
	e.t.Helper()
	return strings.TrimSpace(run(e.t, "podman", append(e.flags, args...)...))
}

// documented returns the command that the page on deploying has for the image, for an image, and the ports of this machine where its own 8080 and 8081 are.
func (e engine) documented(image string) (args []string, browsers, probes string) {
	e.t.Helper()
	match := regexp.MustCompile(`(?s)\ndocker (run .*?) tailwater\n`).FindStringSubmatch(document(e.t, "configs/deploy/README.md"))
	if match == nil {
		e.t.Fatal("the page on deploying runs no container")
	}
	var limit syscall.Rlimit
	noError(e.t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	for arg := range strings.FieldsSeq(strings.NewReplacer("\\\n", "", "'", "").Replace(match[1])) {
		switch arg {
		case "8080:8080":
			browsers = fmt.Sprintf("127.0.0.1:%d", bridgetest.FreePort(e.t))
			arg = browsers + ":8080"
		case "nofile=60000": // not every machine of tests allows so many
			arg = fmt.Sprintf("nofile=%d", min(60000, limit.Max))
		}
		args = append(args, arg)
	}
	probes = fmt.Sprintf("127.0.0.1:%d", bridgetest.FreePort(e.t))
	args = append(args, "--publish="+probes+":8081", "--network=slirp4netns", "--ulimit=nproc=4096", "--quiet")
	return append(args, image), "http://" + browsers, "http://" + probes
}

// client calls the host by the name that the documented command has.
func (e engine) client() *http.Client {
	transport := &http.Transport{}
	e.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: calls{"chat.example.com", transport}, Timeout: patience}
}
