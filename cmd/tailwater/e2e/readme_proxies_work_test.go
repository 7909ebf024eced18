package e2e

// The snippets for proxies on the page of the command, as they are printed there.

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// document returns the text of a file of the repository.
func document(t *testing.T, path string) string {
	t.Helper()
	return text(t, func() ([]byte, error) { return os.ReadFile(filepath.Join("..", "..", "..", path)) })
}

// snippet returns the code on the page of the command that is marked with the name of a language, as part of a configuration of a proxy.
func snippet(t *testing.T, language string) string {
	t.Helper()
	match := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindStringSubmatch(document(t, "cmd/tailwater/README.md"))
	if match == nil {
		t.Fatalf("the page of the command has nothing for %s", language)
	}
	if !strings.Contains(match[1], "%") {
		return strings.ReplaceAll(match[1], "127.0.0.1:8080", "%[3]s")
	}
	t.Fatalf("percent signs are not expected here: %s", match[1])
	return ""
}

// Behind each proxy a browser outlasts the moment in which there is no bridge: the proxy hangs up or waits, and never answers
// with a status, which would be final to EventSource.
func TestReadmeProxiesWithoutABridge(t *testing.T) {
	onlySoak(t)
	for _, p := range readmeProxies(t) {
		t.Run(p.program, func(t *testing.T) {
			t.Parallel()
			b := startBridge(t, behindProxy(t))
			url := p.start(t, b.address)
			b.kill()
			client := &http.Client{Transport: calls{"chat.example.com", &http.Transport{DisableKeepAlives: true}}, Timeout: patience}
			if p.program == "nginx" {
				hangsUp(t, client, url+"/events/chat.a")
				b.start()
				if err := begins(client, url+"/events/chat.a"); err != nil {
					t.Errorf("with a bridge: %v", err)
				}
				return
			}
			waits := make(chan error, 1)
			go func() { waits <- begins(client, url+"/events/chat.a") }()
			b.start()
			if err := <-waits; err != nil {
				t.Error(err)
			}
		})
	}
}

// readmeProxies are the proxies as the page of the command sets them up.
func readmeProxies(t *testing.T) []proxy {
	t.Helper()
	return []proxy{
		{"nginx", nginx.args, nginxAround(snippet(t, "nginx"))},
		{"caddy", caddy.args, "{\n\tadmin off\n}\nhttp://:%[4]d {\n" + snippet(t, "caddyfile") + "}\n# %[1]s\n"},
		{"haproxy", haproxy.args, snippet(t, "haproxy") + "listen bridge\n\tbind %[2]s\n\tserver bridge %[3]s\n# %[1]s\n"},
	}
}

// Behind each proxy the limit is for the address of who comes, not for that of the proxy.
func TestReadmeProxiesPassTheAddressOn(t *testing.T) {
	onlySoak(t)
	for _, p := range readmeProxies(t) {
		t.Run(p.program, func(t *testing.T) {
			t.Parallel()
			set := behindProxy(t)
			set["LIMIT_CONNECTIONS_PER_IP"] = "1"
			url := p.start(t, startBridge(t, set).address) + "/events/chat.a"
			if says := firstEvent(t, url, "127.0.0.2"); says != "tailwater:open" {
				t.Errorf("the first of an address is told %q", says)
			}
			if says := firstEvent(t, url, "127.0.0.2"); says != "tailwater:close" {
				t.Errorf("the second of the address is told %q", says)
			}
			if says := firstEvent(t, url, "127.0.0.3"); says != "tailwater:open" {
				t.Errorf("the first of another address is told %q", says)
			}
		})
	}
}

// firstEvent opens an event stream from an address of this machine, which stays open until the test ends, and returns the
// type of its first event.
func firstEvent(t *testing.T, url, from string) string {
	t.Helper()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	transport := &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}
	response, err := (&http.Client{Transport: calls{"chat.example.com", transport}}).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	event, err := bridgetest.NewStream(response.Body).Next()
	if err != nil {
		t.Fatal(err)
	}
	return event.Type
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

// hangsUp expects no answer to a GET, and one to a POST.
func hangsUp(t *testing.T, client *http.Client, url string) {
	t.Helper()
	if err := begins(client, url); err == nil || errors.Is(err, errStatus) {
		t.Errorf("without a bridge: %v", err)
	}
	response, err := client.Post(url, "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	if status, _ := answer(t, response); status != http.StatusServiceUnavailable {
		t.Errorf("POST without a bridge: %d", status)
	}
}

// nginxAround returns a whole configuration around what stands in a server's block.
func nginxAround(locations string) string {
	before, rest, _ := strings.Cut(nginx.config, "\tupstream")
	_, listen, _ := strings.Cut(rest, "\tserver {\n")
	listen, _, _ = strings.Cut(listen, "\n")
	return before + "server {\n" + listen + "\n" + locations + "}\n}\n"
}

var errStatus = errors.New("answered with a status")

// begins returns nil if an event stream begins.
func begins(client *http.Client, url string) error {
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: %s", errStatus, response.Status)
	}
	_, err = io.ReadFull(response.Body, make([]byte, 1))
	return err
}
