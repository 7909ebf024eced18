package e2e

// The bridge behind proxies as people run them: Debian's nginx, Caddy and HAProxy.

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
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

// document returns the text of a file of the repository.
func document(t *testing.T, path string) string {
	t.Helper()
	return text(t, func() ([]byte, error) { return os.ReadFile(filepath.Join("..", "..", "..", path)) })
}

// deployed is a proxy as a file of configs/deploy sets it up.
type deployed struct {
	proxy
	file   string
	before string // what else that program needs in a test
	after  string
	// changes are what the test's own addresses and certificate stand in place of: %[5]s and %[6]s are files with certificate and key, %[7]s one with both.
	changes []string
	second  string // what makes the address behind it a comment
	// http1 is a text of the configuration, and the text in its place with which the program speaks HTTP/1.1 alone, where isHTTP1.
	http1   [2]string
	isHTTP1 bool
}

func deployedProxies() []deployed {
	aroundSite, _, _ := strings.Cut(nginx.config, "\tupstream")
	return []deployed{
		{nginx, "nginx.conf", aroundSite, "}\n", []string{
			"listen 443 ssl http2", "listen %[2]s ssl http2", "/etc/nginx/tls/chat.example.com.crt", "%[5]s", "/etc/nginx/tls/chat.example.com.key", "%[6]s",
		}, "# server 10.0.0.2:8080; #", [2]string{" ssl http2;", " ssl;"}, false},
		{caddy, "Caddyfile", "{\n\tadmin off\n\tauto_https off\n\tskip_install_trust\n}\n", "# %[1]s\n", []string{
			"chat.example.com {", "https://chat.example.com:%[4]d {\n\tbind 127.0.0.1\n\ttls %[5]s %[6]s",
		}, "# to 10.0.0.2:8080 #", [2]string{"admin off\n", "admin off\n\tservers {\n\t\tprotocols h1\n\t}\n"}, false},
		{haproxy, "haproxy.cfg", "", "# %[1]s\n", []string{"bind :443", "bind %[2]s", "/etc/haproxy/chat.example.com.pem", "%[7]s"}, "# server bridge2 10.0.0.2:8080 #", [2]string{"alpn h2,http/1.1", "alpn http/1.1"}, false},
	}
}

// front is a proxy that runs.
type front struct {
	url       string
	authority *issuer
}

// start runs the proxy before one bridge or two until the test ends.
func (d deployed) start(t *testing.T, bridges ...string) front {
	t.Helper()
	a := newIssuer(t)
	cert, key, _ := a.issue()
	pair := []string{a.write("cert.pem", cert), a.write("key.pem", key), a.write("both.pem", append(cert, key...))}
	text := document(t, "configs/deploy/"+d.file)
	changes := append([]string{"127.0.0.1:8080", "%[3]s"}, d.changes...)
	if len(bridges) == 2 {
		changes = append(changes, d.second, strings.Replace(strings.TrimPrefix(d.second, "# "), "10.0.0.2:8080", bridges[1], 1))
	}
	for change := range slices.Chunk(changes, 2) {
		if strings.Count(text, change[0]) != 1 {
			t.Fatalf("%s has %q %d times", d.file, change[0], strings.Count(text, change[0]))
		}
		text = strings.Replace(text, change[0], change[1], 1)
	}
	for i, path := range pair {
		text = strings.ReplaceAll(text, fmt.Sprintf("%%[%d]s", i+5), path)
	}
	d.config = d.before + text + d.after
	if d.isHTTP1 {
		d.config = strings.Replace(d.config, d.http1[0], d.http1[1], 1)
	}
	return front{url: strings.Replace(d.proxy.start(t, bridges[0]), "http", "https", 1), authority: a}
}

// client calls the proxy by the name that its file has, over HTTP/1.1 or HTTP/2.
func (f front) client(http2 bool) *http.Client {
	client := f.authority.client(http2)
	client.Transport.(*http.Transport).TLSClientConfig.ServerName = "chat.example.com"
	client.Transport = calls{"chat.example.com", client.Transport}
	return client
}

// once sends each request over a connection of its own, and not again if that breaks.
type once struct {
	t *testing.T
	*http.Transport
}

func (o once) RoundTrip(r *http.Request) (*http.Response, error) {
	conn, err := o.NewClientConn(r.Context(), r.URL.Scheme, r.URL.Host)
	if err != nil {
		return nil, err
	}
	o.t.Cleanup(func() { conn.Close() })
	return conn.RoundTrip(r)
}

// calls sends requests to a host under another name.
type calls struct {
	name string
	http.RoundTripper
}

func (c calls) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Host = c.name
	return c.RoundTripper.RoundTrip(r)
}

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
	noError(t, cmd.Start())
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
