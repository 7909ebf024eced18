package e2e

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

func TestCheckFindsWhatServeWouldRefuse(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ config, says string }{
		"syntax":           {"authorization {", "TAILWATER_EMBED_CONFIG"},
		"open to everyone": {`listen: "0.0.0.0:0"`, "authorization"},
		"accounts":         {`accounts { A { users = [ { user: a, password: b } ] } }`, "TAILWATER_NATS_CREDS"},
	} {
		t.Run(name, func(t *testing.T) {
			s := settings{"EMBED_CONFIG": writeFile(t, t.TempDir(), "nats.conf", test.config)}
			for _, command := range []string{"check", "serve"} {
				code, _, stderr := call(t, s, command)
				if code != exitUsage || !strings.Contains(stderr, test.says) {
					t.Errorf("%s: exit code %d: %s", command, code, stderr)
				}
			}
		})
	}
}

func TestCheckFindsMissingPermissions(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t, "-c", writeFile(t, t.TempDir(), "nats.conf",
		`authorization { users = [ { user: a, password: b, permissions: { subscribe: ["ok.>", "_INBOX_tailwater.>", "$JS.EVENT.ADVISORY.STREAM.*.>"] } } ] }`))
	s := settings{"NATS_URL": strings.Replace(server.URL(), "nats://", "nats://a:b@", 1), "ANONYMOUS_SUBSCRIBE": "ok.>"}
	if code, _, stderr := call(t, s, "check"); code != 0 {
		t.Errorf("allowed: exit code %d: %s", code, stderr)
	}
	code, _, stderr := call(t, with(s, settings{"ANONYMOUS_SUBSCRIBE": "ok.>,news.>"}), "check")
	if code != exitFailure || !strings.Contains(stderr, "news.>") {
		t.Errorf("not allowed: exit code %d: %s", code, stderr)
	}
}

// What check says of a route is what the bridge does: to each path, for anyone.
func TestCheckSaysWhatRoutesDo(t *testing.T) {
	t.Parallel()
	routes := map[string]bool{
		"/config=$KV.config.>": true, "/load=metrics.*.load": true, "/everything=metrics.>": true, "/secret=internal.>": false,
	}
	set := settings{"ROUTES": strings.Join(slices.Collect(maps.Keys(routes)), ","), "ANONYMOUS_SUBSCRIBE": "metrics.>"}
	n := startNode(t, set)
	_, out, _ := call(t, set, "check")
	for route, isOpen := range routes {
		path, _, _ := strings.Cut(route, "=")
		if got := strings.Contains(out, route+" (anyone may read it"); got != isOpen {
			t.Errorf("check says of %s that anyone may read it: %t\n%s", route, got, out)
		}
		if status, body := get(t, n.URL()+path+"?poll=1"); (status == http.StatusOK) != isOpen {
			t.Errorf("GET %s: %d %s", path, status, body)
		}
	}
}

// Where another process has an address or the folder, the bridge could not start: check fails, and names the setting and who
// it is. Its last line is the verdict.
func TestCheckFindsWhatIsTaken(t *testing.T) {
	t.Parallel()
	n := startNode(t, nil)
	stranger, err := net.Listen("tcp", "127.0.0.1:0")
	noError(t, err)
	defer stranger.Close()
	nats := strings.TrimPrefix(n.NATSURL(), "nats://")
	file := writeFile(t, t.TempDir(), "nats.conf", fmt.Sprintf("websocket { listen: %q, no_tls: true }", stranger.Addr()))
	for _, test := range []struct{ setting, value, says string }{
		{"HTTP_LISTEN", n.Address().String(), "TAILWATER_HTTP_LISTEN: listen tcp " + n.Address().String() + ": bind: address already in use by a bridge that runs already"},
		{"ADMIN_LISTEN", n.Admin().String(), "in use by a bridge that runs already"},
		{"EMBED_LISTEN", nats, "TAILWATER_EMBED_LISTEN: listen tcp " + nats + ": bind: address already in use by the NATS server inside a bridge"},
		{"EMBED_CONFIG", file, "TAILWATER_EMBED_CONFIG: listen tcp " + stranger.Addr().String() + ": bind: address already in use"},
		{"EMBED_DIR", n.Settings.Embed.Dir, "another process uses the folder " + n.Settings.Embed.Dir},
		{"HTTP_LISTEN", stranger.Addr().String(), "in use; stop that process"},
		{"HTTP_LISTEN", "127.0.0.1:0", ""},
	} {
		t.Run(test.setting+" "+test.says, func(t *testing.T) {
			code, out, stderr := call(t, settings{test.setting: test.value}, "check")
			wantCode, verdict := 0, "Verdict: ready to serve."
			if test.says != "" {
				wantCode, verdict = exitFailure, "Verdict: not ready to serve"
			}
			if code != wantCode || !strings.Contains(stderr, test.says) {
				t.Errorf("exit code %d, want %d and %q: %s", code, wantCode, test.says, stderr)
			}
			lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
			if last := lines[len(lines)-1]; !strings.HasPrefix(last, verdict) {
				t.Errorf("the last line is %q, want %q", last, verdict)
			}
		})
	}
}
