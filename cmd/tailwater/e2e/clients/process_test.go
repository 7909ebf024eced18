//go:build unix

package clients

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// process is a program that is ended and started again on the same address.
type process struct {
	t       *testing.T
	path    string
	args    []string
	env     []string
	address string // where it listens once it is up
	cmd     *exec.Cmd
	output  bytes.Buffer // to be read once it has ended
}

// startBridge starts the command with some settings, given without their prefix.
func startBridge(t *testing.T, address string, settings map[string]string) *process {
	t.Helper()
	path, err := bridgetest.Tailwater()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, path: path, address: address}
	p.env = append(os.Environ(), "TAILWATER_HTTP_LISTEN="+address, "TAILWATER_ADMIN_LISTEN=", "TAILWATER_LOG_FORMAT=json")
	for name, value := range settings {
		p.env = append(p.env, "TAILWATER_"+name+"="+value)
	}
	return p.begin()
}

// startNginx starts an nginx in front of a bridge.
func startNginx(t *testing.T, address, bridge string) *process {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "nginx.conf")
	text := strings.NewReplacer("DIR", dir, "ADDRESS", address, "BRIDGE", bridge).Replace(nginxConfig)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, path: tool(t, "nginx", "/usr/sbin/nginx"), args: []string{"-p", dir, "-e", "stderr", "-c", config}, address: address, env: os.Environ()}
	return p.begin()
}

const nginxConfig = `
daemon off;
worker_processes 1;
pid DIR/pid;
events {}
http {
	access_log off;
	client_body_temp_path DIR/body;
	proxy_temp_path DIR/proxy;
	fastcgi_temp_path DIR/fastcgi;
	uwsgi_temp_path DIR/uwsgi;
	scgi_temp_path DIR/scgi;
	server {
		listen ADDRESS;
		location / {
			proxy_pass http://BRIDGE;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Host $http_host;
			proxy_read_timeout 1h;
		}
	}
}
`

func (p *process) begin() *process {
	p.t.Helper()
	p.t.Cleanup(func() {
		p.end(syscall.SIGKILL)
		if p.t.Failed() {
			log := p.output.Bytes()
			p.t.Logf("%s at %s wrote:\n%s", filepath.Base(p.path), p.address, log[max(0, len(log)-2000):])
		}
	})
	p.start()
	return p
}

// start returns when the process takes connections.
func (p *process) start() {
	p.t.Helper()
	p.cmd = exec.Command(p.path, p.args...)
	p.cmd.Env, p.cmd.Stderr = p.env, &p.output
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	err := within(patience, func() bool {
		conn, err := net.Dial("tcp", p.address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	if err != nil {
		p.t.Fatalf("%s does not listen at %s: %v", filepath.Base(p.path), p.address, err)
	}
}

// end sends a signal and returns when the process has ended. What is killed takes its children along. It may be called more
// than once.
func (p *process) end(signal syscall.Signal) {
	if p.cmd != nil {
		group := p.cmd.Process.Pid
		if signal == syscall.SIGKILL {
			group = -group
		}
		_ = syscall.Kill(group, signal)
		_ = p.cmd.Wait()
		p.cmd = nil
	}
}

// within waits until a condition holds that something else brings about.
func within(limit time.Duration, holds func() bool) error {
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for end := time.Now().Add(limit); !holds(); <-again.C {
		if time.Now().After(end) {
			return fmt.Errorf("not within %v", limit)
		}
	}
	return nil
}

// freeAddress is one on which nothing listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", bridgetest.FreePort(t))
}
