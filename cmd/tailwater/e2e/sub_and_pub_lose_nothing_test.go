package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// inOrder returns payloads that show what is missing, doubled or out of order.
func inOrder(n int) (lines []string) {
	for i := range n {
		lines = append(lines, fmt.Sprintf("message %d", i))
	}
	return lines
}

// While the bridge is killed, behind a proxy that answers 502 meanwhile, sub and pub go on: every line of pub's input is stored once and in
// order, and sub prints every one once and in order.
func TestSubAndPubOutlastKills(t *testing.T) {
	t.Parallel()
	b := startBridge(t, settings{"HISTORY": "chat.>"})
	proxy := nginx.start(t, b.address)
	read, write, err := os.Pipe()
	noError(t, err)
	defer read.Close()
	defer write.Close()
	messages := inOrder(200)
	sub := begin(t, nil, "sub", "chat.a", "--since=all", "--raw", "--url="+proxy, fmt.Sprint("--count=", len(messages)))
	pub := begin(t, read, "pub", "chat.a", "--send-on=newline", "--url="+proxy, "--timeout=30s")
	feed := func(lines []string) { fmt.Fprintln(write, strings.Join(lines, "\n")) }
	half := len(messages) / 2
	feed(messages[:half])
	sub.lines(t, 10)
	for range length(1, 5) {
		b.kill()
		sub.says(t, "502 Bad Gateway")
		b.start()
	}
	feed(messages[half:])
	write.Close()
	if code := pub.code(t); code != 0 {
		t.Errorf("pub: exit code %d", code)
	}
	if code := sub.code(t); code != 0 {
		t.Errorf("sub: exit code %d", code)
	}
	if got := strings.Split(strings.TrimSpace(sub.out.String()), "\n"); !slices.Equal(got, messages) {
		t.Errorf("sub printed %q", got)
	}
	if stored := strings.Count(pub.out.String(), "\n"); stored != len(messages) {
		t.Errorf("pub printed %d lines", stored)
	}
}

// A bridge ends sub's connections because of their age, and one stops and another begins in its place. sub prints every message once and in order,
// and has nothing to complain of while it is asked to come back.
func TestSubOutlastsAgeAndDrains(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	stored := connectJetStream(t, server.URL())
	messages, published := inOrder(60), 0
	publish := func(until int) {
		t.Helper()
		for ; published < until; published++ {
			if _, err := stored.Publish(t.Context(), "chat.a", []byte(messages[published])); err != nil {
				t.Fatal(err)
			}
		}
	}
	set := settings{
		"ANONYMOUS_SUBSCRIBE": "chat.>", "NATS_URL": server.URL(), "HISTORY": "chat.>", "HISTORY_MAX_BYTES": "16MiB", "DRAIN_WINDOW": "100ms",
		"HTTP_LISTEN": fmt.Sprintf("127.0.0.1:%d", bridgetest.FreePort(t)),
	} // the next bridge has the same
	aging := startNode(t, with(set, settings{"LIMIT_CONNECTION_AGE": "200ms"}))
	eventually(t, "the bridge is ready", aging.isReady)
	sub := begin(t, nil, "sub", "chat.a", "--since=all", "--raw", "--url="+aging.URL(), fmt.Sprint("--count=", len(messages)))
	for old := range uint64(length(2, 5)) {
		publish(published + 3)
		eventually(t, "a connection is too old", func() bool { return aging.Live.Stats().Connections.Ended["age"] > old })
	}
	publish(20)
	sub.lines(t, published)
	if said := sub.err.String(); said != "" {
		t.Errorf("over the age of connections, it says %q", said)
	}
	aging.stop(t)
	publish(30)
	n := startNode(t, set)
	sub.lines(t, published)
	n.stop(t)
	if ended := n.Live.Stats().Connections.Ended; ended["drain"] != 1 {
		t.Errorf("connections ended because of %v", ended)
	}
	publish(40)
	startNode(t, set)
	publish(len(messages))
	if code := sub.code(t); code != 0 {
		t.Errorf("exit code %d: %s", code, sub.err.String())
	}
	if got := strings.Split(strings.TrimSpace(sub.out.String()), "\n"); !slices.Equal(got, messages) {
		t.Errorf("it printed %q", got)
	}
}

