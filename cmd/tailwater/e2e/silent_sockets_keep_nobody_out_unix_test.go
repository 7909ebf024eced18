//go:build unix

package e2e

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// fewDescriptors is what the process may have open in these tests, and manySockets what strangers open.
const fewDescriptors, manySockets = 256, 400

// elsewhere is another address of this machine than the one that strangers come from.
var elsewhere = net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}

// from returns a client at an address of its own.
func from(t *testing.T, config *tls.Config) *http.Client {
	transport := &http.Transport{DialContext: elsewhere.DialContext, TLSClientConfig: config}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// flood opens connections and begins something on each. What the bridge makes of them is its own affair.
func flood(t *testing.T, address string, begin func(net.Conn)) (end func()) {
	t.Helper()
	var all []net.Conn
	for range manySockets {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			continue
		}
		_ = conn.SetDeadline(time.Now().Add(patience))
		begin(conn)
		all = append(all, conn)
	}
	end = sync.OnceFunc(func() {
		for _, conn := range all {
			conn.Close()
		}
	})
	t.Cleanup(end)
	return end
}

// Connections on which nothing is asked keep nobody out, although there are more of them than descriptors: not those who read
// and post meanwhile, not who comes anew, and nobody afterwards.
func TestSilentSocketsKeepNobodyOut(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(net.Conn){
		"silent": func(net.Conn) {},
		"idle": func(conn net.Conn) {
			_, _ = io.WriteString(conn, "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
			if response, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
				response.Body.Close()
			}
		},
		"half a head": func(conn net.Conn) {
			_, _ = io.WriteString(conn, "GET /events/chat.room1 HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
		},
		"half a body": func(conn net.Conn) {
			_, _ = io.WriteString(conn, "POST /events/chat.room1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nx")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startLimited(t, fewDescriptors, "TAILWATER_LIMIT_PUBLISH_RATE=0")
			floodAndWitness(t, p, from(t, nil), begin)
		})
	}
	t.Run("half a handshake", func(t *testing.T) {
		t.Parallel()
		a := newIssuer(t)
		s, _ := a.settings()
		p := startLimited(t, fewDescriptors, "TAILWATER_LIMIT_PUBLISH_RATE=0", "TAILWATER_HTTP_TLS_CERT="+s["HTTP_TLS_CERT"], "TAILWATER_HTTP_TLS_KEY="+s["HTTP_TLS_KEY"])
		floodAndWitness(t, p, from(t, &tls.Config{RootCAs: a.roots}), func(conn net.Conn) {
			_, _ = conn.Write([]byte{22, 3, 1, 2, 0, 1}) // the head of a ClientHello
		})
	})
}

func floodAndWitness(t *testing.T, p *process, client *http.Client, begin func(net.Conn)) {
	url := p.http + "/events/chat.room1"
	other := startWitness(t, client, url)
	_, address, _ := strings.Cut(p.http, "://")
	end := flood(t, address, begin)
	for i := range 20 { // whoever comes anew
		expectPost(t, fmt.Sprint("during ", i), newcomer(t, client), url)
	}
	for _, probe := range []string{"/healthz", "/readyz"} {
		if status, text := get(t, p.admin+probe); status != http.StatusOK {
			t.Errorf("%s: %d %s", probe, status, text)
		}
	}
	other.stop()
	end()
	expectPost(t, "after", newcomer(t, client), url)
	if text := p.log.String(); strings.Contains(text, "descriptors") {
		t.Errorf("descriptors have run out: %s", text)
	}
}

// newcomer is a client with connections of its own, and otherwise the same.
func newcomer(t *testing.T, client *http.Client) *http.Client {
	transport := client.Transport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

func expectPost(t *testing.T, when string, client *http.Client, url string) {
	t.Helper()
	response, err := client.Post(url+"-other", "text/plain", strings.NewReader("hello"))
	if err != nil {
		t.Errorf("%s: %v", when, err)
		return
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusCreated {
		text, _ := io.ReadAll(response.Body)
		t.Errorf("%s: POST is answered %s: %s", when, response.Status, text)
	}
}

// If every place has a reader and other clients open socket after socket, a new client is told so; posts and probes continue.
func TestFullBridgeAnswers(t *testing.T) {
	t.Parallel()
	p := startLimited(t, fewDescriptors, "TAILWATER_LIMIT_PUBLISH_RATE=0", "TAILWATER_LIMIT_CONNECTIONS=1000")
	client, url := from(t, nil), p.http+"/events/chat.room1"
	other := startWitness(t, client, url)
	for isFull := false; !isFull; {
		event, err := dial(t, url, "").Next()
		noError(t, err)
		isFull = event.Type == "tailwater:close"
	}
	end := flood(t, strings.TrimPrefix(p.http, "http://"), func(net.Conn) {})
	for range 20 {
		response, err := newcomer(t, client).Get(url)
		noError(t, err)
		event, err := bridgetest.NewStream(response.Body).Next()
		if err != nil || event.Type != "tailwater:close" || event.Data != `{"reason":"busy"}` {
			t.Errorf("%+v, %v", event, err)
		}
		response.Body.Close()
		expectPost(t, "while it is full", newcomer(t, client), url)
	}
	if status, text := get(t, p.admin+"/readyz"); status != http.StatusOK {
		t.Errorf("%d %s", status, text)
	}
	other.stop()
	end()
}

// Connections are held below the descriptors, which the log and check say.
func TestConnectionsAreHeldBelowDescriptors(t *testing.T) {
	t.Parallel()
	for connections, want := range map[string]string{
		"1000": "! up to 135 connections at once, not TAILWATER_LIMIT_CONNECTIONS: this process may have only 256 file descriptors",
		"100":  "up to 100 connections at once\n",
		"":     "! up to 135 connections at once, not TAILWATER_LIMIT_CONNECTIONS: this process may have only 256 file descriptors", // also without the setting
	} {
		env := append(os.Environ(), "TAILWATER_HTTP_LISTEN=127.0.0.1:0", "TAILWATER_ADMIN_LISTEN=127.0.0.1:0", "TAILWATER_EMBED_LISTEN=127.0.0.1:0")
		if connections != "" {
			env = append(env, "TAILWATER_LIMIT_CONNECTIONS="+connections)
		}
		path, err := bridgetest.Tailwater()
		noError(t, err)
		check := limited(fewDescriptors, path, "check")
		check.Env, check.Dir = env, t.TempDir()
		text, err := check.CombinedOutput()
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%v: %s", err, text)
		}
	}
	const line = `"msg":"TAILWATER_LIMIT_CONNECTIONS is more than the file descriptors of this process allow; a lower limit is used","limit":1000,"held_to":135,"descriptors":256`
	for connections, isLogged := range map[string]bool{"1000": true, "100": false} {
		p := startLimited(t, fewDescriptors, "TAILWATER_LIMIT_CONNECTIONS="+connections)
		if strings.Contains(p.start, line) != isLogged {
			t.Errorf("with %s connections, the start logs:\n%s", connections, p.start)
		}
	}
}
