package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/cmd/tailwater/node"
	"github.com/tailwater/tailwater/cmd/tailwater/nodetest"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if *chaosForm {
		runOnlyFaults()
	}
	secrets.Plant(tokenSecret, ticketSecret, natsPassword, plantedQuery)
	goleak.VerifyTestMain(suite{m}, goleak.Cleanup(secrets.Exit))
}

// suite is all tests and the end of what they share.
type suite struct{ *testing.M }

func (s suite) Run() int {
	code := s.M.Run()
	if err := chromium.end(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "end the browser:", err)
		return 1
	}
	if *chaosForm {
		if err := writeReport(code == 0); err != nil {
			fmt.Fprintln(os.Stderr, "write the report:", err)
			return 1
		}
	}
	return code
}

// patience bounds every wait of these tests. It decides only how long a failure takes.
const patience = time.Minute

// settings are for Load, by name without the prefix.
type settings map[string]string

// startNode runs what `tailwater serve` runs, on free ports and in a temporary folder unless the settings say otherwise.
func startNode(t testing.TB, s settings) *testNode {
	t.Helper()
	return startLogged(t, s, t.Output())
}

func startLogged(t testing.TB, s settings, log io.Writer) *testNode {
	t.Helper()
	opened, err := openLogged(t, s, log)
	noError(t, err)
	return endsWith(t, opened)
}

func endsWith(t testing.TB, opened *node.Node) *testNode {
	n := &testNode{Node: opened}
	t.Cleanup(func() { n.stop(t) })
	return n
}

// testNode is a node that ends with its test, or before.
type testNode struct {
	*node.Node
	stopped bool
}

// stop closes the node, as a signal would.
func (n *testNode) stop(t testing.TB) {
	t.Helper()
	if n.stopped {
		return
	}
	n.stopped = true
	n.overhearMetrics(t)
	if err := n.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func openNode(t testing.TB, s settings) (*node.Node, error) {
	t.Helper()
	return openLogged(t, s, t.Output())
}

func openLogged(t testing.TB, s settings, log io.Writer) (*node.Node, error) {
	t.Helper()
	opened, err := node.Open(nodetest.Settings(t, withDefaults(t, s)), newTestLog(log))
	if err != nil {
		secrets.Overhear(err.Error())
	}
	return opened, err
}

// withDefaults adds free ports and a temporary folder.
func withDefaults(t testing.TB, s settings) settings {
	t.Helper()
	all := settings{"HTTP_LISTEN": "127.0.0.1:0", "ADMIN_LISTEN": "127.0.0.1:0", "DRAIN_WINDOW": "100ms"}
	if s["NATS_URL"]+s["NATS_CONTEXT"] == "" {
		all["EMBED_LISTEN"], all["EMBED_DIR"] = "127.0.0.1:0", t.TempDir()
	}
	maps.Copy(all, s)
	return all
}

// openToAll adds what is open on a bridge that nobody else reaches, where it has to be said.
func openToAll(s settings) settings {
	all := settings{"ANONYMOUS_SUBSCRIBE": "chat.>,time.>", "ANONYMOUS_PUBLISH": "chat.>"}
	maps.Copy(all, s)
	return all
}

// publisher is a NATS client like any other.
func publisher(t *testing.T, url string, signIn ...nats.Option) *nats.Conn {
	t.Helper()
	conn, err := nats.Connect(url, signIn...)
	noError(t, err)
	t.Cleanup(func() {
		conn.Close()
		for !conn.IsClosed() {
		}
	})
	return conn
}

// subscription is an open connection to the bridge.
type subscription struct {
	*bridgetest.Stream
	t    *testing.T
	body io.ReadCloser
}

// subscribe opens a connection and reads its first event.
func subscribe(t *testing.T, url, lastEventID string) (*subscription, bridgetest.Event) {
	t.Helper()
	s := dial(t, url, lastEventID)
	return s, s.next()
}

// dial opens a connection, and takes the answer's status for granted to be 200.
func dial(t *testing.T, url, lastEventID string) *subscription {
	t.Helper()
	response := askWith(t, http.MethodGet, withQuery(url), "", "Last-Event-ID: "+lastEventID)
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		t.Fatalf("GET %s: %s: %s", url, response.Status, text)
	}
	return &subscription{bridgetest.NewStream(response.Body), t, response.Body}
}

func (s *subscription) next() bridgetest.Event {
	s.t.Helper()
	event, err := s.Next()
	if err != nil {
		s.t.Fatalf("next event: %v", err)
	}
	return event
}

// expect reads the next event and compares it, but for its id.
func (s *subscription) expect(kind, data string) bridgetest.Event {
	s.t.Helper()
	event := s.next()
	if event.Type != kind || event.Data != data {
		s.t.Fatalf("got %s %q, want %s %q", event.Type, event.Data, kind, data)
	}
	return event
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	response, err := http.Get(url)
	noError(t, err)
	return answer(t, response)
}

func post(t *testing.T, url, body string) (int, string) {
	t.Helper()
	response, err := http.Post(url, "text/plain", strings.NewReader(body))
	noError(t, err)
	return answer(t, response)
}

// askWith sends a request; headers are "Name: value", and those without a value are left out.
func askWith(t *testing.T, method, url, body string, headers ...string) *http.Response {
	t.Helper()
	return askBy(t, http.DefaultClient, method, url, body, headers...)
}

// askBy is askWith for a client of its own.
func askBy(t *testing.T, client *http.Client, method, url, body string, headers ...string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), allowed())
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	noError(t, err)
	for _, header := range headers {
		switch name, value, _ := strings.Cut(header, ": "); {
		case value == "":
		case name == "Host":
			r.Host = value
		default:
			r.Header.Add(name, value)
		}
	}
	response, err := client.Do(r)
	noError(t, err)
	t.Cleanup(func() { response.Body.Close() })
	return response
}

// status sends a request, and returns the status and the body.
func status(t *testing.T, method, url, body string, headers ...string) (int, string) {
	t.Helper()
	return answer(t, askWith(t, method, url, body, headers...))
}

// bearer is the header with a token; "" for no token.
func bearer(token string) string {
	if token == "" {
		return ""
	}
	return "Authorization: Bearer " + token
}

func answer(t *testing.T, response *http.Response) (int, string) {
	t.Helper()
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	// An event stream never ends cleanly.
	if isStream := response.Header.Get("Content-Type") == "text/event-stream"; err != nil && !(isStream && errors.Is(err, io.ErrUnexpectedEOF)) {
		t.Fatal(err)
	}
	if !isSession(response) {
		secrets.Overhear(fmt.Sprint(response.Header, string(text)))
	}
	return response.StatusCode, string(text)
}

// noError ends the test if there is an error.
func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantAll wants a text, which is of what, to say each of these.
func wantAll(t *testing.T, what, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%s does not say %q:\n%s", what, want, text)
		}
	}
}

// eventually waits until a condition that something else brings about holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for begin := time.Now(); !holds(); <-time.After(untilNextLook(begin)) {
		if time.Since(begin) > patience {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// untilNextLook is how long to wait before the next look at a condition that has been waited for since then. Looks become rarer, because
// many a look is a request, and this process shares its processors with what it waits for. No wait gets an eighth longer by that.
func untilNextLook(since time.Time) time.Duration {
	return min(max(2*time.Millisecond, time.Since(since)/8), 50*time.Millisecond)
}

// with returns settings, and others beside them.
func with(s, others settings) settings {
	all := maps.Clone(s)
	maps.Copy(all, others)
	return all
}
