package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
)

// breaksOff reads an answer that is an event stream or lines until it breaks off, and returns what it said.
// A clean end is expected where isClean.
func breaksOff(t *testing.T, client *http.Client, url, accept string, isClean bool, begun func()) string {
	t.Helper()
	response := askBy(t, client, http.MethodGet, url, "", "Accept: "+accept)
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
			noError(t, err)
			if status, text := answer(t, response); status != http.StatusCreated {
				t.Errorf("POST: %d %s", status, text)
			}
		}
		poll, err := client.Get(url + "/events/chat.a?poll=1")
		noError(t, err)
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

// isOldCaddy reports whether Caddy is older than 2.8: it logs that an answer is incomplete, and ends it as if it were not.
func isOldCaddy(t *testing.T) bool {
	t.Helper()
	out, err := exec.Command("caddy", "version").Output()
	noError(t, err)
	var major, minor int
	if _, err := fmt.Sscanf(strings.TrimPrefix(string(out), "v"), "%d.%d", &major, &minor); err != nil {
		t.Fatalf("%q: %v", out, err)
	}
	return major < 2 || major == 2 && minor < 8
}
