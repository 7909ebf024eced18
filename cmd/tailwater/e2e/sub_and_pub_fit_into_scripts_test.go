package e2e

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// Payloads arrive byte by byte: those that are no text, and those of a mebibyte.
func TestSubPrintsExactBytes(t *testing.T) {
	t.Parallel()
	n := startNode(t, openToAll(settings{"HISTORY": "chat.>", "LIMIT_BODY": "1MiB"}))
	conn := publisher(t, n.NATSURL())
	big := make([]byte, 1<<20)
	_, _ = rand.Read(big)
	for name, payload := range map[string][]byte{
		"nothing":        {},
		"text":           []byte("zwei\r\nZeilen\n"),
		"no text":        []byte("\x00\xff\xfe\r\r\n\x1b[31m"),
		"a mebibyte":     big,
		"much to escape": bytes.Repeat([]byte{1}, 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			subject := "chat." + strings.ReplaceAll(name, " ", "")
			noError(t, conn.Publish(subject, payload))
			for flag, want := range map[string]string{"--bytes": string(payload), "--raw": string(payload) + "\n"} {
				if code, out, stderr := call(t, nil, "sub", subject, "--since=all", "--count=1", flag, "--url="+n.URL()); code != 0 || out != want {
					t.Errorf("%s: exit code %d, %d bytes instead of %d: %.100q\n%s", flag, code, len(out), len(want), out, stderr)
				}
			}
		})
	}
	// And by way of pub, which reads standard input.
	most := big[:1<<20-1024] // NATS counts the header with the key, too
	pub := begin(t, bytes.NewReader(most), "pub", "chat.pub", "-", "--url="+n.URL())
	if code := pub.code(t); code != 0 || !strings.Contains(pub.out.String(), fmt.Sprintf("Stored %d bytes on %q: stream TAILWATER, ", len(most), "chat.pub")) {
		t.Errorf("pub: exit code %d, %s", code, pub.out.String())
	}
	if _, out, _ := call(t, nil, "sub", "chat.pub", "--since=all", "--count=1", "--bytes", "--url="+n.URL()); out != string(most) {
		t.Errorf("pub's bytes have changed: %d of %d", len(out), len(most))
	}
}

// What is printed for people has subject and headers, and nothing that commands their terminal.
func TestSubPrintsForPeople(t *testing.T) {
	t.Parallel()
	n := startNode(t, openToAll(settings{"HISTORY": "chat.>"}))
	if code, _, stderr := call(t, nil, "pub", "chat.a", "red: \x1b[31m \u202e\x7f ü 日本\nnext", "--event=note", "--url="+n.URL()); code != 0 {
		t.Fatal(stderr)
	}
	_, out, _ := call(t, nil, "sub", "chat.a", "--since=all", "--count=1", "--url="+n.URL())
	if want := "Tailwater-Event: note\n\nred: \\x1b[31m \\u202e\\x7f ü 日本\nnext\n\n"; !strings.HasPrefix(out, `[#1] Received on "chat.a", stored 2`) || !strings.HasSuffix(out, "\n"+want) {
		t.Errorf("got %q, want %q", out, want)
	}
}

// A key names a message, and each line of the input has its own.
func TestPubRepeatsNothing(t *testing.T) {
	t.Parallel()
	n := startNode(t, openToAll(settings{"HISTORY": "chat.>"}))
	for i, input := range []string{"one\ntwo", "one\ntwo\nthree\n"} {
		pub := begin(t, strings.NewReader(input), "pub", "chat.a", "--send-on=newline", "--idempotency-key=import", "--json", "--url="+n.URL())
		if code := pub.code(t); code != 0 || strings.Count(pub.out.String(), `"duplicate":true`) != 2*i {
			t.Errorf("exit code %d, and %s", code, pub.out.String())
		}
	}
	if code, out, _ := call(t, nil, "pub", "chat.a", "same", "--count=2", "--url="+n.URL()); code != 0 || strings.Contains(out, "before") {
		t.Errorf("--count: exit code %d, and %s", code, out)
	}
	if _, out, _ := call(t, nil, "sub", "chat.a", "--since=all", "-rT", "--url="+n.URL()); out != "one\ntwo\nthree\nsame\nsame\n" {
		t.Errorf("stored are %q", out)
	}
}

