package e2e

// The bridge behind proxies as people run them: Debian's nginx, Caddy and HAProxy.

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// proxy is one of the programs, and its configuration: %[1]s is a folder, %[2]s where it listens, %[3]s the bridge, and
// %[4]d the port of %[2]s.
type proxy struct {
	program string
	args    []string // before the name of the file
	config  string
}

var (
	nginx = proxy{"nginx", []string{"-e", "stderr", "-c"}, `
daemon off;
master_process off;
pid %[1]s/nginx.pid;
events { worker_connections 4096; }
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	upstream bridge { server %[3]s; keepalive 16; }
	server {
		listen %[2]s;
		location / {
			proxy_pass http://bridge;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Host $host;
		}
	}
}`}
	caddy = proxy{"caddy", []string{"run", "--adapter", "caddyfile", "--config"}, `
{
	admin off
}
http://%[2]s {
	reverse_proxy %[3]s
}
# %[1]s
`}
	haproxy = proxy{"haproxy", []string{"-db", "-f"}, `
global
	maxconn 4096
defaults
	mode http
	timeout connect 5s
	timeout client 1h
	timeout server 1h
listen bridge
	bind %[2]s
	server bridge %[3]s
# %[1]s
`}
)

// start runs the proxy in front of a bridge until the test ends, and returns its URL.
func (p proxy) start(t *testing.T, bridge string) string {
	t.Helper()
	path, err := exec.LookPath(p.program)
	if err != nil {
		// Debian has servers where not every user looks for programs.
		if path, err = exec.LookPath("/usr/sbin/" + p.program); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("there is no %[1]s; .ci/run installs Debian's package %[1]s", p.program)
			}
			t.Skipf("there is no %s here; install it to test what it does to connections", p.program)
		}
	}
	dir, port := t.TempDir(), bridgetest.FreePort(t)
	address := fmt.Sprintf("127.0.0.1:%d", port)
	file := writeFile(t, dir, "config", fmt.Sprintf(p.config, dir, address, bridge, port))
	cmd := exec.Command(path, append(p.args, file)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	output := new(bytes.Buffer) // to be read once the process has ended
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			text := output.Bytes()
			t.Logf("%s wrote:\n%s", p.program, text[:min(len(text), 4000)])
		}
	})
	eventually(t, p.program+" listens", func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return "http://" + address
}

// overProxies runs a test behind each of them, and with nothing between.
func overProxies(t *testing.T, proxies []proxy, test func(t *testing.T, url func(bridge string) string)) {
	for _, p := range proxies {
		t.Run(p.program, func(t *testing.T) {
			test(t, func(bridge string) string { return p.start(t, bridge) })
		})
	}
	t.Run("none", func(t *testing.T) { test(t, func(bridge string) string { return "http://" + bridge }) })
}
