package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// natsTool returns the path of the nats command. Without it the test is skipped, except in CI.
func natsTool(t *testing.T) string {
	t.Helper()
	tool, err := exec.LookPath("nats")
	if err != nil && os.Getenv("CI") != "" {
		t.Fatal("there is no nats command; .ci/run installs it")
	}
	if err != nil {
		t.Skip("there is no nats command")
	}
	return tool
}

// The commands by which check says that tokens are revoked do it.
func TestCommandsThatRevoke(t *testing.T) {
	t.Parallel()
	tool := natsTool(t)
	server := bridgetest.StartNATSServer(t, "-c", writeFile(t, t.TempDir(), "nats.conf", "jetstream { domain: hub }"))
	s := signedIn(settings{"NATS_URL": server.URL(), "NATS_JS_DOMAIN": "hub"})
	_, out, _ := call(t, s, "check")
	var commands []string
	for line := range strings.Lines(out) {
		if command := strings.TrimSpace(line); strings.HasPrefix(command, "nats kv ") {
			commands = append(commands, command)
		}
	}
	if len(commands) != 2 || !strings.Contains(commands[0], "--js-domain=hub") {
		t.Fatalf("check says %q:\n%s", commands, out)
	}
	for range 2 { // both may be called again
		script := `nats() { ` + tool + ` --no-context -s ` + server.URL() + ` "$@"; }` + "\n" + strings.Join(commands, "\n")
		if out, err := exec.Command("sh", "-ec", script).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	n := startNode(t, s)
	eventually(t, "the bucket is read", func() bool {
		status, _ := get(t, n.AdminURL()+"/readyz")
		return status == http.StatusOK
	})
	for jti, want := range map[string]int{"7f3a": http.StatusUnauthorized, "another": http.StatusAccepted} {
		if status, body := request(t, "POST", n.URL()+"/outbox", newToken(t, "--sub=alice", "--jti="+jti), "hi"); status != want {
			t.Errorf("%s: %d %s", jti, status, body)
		}
	}
}
