package e2e

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// dialRaw opens a connection that takes little, and sends a request of that many copies.
func dialRaw(t *testing.T, n *testNode, copies int, request string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", n.Address().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	socket := conn.(*net.TCPConn)
	if err := socket.SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	for range copies {
		if _, err := io.WriteString(socket, request); err != nil {
			t.Fatal(err)
		}
	}
	return socket
}

// Whatever clients do or do not do, a stop ends, and ends well.
func TestClientsCannotHoldUpTheStop(t *testing.T) {
	n := startNode(t, settings{"LIMIT_WRITE_TIMEOUT": "24h", "LIMIT_BODY": "1MiB"})
	witness, _ := subscribe(t, n.URL()+"/events/chat.room1", "")
	stalled := dialRaw(t, n, 1, "GET /events/chat.room1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if _, err := io.ReadAtLeast(stalled, make([]byte, 1), 1); err != nil {
		t.Fatal(err)
	}
	dialRaw(t, n, 500, "GET /web/chat.css HTTP/1.1\r\nHost: localhost\r\n\r\n")
	dialRaw(t, n, 1, "POST /events/chat.room1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhel")
	large := strings.Repeat("x", 1<<19)
	for i := range 8 { // more than the sockets of the stalled client hold
		post(t, n.URL()+"/events/chat.room1", fmt.Sprint(i, large))
		if event := witness.next(); !strings.HasPrefix(event.Data, fmt.Sprint(i)) {
			t.Fatalf("message %d is %.10q", i, event.Data)
		}
	}
	n.stop(t) // fails the test if it says that something went wrong
	witness.expect("tailwater:close", `{"reason":"drain"}`)
}

func TestCheckFindsWhatServeWouldRefuse(t *testing.T) {
	for name, test := range map[string]struct{ config, says string }{
		"syntax":           {"authorization {", "TAILWATER_EMBED_CONFIG"},
		"open to everyone": {`listen: "0.0.0.0:0"`, "authorization"},
		"accounts":         {`accounts { A { users = [ { user: a, password: b } ] } }`, "TAILWATER_NATS_CREDS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			t.Setenv("TAILWATER_EMBED_CONFIG", writeFile(t, t.TempDir(), "nats.conf", test.config))
			for _, command := range []string{"check", "serve"} {
				code, _, stderr := call(t, command)
				if code != exitUsage || !strings.Contains(stderr, test.says) {
					t.Errorf("%s: exit code %d: %s", command, code, stderr)
				}
			}
		})
	}
}

func TestCheckFindsMissingPermissions(t *testing.T) {
	server := bridgetest.StartNATSServer(t, "-c", writeFile(t, t.TempDir(), "nats.conf",
		`authorization { users = [ { user: a, password: b, permissions: { subscribe: ["ok.>", "_INBOX_tailwater.>", "$JS.EVENT.ADVISORY.STREAM.*.>"] } } ] }`))
	t.Setenv("TAILWATER_NATS_URL", strings.Replace(server.URL(), "nats://", "nats://a:b@", 1))
	t.Setenv("TAILWATER_ANONYMOUS_SUBSCRIBE", "ok.>")
	if code, _, stderr := call(t, "check"); code != 0 {
		t.Errorf("allowed: exit code %d: %s", code, stderr)
	}
	t.Setenv("TAILWATER_ANONYMOUS_SUBSCRIBE", "ok.>,news.>")
	code, _, stderr := call(t, "check")
	if code != exitFailure || !strings.Contains(stderr, "news.>") {
		t.Errorf("not allowed: exit code %d: %s", code, stderr)
	}
}

func TestBannerNamesAHostThatWorks(t *testing.T) {
	n := startNode(t, openToAll(settings{"HTTP_HOSTS": "chat.example.com"}))
	banner := n.Banner()
	if want := "curl -H 'Host: chat.example.com' -d hello " + n.URL(); !strings.Contains(banner, want) {
		t.Errorf("the banner lacks %q:\n%s", want, banner)
	}
	if strings.Contains(banner, "Page") {
		t.Errorf("the banner names a page that is refused:\n%s", banner)
	}
}
