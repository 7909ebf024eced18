//go:build unix

package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go"
)

// hangUp sends SIGHUP, and waits until it was taken.
func (p *process) hangUp(t *testing.T) {
	t.Helper()
	taken := strings.Count(p.log.String(), "SIGHUP")
	noError(t, p.cmd.Process.Signal(syscall.SIGHUP))
	eventually(t, "SIGHUP is taken", func() bool { return strings.Count(p.log.String(), "SIGHUP") > taken })
}

// A hang-up signal ends nothing: readers stay connected, and the log says which files were read again.
func TestHangUpReadsAnew(t *testing.T) {
	t.Parallel()
	var keys atomic.Value
	keys.Store(`{"keys":[]}`)
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, keys.Load().(string)) }))
	t.Cleanup(provider.Close)
	config := filepath.Join(t.TempDir(), "nats.conf")
	writeUsers := func(users string) {
		writeFile(t, filepath.Dir(config), "nats.conf", "authorization { users = [ "+users+" ] }\n")
	}
	const ada, bob = `{ user: ada, password: "s3cret" }`, `{ user: bob, password: "s3cret" }`
	writeUsers(ada)
	certificates := newIssuer(t)
	s, _ := certificates.settings()
	s["EMBED_CONFIG"], s["AUTH_JWKS_URL"] = config, provider.URL
	p := startProcess(t, environ(s)...)
	connect := func(user string, options ...nats.Option) (*nats.Conn, error) {
		return nats.Connect(strings.Replace(p.nats, "nats://", "nats://"+user+":s3cret@", 1), append(options, nats.NoReconnect())...)
	}
	reader, err := connect("ada")
	noError(t, err)
	t.Cleanup(reader.Close)

	// What cannot be used is told, and changes nothing.
	cert, key, _ := certificates.issue()
	certificates.write("cert.pem", cert)
	writeFile(t, filepath.Dir(config), "nats.conf", "nonsense {")
	p.hangUp(t)
	wantAll(t, "the log", p.log.String(), "private key does not match", "could not: read the key set", "could not: read the configuration", "browsers stay connected")
	if _, err := connect("bob"); err == nil {
		t.Error("bob is let in by a configuration that cannot be read")
	}

	// What can is in force, and said.
	certificates.write("key.pem", key)
	writeUsers(ada + ", " + bob)
	keys.Store(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`)
	p.hangUp(t)
	wantAll(t, "the log", p.log.String(), `"msg":"read the TLS certificate again"`, `"msg":"read the key set of tokens again"`, `"keys":1`, `"msg":"read the configuration of the embedded NATS server again"`)
	second, err := connect("bob")
	if err != nil {
		t.Errorf("bob is not let in: %v", err)
	} else {
		second.Close()
	}
	if reader.IsClosed() || strings.Contains(p.log.String(), "lost NATS") {
		t.Errorf("somebody was disconnected:\n%s", p.log.String())
	}
}

// A hang-up does not end a process, as the end of a terminal would, and its readers hear of nothing.
func TestHangUpEndsNothing(t *testing.T) {
	t.Parallel()
	p := startProcess(t)
	reader, _ := subscribe(t, p.http+"/events/chat.room1", "")
	for range 3 {
		noError(t, p.cmd.Process.Signal(syscall.SIGHUP))
	}
	eventually(t, "SIGHUP is taken", func() bool { return strings.Contains(p.log.String(), "browsers stay connected") })
	if status, body := post(t, p.http+"/events/chat.room1", "still here"); status != http.StatusCreated {
		t.Fatalf("POST answers %d %s", status, body)
	}
	reader.expect("message", "still here")
}
