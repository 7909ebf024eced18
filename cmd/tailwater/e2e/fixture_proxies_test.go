package e2e

// The bridge behind proxies as people run them: Debian's nginx, Caddy and HAProxy.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

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

// breaksOff reads an answer that is an event stream or lines until it breaks off, and returns what it said.
// A clean end is expected where isClean.
func breaksOff(t *testing.T, client *http.Client, url, accept string, isClean bool, begun func()) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", accept)
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK || response.Close {
		// Node's fetch does not look for the last chunk where the connection is to be closed.
		t.Errorf("%s, %v", response.Status, response.Header)
	}
	if begun != nil {
		if _, err := io.ReadFull(response.Body, make([]byte, 1)); err != nil {
			t.Errorf("it begins with %v", err)
		}
		begun()
	}
	text, err := io.ReadAll(response.Body)
	if (err == nil) != isClean {
		t.Errorf("%s ends with %v behind %q", url, err, text)
	}
	return string(text)
}

// Clients built on fetch take a clean end for the end of all. However a connection ends, proxies pass that on as broken; and
// the connections that they keep to the bridge serve what comes next. Caddy does so from version 2.8 on.
func TestProxiesPassABrokenEndOn(t *testing.T) {
	onlySoak(t)
	overProxies(t, []proxy{nginx, caddy, haproxy}, func(t *testing.T, front func(string) string) {
		client := &http.Client{Transport: &http.Transport{}, Timeout: patience}
		defer client.CloseIdleConnections()
		isClean := strings.HasSuffix(t.Name(), "caddy") && isOldCaddy(t)
		aging := startBridge(t, settings{"LIMIT_CONNECTION_AGE": "300ms"})
		url := front(aging.address)
		for _, accept := range []string{"text/event-stream", "application/x-ndjson"} {
			if text := breaksOff(t, client, url+"/events/chat.a", accept, isClean, nil); !strings.Contains(text, "age") || !strings.Contains(text, "heartbeat") {
				t.Errorf("of age: %q", text)
			}
			response, err := client.Post(url+"/events/chat.a", "text/plain", strings.NewReader("x"))
			if err != nil {
				t.Fatal(err)
			}
			if status, text := answer(t, response); status != http.StatusCreated {
				t.Errorf("POST: %d %s", status, text)
			}
		}
		poll, err := client.Get(url + "/events/chat.a?poll=1")
		if err != nil {
			t.Fatal(err)
		}
		if status, text := answer(t, poll); status != http.StatusOK || !strings.Contains(text, "synced") {
			t.Errorf("a poll, which is complete: %d %s", status, text)
		}
		full := startBridge(t, settings{"LIMIT_CONNECTIONS": "1"})
		url = front(full.address)
		breaksOff(t, client, url+"/events/chat.a", "text/event-stream", isClean, func() {
			for _, accept := range []string{"text/event-stream", "application/x-ndjson"} {
				if text := breaksOff(t, client, url+"/events/chat.a", accept, isClean, nil); !strings.Contains(text, "busy") {
					t.Errorf("turned away: %q", text)
				}
			}
			full.kill()
		})
	})
}

// isOldCaddy tells whether Caddy is older than 2.8: it logs that an answer is incomplete, and ends it as if it were not.
func isOldCaddy(t *testing.T) bool {
	t.Helper()
	out, err := exec.Command("caddy", "version").Output()
	if err != nil {
		t.Fatal(err)
	}
	var major, minor int
	if _, err := fmt.Sscanf(strings.TrimPrefix(string(out), "v"), "%d.%d", &major, &minor); err != nil {
		t.Fatalf("%q: %v", out, err)
	}
	return major < 2 || major == 2 && minor < 8
}

// eventSource reads as a browser's EventSource does: from an answer that is not 200 it never comes back.
type eventSource struct {
	url    string
	client *http.Client
	seen   func(bridgetest.Event) (done bool)

	lastID string
	opened atomic.Int64
}

func (e *eventSource) run(ctx context.Context) error {
	wait := 500 * time.Millisecond
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url, nil)
		if err != nil {
			return err
		}
		if e.lastID != "" {
			request.Header.Set("Last-Event-ID", e.lastID)
		}
		response, err := e.client.Do(request)
		if err == nil {
			if response.StatusCode != http.StatusOK {
				response.Body.Close()
				return fmt.Errorf("closed for good by %s", response.Status)
			}
			done := e.read(response.Body, &wait)
			response.Body.Close()
			if done {
				return nil
			}
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return fmt.Errorf("after %s: %w", e.lastID, ctx.Err())
		}
	}
}

