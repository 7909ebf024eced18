package main

// The snippets for proxies in the README, as they are printed there.

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// snippet returns the code in the README that is marked with the name of a language, as part of a configuration of a proxy.
func snippet(t *testing.T, language string) string {
	t.Helper()
	match := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindStringSubmatch(read(t, "README.md"))
	if match == nil {
		t.Fatalf("the README has nothing for %s", language)
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
	proxies := []proxy{
		{"nginx", nginx.args, nginxAround(snippet(t, "nginx"))},
		{"caddy", caddy.args, "{\n\tadmin off\n}\nhttp://%[2]s {\n" + snippet(t, "caddyfile") + "}\n# %[1]s\n"},
		{"haproxy", haproxy.args, snippet(t, "haproxy") + "listen bridge\n\tbind %[2]s\n\tserver bridge %[3]s\n# %[1]s\n"},
	}
	for _, p := range proxies {
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
