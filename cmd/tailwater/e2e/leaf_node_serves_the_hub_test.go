package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// leafNode is a server with a JetStream of its own, and a hub behind it, each in a domain of its own.
type leafNode struct {
	*bridgetest.NATSServer
	hub    *bridgetest.NATSServer
	dir    string
	config string
}

func startLeaf(t *testing.T) *leafNode {
	t.Helper()
	port := bridgetest.FreePort(t)
	l := &leafNode{dir: t.TempDir()}
	l.hub = bridgetest.StartNATSServer(t, "-c", writeFile(t, l.dir, "hub.conf", fmt.Sprintf(
		"server_name: hub\njetstream { domain: hub }\nleafnodes { listen: \"127.0.0.1:%d\" }\n", port)))
	l.config = fmt.Sprintf(
		"server_name: leaf\njetstream { domain: leaf }\nleafnodes { remotes: [ { url: \"nats-leaf://127.0.0.1:%d\" } ] }\n", port)
	l.NATSServer = bridgetest.StartNATSServer(t, "-c", writeFile(t, l.dir, "leaf.conf", l.config), "-l", l.log())
	l.await(t, l.URL())
	return l
}

func (l *leafNode) log() string { return filepath.Join(l.dir, "log") }

func (l *leafNode) url(user string) string {
	return fmt.Sprintf("nats://%s:s3cret@127.0.0.1:%d", user, l.Port)
}

// restart starts the leaf anew, with users.
func (l *leafNode) restart(t *testing.T, users string) {
	t.Helper()
	l.Kill()
	writeFile(t, l.dir, "leaf.conf", l.config+"authorization { users: [ { user: admin, password: s3cret }\n"+users+"] }\n")
	l.Start(t)
	l.await(t, l.url("admin"))
}

// await waits until the hub's streams can be asked for through the leaf.
func (l *leafNode) await(t *testing.T, url string) {
	t.Helper()
	js, err := jetstream.NewWithDomain(publisher(t, url), "hub")
	noError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		if _, err = js.AccountInfo(ctx); err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}

// A bridge at a leaf node serves the streams of the hub, in every way.
func TestDomain(t *testing.T) {
	t.Parallel()
	leaf := startLeaf(t)
	js := connectJetStream(t, leaf.hub.URL())
	makeBucket(t, js)
	dir := t.TempDir()
	contextOf := func(name, field string) settings {
		return settings{"NATS_CONTEXT": writeFile(t, dir, name+".json", fmt.Sprintf(`{"url":%q,%s}`, leaf.URL(), field))}
	}
	for name, s := range map[string]settings{
		"setting":              {"NATS_URL": leaf.URL(), "NATS_JS_DOMAIN": "hub"},
		"context":              contextOf("domain", `"jetstream_domain":"hub"`),
		"prefix":               contextOf("prefix", `"jetstream_api_prefix":"$JS.hub.API"`),
		"setting over context": {"NATS_CONTEXT": contextOf("other", `"jetstream_domain":"leaf"`)["NATS_CONTEXT"], "NATS_JS_DOMAIN": "hub"},
	} {
		t.Run(name, func(t *testing.T) {
			stream := createHubStream(t, js, "D"+strings.ToUpper(strings.ReplaceAll(name, " ", "")), "chat.>")
			defer stream.delete()
			s["ANONYMOUS_SUBSCRIBE"], s["ANONYMOUS_PUBLISH"], s["ROUTES"] = "chat.>,log.>", "chat.>", "/config/{key}=$KV.config.{key}"
			n := startNode(t, s)
			wantDomain(t, n, stream)
		})
	}
}

func makeBucket(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	made, err := js.CreateKeyValue(t.Context(), bucket)
	if err == nil {
		_, err = made.PutString(t.Context(), "color", "blue")
	}
	noError(t, err)
}