func (e *eventSource) read(body io.Reader, wait *time.Duration) (done bool) {
	stream := bridgetest.NewStream(body)
	for {
		event, err := stream.Next()
		if stream.Retry > 0 {
			*wait = time.Duration(stream.Retry) * time.Millisecond
		}
		if err != nil {
			return false
		}
		if event.ID != "" {
			e.lastID = event.ID
		}
		if event.Type == "tailwater:open" {
			e.opened.Add(1)
		}
		if e.seen(event) {
			return true
		}
	}
}

// One bridge that is started anew, with NATS inside, loses no browser: while it stops, whoever comes is answered and asked to
// come back later, and nobody is sent back before it is there again.
func TestGracefulRestartBehindAProxy(t *testing.T) {
	onlySoak(t)
	const clients, visitors = 300, 50
	overProxies(t, []proxy{nginx, caddy, haproxy}, func(t *testing.T, front func(string) string) {
		b := startBridge(t, settings{"DRAIN_WINDOW": "3s"})
		url := front(b.address) + "/events/chat.a"
		transport := &http.Client{Transport: &http.Transport{}}
		defer transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
		defer cancel()
		publish := func(n int) {
			t.Helper()
			if status, text := post(t, "http://"+b.address+"/events/chat.a", fmt.Sprint(n)); status != http.StatusCreated {
				t.Fatalf("POST: %d %s", status, text)
			}
		}
		var reading sync.WaitGroup
		closed := make(chan struct{}, clients+visitors) // told by each that it is asked to come back
		come := func(name string, seen func(bridgetest.Event) bool) *eventSource {
			e := &eventSource{url: url, client: transport, seen: func(event bridgetest.Event) bool {
				if event.Type == "tailwater:close" {
					closed <- struct{}{}
				}
				return seen(event)
			}}
			reading.Go(func() {
				if err := e.run(ctx); err != nil {
					t.Errorf("%s is lost: %v", name, err)
				}
			})
			return e
		}
		all := make([]*eventSource, clients)
		for i := range all {
			next := 0
			all[i] = come(fmt.Sprint("client ", i), func(event bridgetest.Event) bool {
				if event.Type == "message" {
					if event.Data != fmt.Sprint(next) {
						t.Errorf("client %d: %q instead of %d", i, event.Data, next)
					}
					next++
				}
				return next == 2
			})
		}
		opened := func(times int64) func() bool {
			return func() bool {
				for _, e := range all {
					if e.opened.Load() < times {
						return false
					}
				}
				return true
			}
		}
		eventually(t, "all are open", opened(1))
		publish(0)
		if err := b.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		await := func(n int) {
			t.Helper()
			for range n {
				select {
				case <-closed:
				case <-ctx.Done():
					t.Fatal("fewer were asked to come back")
				}
			}
		}
		await(1)
		for i := range visitors {
			come(fmt.Sprint("visitor ", i), func(event bridgetest.Event) bool { return event.Type == "tailwater:open" })
		}
		await(visitors)
		if err := b.cmd.Wait(); err != nil {
			t.Errorf("after SIGTERM: %v", err)
		}
		b.start()
		publish(1)
		reading.Wait()
		if !opened(2)() {
			t.Error("somebody was not away")
		}
	})
}

// What comes while a bridge stops is answered: GETs with the advice to come back later, POSTs by NATS while it is there.
func TestListenerStaysUntilTheEnd(t *testing.T) {
	b := startBridge(t, settings{"DRAIN_WINDOW": "2s"})
	stream, _ := subscribe(t, "http://"+b.address+"/events/chat.a", "")
	if err := b.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	late := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	get := func() (*bridgetest.Stream, error) {
		response, err := late.Get("http://" + b.address + "/events/chat.a")
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { response.Body.Close() })
		if response.StatusCode != http.StatusOK {
			t.Errorf("GET: %s", response.Status)
		}
		return bridgetest.NewStream(response.Body), nil
	}
	eventually(t, "it drains", func() bool {
		stream, err := get()
		if err != nil {
			t.Fatal(err)
		}
		event, err := stream.Next()
		return err == nil && event.Type == "tailwater:close" && stream.Retry > 2000
	})
	if status, text := post(t, "http://"+b.address+"/events/chat.a", "late"); status != http.StatusCreated {
		t.Errorf("POST: %d %s", status, text)
	}
	stream.expect("message", "late")
	stream.expect("tailwater:close", `{"reason":"drain"}`)
	if stream.Retry < 2000 {
		t.Errorf("it is to come back after %d ms", stream.Retry)
	}
	if event, err := stream.Next(); !errors.Is(err, bridgetest.ErrBroken) {
		t.Errorf("%+v, %v", event, err)
	}
	if err := b.cmd.Wait(); err != nil {
		t.Error(err)
	}
}