// Exit codes say whether asking again can help.
func TestExitCodesOfSubAndPub(t *testing.T) {
	t.Parallel()
	n := startNode(t, openToAll(settings{"HISTORY": "chat.>", "LIMIT_BODY": "1KiB"}))
	nobody := fmt.Sprintf("--url=http://127.0.0.1:%d", bridgetest.FreePort(t))
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	defer proxy.Close()
	missing := "/nowhere/at/all"
	for _, test := range []struct {
		args string
		code int
		says string
	}{
		{"sub internal.a --url=" + n.URL(), exitRefused, "403 Forbidden: "},
		{"sub chat..a --url=" + n.URL(), exitRefused, "400 Bad Request: "},
		{"sub chat.a --since=soon --url=" + n.URL(), exitRefused, "since=soon"},
		{"sub /nothing --url=" + n.URL(), exitRefused, "404 Not Found: "},
		{"pub internal.a x --url=" + n.URL(), exitRefused, "403 Forbidden: "},
		{"pub chat.a " + strings.Repeat("x", 2000) + " --url=" + n.URL(), exitRefused, "TAILWATER_LIMIT_BODY"},
		{"pub chat.a x --event=tailwater:open --url=" + n.URL(), exitRefused, "400 Bad Request: "},
		{"sub chat.a --timeout=1ms " + nobody, exitAway, "connection refused"},
		{"pub chat.a x --timeout=1ms " + nobody, exitAway, "connection refused"},
		{"sub chat.a --timeout=1ms --url=" + proxy.URL, exitAway, "502"}, // the bridge behind it is away
		{"pub chat.a x --timeout=1ms --url=" + proxy.URL, exitAway, "502"},
		{"sub", exitUsage, "subject"},
		{"sub chat.a -T", exitUsage, "--since=all"},
		{"sub chat.a --raw --json", exitUsage, "--raw"},
		{"sub chat.a --url=events.example.com", exitUsage, "http://"},
		{"sub chat.a --header=nothing", exitUsage, "--header"},
		{"sub chat.a --token-file=" + missing, exitUsage, missing},
		{"sub chat.a --tlsca=" + missing, exitUsage, missing},
		{"pub chat.a x --count=0", exitUsage, "--count=0"},
		{"pub chat.a x --send-on=newline", exitUsage, "--send-on"},
	} {
		if code, _, stderr := call(t, nil, strings.Fields(test.args)...); code != test.code || !strings.Contains(stderr, test.says) {
			t.Errorf("%.60s: exit code %d, want %d; it does not say %q:\n%s", test.args, code, test.code, test.says, stderr)
		}
	}
}

// An interrupt is a clean end, unless something is missing. A pipe whose reader has left ends sub like any filter.
func TestSubEnds(t *testing.T) {
	t.Parallel()
	n := startNode(t, openToAll(settings{"HISTORY": "chat.>"}))
	if code, _, stderr := call(t, nil, "pub", "chat.a", "hello", "--count=3", "--url="+n.URL()); code != 0 {
		t.Fatal(stderr)
	}
	for count, want := range map[string]int{"0": 0, "5": exitFailure} {
		sub := begin(t, nil, "sub", "chat.a", "--since=all", "--raw", "--count="+count, "--url="+n.URL())
		sub.lines(t, 3)
		noError(t, sub.cmd.Process.Signal(os.Interrupt))
		if code := sub.code(t); code != want || want > 0 && !strings.Contains(sub.err.String(), "interrupted after 3 of 5 messages") {
			t.Errorf("--count=%s: exit code %d, want %d", count, code, want)
		}
	}
	path, err := bridgetest.Tailwater()
	noError(t, err)
	read, write, err := os.Pipe()
	noError(t, err)
	read.Close()
	defer write.Close()
	sub := exec.Command(path, "sub", "chat.a", "--since=all", "--raw", "--url="+n.URL())
	sub.Stdout = write
	if err := sub.Run(); err == nil || !strings.Contains(err.Error(), "broken pipe") {
		t.Errorf("without a reader: %v", err)
	}
}