// sub continues with the token that is in its file by then. Without a new one the end is final.
func TestSubRenewsItsToken(t *testing.T) {
	t.Parallel()
	n := startNode(t, signedIn(settings{"HISTORY": "chat.>"}))
	eventually(t, "tokens can be checked", n.isReady)
	forever := newToken(t, "--sub=ada", "--allow-sub=chat.>", "--allow-pub=chat.>")
	publish := func(text string) {
		if status, body := request(t, http.MethodPost, n.URL()+"/events/chat.a", forever, text); status != http.StatusCreated {
			t.Fatalf("%d %s", status, body)
		}
	}
	publish("one")
	// sub starts a command whose token lives until it has read, however slow the machine is.
	sub := func(name string) (c *command, file string) {
		dir := t.TempDir()
		for life := time.Duration(4); ; life *= 2 {
			file = writeFile(t, dir, name, signText(t, fmt.Sprintf(`{"sub":"ada","exp":%d,"nats":{"sub":{"allow":["chat.>"]}}}`, time.Now().Add(life*time.Second).Unix())))
			c = begin(t, nil, "sub", "chat.a", "--since=all", "--raw", "--url="+n.URL(), "--token-file="+file)
			eventually(t, "it reads or ends", func() bool {
				select {
				case <-c.ended:
					return true
				default:
					return c.out.String() != ""
				}
			})
			if c.out.String() != "" {
				return c, file
			}
		}
	}
	expired, _ := sub("expired")
	renewed, file := sub("renewed")
	writeFile(t, filepath.Dir(file), filepath.Base(file), forever)
	if code := expired.code(t); code != exitRefused || !strings.Contains(expired.err.String(), "401 Unauthorized: ") {
		t.Errorf("exit code %d", code)
	}
	eventually(t, "both first tokens have ended their connections", func() bool { return n.Live.Stats().Connections.Ended["auth"] >= 2 })
	publish("two")
	if got := strings.Join(renewed.lines(t, 2), ""); got != "one\ntwo\n" {
		t.Errorf("got %q", got)
	}
}

// sub says what it has missed, in words and as JSON.
func TestSubTellsGapsAndResets(t *testing.T) {
	t.Parallel()
	n := startNode(t, openToAll(settings{"HISTORY": "chat.>", "HISTORY_MAX_PER_SUBJECT": "2"}))
	var ids []string
	for _, text := range inOrder(5) {
		code, out, stderr := call(t, nil, "pub", "chat.a", text, "--json", "--url="+n.URL())
		if code != 0 {
			t.Fatalf("exit code %d: %s", code, stderr)
		}
		ids = append(ids, printed(t, out).ID)
	}
	for since, want := range map[string]struct {
		event    string
		messages []string
	}{
		ids[0]:      {"tailwater:gap", []string{"message 3", "message 4"}},
		"nobody-77": {"tailwater:reset", nil},
	} {
		code, out, stderr := call(t, nil, "sub", "chat.a", "--since="+since, "--json", "-T", "--url="+n.URL())
		lines := strings.Split(strings.TrimSpace(out), "\n")
		var got []string
		for _, line := range lines[1 : len(lines)-1] {
			got = append(got, printed(t, line).Data)
		}
		word := strings.TrimPrefix(want.event, "tailwater:")
		if first := printed(t, lines[0]); code != 0 || first.Event != want.event || first.ID == "" || !slices.Equal(got, want.messages) || !strings.Contains(stderr, word+": ") {
			t.Errorf("since %s: exit code %d, it prints %s%s", since, code, out, stderr)
		}
		if last := printed(t, lines[len(lines)-1]); last.Event != "tailwater:synced" {
			t.Errorf("it ends with %+v", last)
		}
	}
}

// Everything that ?since= accepts is a value of --since.
func TestSubStartsWhereItIsTold(t *testing.T) {
	t.Parallel()
	n := startNode(t, openToAll(settings{"HISTORY": "chat.>"}))
	var second string
	for i, text := range inOrder(4) {
		_, out, _ := call(t, nil, "pub", fmt.Sprint("chat.", i%2), text, "--json", "--url="+n.URL())
		if i == 1 {
			second = printed(t, out).ID
		}
	}
	for since, want := range map[string]string{
		"all": "message 0\nmessage 1\nmessage 2\nmessage 3\n",
		"1h":  "message 0\nmessage 1\nmessage 2\nmessage 3\n",
		time.Now().Add(-time.Hour).Format(time.RFC3339): "message 0\nmessage 1\nmessage 2\nmessage 3\n",
		time.Now().Add(time.Hour).Format(time.RFC3339):  "",
		"last": "message 2\nmessage 3\n",
		second: "message 2\nmessage 3\n",
	} {
		code, out, stderr := call(t, nil, "sub", "chat.0", "chat.1", "--since="+since, "-rT", "--url="+n.URL())
		if code != 0 || out != want {
			t.Errorf("since %s: exit code %d, got %q, want %q\n%s", since, code, out, want, stderr)
		}
	}
}