// What check prints behind a leaf node is enough there, and what is taken away of it is named.
func TestPermissionsInADomain(t *testing.T) {
	onlySoak(t)
	t.Parallel()
	leaf := startLeaf(t)
	js := connectJetStream(t, leaf.hub.URL())
	makeBucket(t, js)
	stream := createHubStream(t, js, "CHAT", "chat.>,log.>")
	s := settings{
		"NATS_URL": leaf.URL(), "NATS_JS_DOMAIN": "hub", "ROUTES": "/config/{key}=$KV.config.{key}",
		"ANONYMOUS_SUBSCRIBE": "chat.>,log.>", "ANONYMOUS_PUBLISH": "chat.>",
	}
	code, out, stderr := call(t, s, "check")
	_, block, found := strings.Cut(out, "$JS.hub.API.)\n")
	block, _, _ = strings.Cut(block, "\nVerdict: ")
	if code != 0 || !found || !strings.Contains(block, `"$JS.hub.API.CONSUMER.CREATE.CHAT.>"`) || strings.Contains(block, `"$JS.API`) {
		t.Fatalf("exit code %d of check:\n%s%s", code, out, stderr)
	}
	users, weakened := "{ user: bridge, password: s3cret\n"+block+"}\n", weaken(t, leaf.dir, block)
	for i, p := range weakened {
		users += fmt.Sprintf("{ user: without%d, password: s3cret\n%s}\n", i, p.block)
	}
	leaf.restart(t, users)
	for i, p := range weakened {
		if p.publish && p.subject == "chat.>" {
			continue // only a message would show it, and check sends none
		}
		if isOfService(p.subject) {
			continue // which is no failure: see TestServiceAtYourOwnNATS
		}
		code, out, stderr := call(t, with(s, settings{"NATS_URL": leaf.url(fmt.Sprint("without", i))}), "check")
		if code != exitFailure || !strings.Contains(stderr, fixedTokens(p.subject)) {
			t.Errorf("without %s: exit code %d of check:\n%s%s", p.subject, code, out, stderr)
		}
	}
	leaf.restart(t, users)
	said := must(t, func() ([]byte, error) { return os.ReadFile(leaf.log()) })
	stream.configure("chat.>", false)
	wantDomain(t, startNode(t, with(s, settings{"NATS_URL": leaf.url("bridge")})), stream)
	all := must(t, func() ([]byte, error) { return os.ReadFile(leaf.log()) })
	if strings.Contains(string(all[len(said):]), "Violation") {
		t.Errorf("nats-server says:\n%s", all[len(said):])
	}
}

// hubStream is a stream at the hub that can be read without direct gets at first.
type hubStream struct {
	*testing.T
	js   jetstream.JetStream
	name string
}

func createHubStream(t *testing.T, js jetstream.JetStream, name, subjects string) hubStream {
	t.Helper()
	s := hubStream{t, js, name}
	s.configure(subjects, false)
	return s
}

func (s hubStream) configure(subjects string, direct bool) {
	s.Helper()
	config := jetstream.StreamConfig{Name: s.name, Subjects: strings.Split(subjects, ","), AllowDirect: direct, Storage: jetstream.MemoryStorage}
	if _, err := s.js.CreateOrUpdateStream(s.Context(), config); err != nil {
		s.Fatal(err)
	}
}

func (s hubStream) delete() { _ = s.js.DeleteStream(context.Background(), s.name) }

func wantDomain(t *testing.T, n *testNode, stream hubStream) {
	t.Helper()
	url := n.URL() + "/events/chat.a"
	reader, opening := subscribe(t, url, "")
	if opening.Type != bridge.EventOpen {
		t.Fatalf("it begins with %+v", opening)
	}
	for _, data := range []string{"1", "2"} {
		if status, body := post(t, url, data); status != http.StatusCreated || !strings.Contains(body, stream.name) {
			t.Fatalf("POST answers %d %s", status, body)
		}
	}
	id := reader.expect("message", "1").ID
	reader.expect("message", "2")
	polled := func(query, want string) {
		t.Helper()
		_, body := get(t, url+"?poll=1"+query)
		if said, _ := lines(t, body); fmt.Sprint(said) != want {
			t.Errorf("poll%s gives %s, want %s", query, body, want)
		}
	}
	polled("", "[tailwater:open 1 2 tailwater:synced]")
	polled("&lastEventId="+id, "[tailwater:open 2 tailwater:synced]")
	stream.configure("chat.>,log.>", true)
	polled("&since=last", "[tailwater:open 2 tailwater:synced]")
	polled("&since=10m", "[tailwater:open 1 2 tailwater:synced]")
	// That the stream holds more is noticed at once: what JetStream tells of streams comes through the leaf, too.
	moved, _ := subscribe(t, n.URL()+"/events/log.a", "")
	if _, err := stream.js.Publish(t.Context(), "log.a", []byte("stored")); err != nil {
		t.Fatal(err)
	}
	if got := moved.expect("message", "stored"); !strings.HasPrefix(got.ID, epoch(id)) {
		t.Errorf("what the stream has come to hold comes with the id %s", got.ID)
	}
	for range 8 { // so much that the bridge has to ask for more
		if _, err := stream.js.Publish(t.Context(), "chat.a", bytes.Repeat([]byte("x"), 300<<10)); err != nil {
			t.Fatal(err)
		}
		reader.expect("message", strings.Repeat("x", 300<<10))
	}
	config, _ := subscribe(t, n.URL()+"/config/color?since=all", "")
	config.expect("message", "blue")
}

// epoch returns the epoch of an event id.
func epoch(id string) string {
	first, _, _ := strings.Cut(id, "-")
	return first
}
