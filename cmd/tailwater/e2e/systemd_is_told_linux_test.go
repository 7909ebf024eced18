package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// manager listens as systemd does for what services tell it.
type manager struct {
	t    *testing.T
	conn *net.UnixConn
	env  []string // for the service
}

func listenAsManager(t *testing.T) manager {
	t.Helper()
	// The path of a socket may have a hundred characters, which t.TempDir has not to spare.
	dir, err := os.MkdirTemp("", "")
	noError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	noError(t, err)
	t.Cleanup(func() { conn.Close() })
	return manager{t, conn, []string{"NOTIFY_SOCKET=" + path}}
}

// hears waits until the service says a line, and returns all that it said until then.
func (m manager) hears(line string) (said []string) {
	m.t.Helper()
	buffer := make([]byte, 4096)
	noError(m.t, m.conn.SetReadDeadline(time.Now().Add(patience)))
	for {
		n, err := m.conn.Read(buffer)
		if err != nil {
			m.t.Fatalf("systemd is not told %s: %v; it was told %q", line, err, said)
		}
		lines := strings.Split(string(buffer[:n]), "\n")
		said = append(said, lines...)
		if slices.Contains(lines, line) {
			return said
		}
	}
}

// A unit of Type=notify with a watchdog hears that the bridge serves, that it is alive, that it reloads and has reloaded, and that it stops.
func TestSystemdIsTold(t *testing.T) {
	t.Parallel()
	m := listenAsManager(t)
	p := startProcess(t, append(m.env, "WATCHDOG_USEC=200000")...)
	if said := m.hears("READY=1"); !slices.Contains(said, "STATUS=serving "+p.http) {
		t.Errorf("the state is %q", said)
	}
	for range 3 {
		m.hears("WATCHDOG=1")
	}
	p.hangUp(t)
	m.hears("RELOADING=1")
	m.hears("READY=1")
	noError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	m.hears("STOPPING=1")
	if err := p.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// startPassed starts a bridge as systemd starts one whose unit has a socket: with the socket as its descriptor 3.
func startPassed(t *testing.T, socket *os.File, env ...string) *process {
	t.Helper()
	return startCommand(t, func(path string) *exec.Cmd {
		cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$0"`, path)
		cmd.ExtraFiles = []*os.File{socket}
		return cmd
	}, env...)
}

// listenForBridge opens a port as systemd does, and returns it with its address.
func listenForBridge(t *testing.T, address string) (*os.File, string) {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	noError(t, err)
	defer listener.Close() // the file is another descriptor of the same socket
	socket, err := listener.(*net.TCPListener).File()
	noError(t, err)
	t.Cleanup(func() { socket.Close() })
	return socket, listener.Addr().String()
}

// Where systemd holds the port, nobody is refused while the bridge restarts: who comes meanwhile waits, and is served.
func TestSystemdHoldsThePort(t *testing.T) {
	t.Parallel()
	socket, address := listenForBridge(t, "127.0.0.1:0")
	env := []string{"TAILWATER_HTTP_LISTEN=" + address, "TAILWATER_EMBED_DIR=" + filepath.Join(t.TempDir(), "data")}
	first := startPassed(t, socket, env...)
	if first.http != "http://"+address {
		t.Errorf("the bridge serves %s instead of %s", first.http, address)
	}
	reader, _ := subscribe(t, first.http+"/events/chat.room1", "")
	publishTo(t, first.http+"/events/chat.room1", "before")
	reader.expect("message", "before")
	noError(t, first.cmd.Process.Signal(syscall.SIGTERM))
	if err := first.cmd.Wait(); err != nil {
		t.Error(err)
	}

	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	const visitors = 20
	answers := make(chan error, visitors)
	for range visitors {
		go func() { answers <- begins(client, "http://"+address+"/events/chat.room1?since=all") }()
	}
	startPassed(t, socket, env...)
	for range visitors {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
}

// The address of the socket decides what strangers may do as that of the setting does, so the two must agree.
func TestSystemdListensWhereTheSettingSays(t *testing.T) {
	t.Parallel()
	wide, address := listenForBridge(t, "0.0.0.0:0")
	_, port, err := net.SplitHostPort(address)
	noError(t, err)
	path, err := bridgetest.Tailwater()
	noError(t, err)
	for _, setting := range []string{"127.0.0.1:" + port, "127.0.0.1:0"} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		cmd := exec.CommandContext(ctx, "sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$0"`, path)
		cmd.ExtraFiles = []*os.File{wide}
		cmd.Dir = t.TempDir()
		cmd.Env = append(os.Environ(), "TAILWATER_ADMIN_LISTEN=127.0.0.1:0", "TAILWATER_EMBED_LISTEN=127.0.0.1:0", "TAILWATER_HTTP_LISTEN="+setting)
		out, err := cmd.CombinedOutput()
		if want := fmt.Sprintf("instead of %s; write the same address into both", setting); err == nil || !strings.Contains(string(out), want) {
			t.Errorf("with %s the bridge starts (%v), or does not say %q:\n%s", setting, err, want, out)
		}
	}
}
