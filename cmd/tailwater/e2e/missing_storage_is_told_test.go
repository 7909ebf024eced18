package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// Where the embedded JetStream has no room for what somebody has asked for, nothing starts, and check says why. Where nobody
// has, the stream is as large as there is room, and the log and check say how large.
func TestMissingStorage(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		file    string // of nats-server
		set     settings
		refused []string // what the error names; nil where the start goes on
		said    string   // of a stream that is smaller
		stored  int      // what POST answers
	}{
		{name: "enough", file: "jetstream { max_file_store: 2GB }", stored: http.StatusCreated},
		{name: "little", file: "jetstream { max_file_store: 200MB }", said: "keeps at most 128 MiB", stored: http.StatusCreated},
		{name: "little memory", file: "jetstream { max_memory_store: 200MB }", set: settings{"HISTORY_STORAGE": "memory"}, said: "keeps at most 128 MiB", stored: http.StatusCreated},
		{
			name: "an account's limit", file: "accounts { A { jetstream { max_file: 100MB, max_mem: 0 }, users: [ { user: a, password: s3cret } ] } }\nno_auth_user: a",
			said: "keeps at most 64 MiB", stored: http.StatusCreated,
		},
		{name: "none", file: "jetstream { max_file_store: 8MB }", refused: []string{"TAILWATER_HISTORY_MAX_BYTES", "TAILWATER_EMBED_DIR", "disk"}},
		{
			name: "little for what was asked", file: "jetstream { max_file_store: 200MB }", set: settings{"HISTORY_MAX_BYTES": "1GiB"},
			refused: []string{"TAILWATER_HISTORY_MAX_BYTES", "TAILWATER_EMBED_DIR", "disk"},
		},
		{name: "as much as was asked", file: "jetstream { max_file_store: 200MB }", set: settings{"HISTORY_MAX_BYTES": "150MB", "ANSWERS_MAX_BYTES": "20MB"}, stored: http.StatusCreated},
		{
			name: "no JetStream for the account", file: "accounts { A { users: [ { user: a, password: s3cret } ] } }\nno_auth_user: a",
			refused: []string{"JetStream", "TAILWATER_EMBED_CONFIG", "TAILWATER_HISTORY"},
		},
		{
			name: "no JetStream, and nothing to keep", file: "accounts { A { users: [ { user: a, password: s3cret } ] } }\nno_auth_user: a",
			set: settings{"HISTORY": ""}, stored: http.StatusAccepted,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			s := settings{"EMBED_CONFIG": writeFile(t, dir, "nats.conf", test.file), "EMBED_DIR": filepath.Join(dir, "data"), "EMBED_LISTEN": ""}
			for name, value := range test.set {
				s[name] = value
			}
			code, out, stderr := call(t, s, "check")
			if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
				t.Errorf("check leaves %v, %v", left, err)
			}
			if test.refused != nil {
				wantAll(t, fmt.Sprint("check, exit code ", code), stderr, append(test.refused, "")...)
				if code != exitFailure {
					t.Errorf("exit code %d of check:\n%s%s", code, out, stderr)
				}
				opened, err := openNode(t, s)
				if err == nil {
					endsWith(t, opened)
					t.Fatal("it has started")
				}
				wantAll(t, "the error", err.Error(), test.refused...)
				return
			}
			wantAll(t, "check", out, test.said)
			if code != 0 || test.said == "" && strings.Contains(out, "fix: ") {
				t.Errorf("exit code %d of check:\n%s%s", code, out, stderr)
			}
			log := new(bridgetest.Output)
			n := startLogged(t, s, log)
			if status, body := post(t, n.URL()+"/events/chat.a", "kept"); status != test.stored {
				t.Errorf("POST answers %d %s", status, body)
			}
			wantAll(t, "the log", log.String(), test.said)
			_, ready := get(t, n.AdminURL()+"/readyz")
			wantAll(t, "/readyz", ready, "ready", test.said)
			n.stop(t)
			if test.set["HISTORY_STORAGE"] == "memory" {
				return
			}
			// What is there needs no room any more.
			if code, out, stderr := call(t, s, "check"); code != 0 || strings.Contains(out, "fix: ") {
				t.Errorf("exit code %d of check on a folder that is in use:\n%s%s", code, out, stderr)
			}
		})
	}
}

// Where the embedded JetStream refuses another stream, answers stay in the first, which is said; they are kept, and so is everything else.
// Where somebody has asked how much is kept of answers, nothing starts, and the error says what to do.
func TestAnswersWithoutAStreamOfTheirOwn(t *testing.T) {
	t.Parallel()
	account := func(limits, permissions string) string {
		return fmt.Sprintf("no_auth_user: a\naccounts { A { jetstream { max_mem: 0, max_file: 2GB, %s }, users: [ { user: a, password: s3cret, permissions: { %s } } ] } }", limits, permissions)
	}
	for _, test := range []struct{ name, file, remedy string }{
		{"few streams", account("max_streams: 1", ""), "max_streams"},
		{"little room", account("max_file: 20MB", ""), "TAILWATER_ANSWERS_MAX_BYTES"},
		{"no permission", account("", `publish: { deny: ["$JS.API.STREAM.CREATE.TAILWATER_ANSWERS"] }`), "$JS.API.STREAM.CREATE.TAILWATER_ANSWERS"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := questions(settings{
				"EMBED_CONFIG": writeFile(t, dir, "nats.conf", test.file), "EMBED_DIR": filepath.Join(dir, "data"),
			})
			var path string
			for _, isAgain := range []bool{false, true} {
				log := new(bridgetest.Output)
				n := startLogged(t, s, log)
				if !isAgain {
					work(t, n.NATSURL(), "llm.a", replies("a", ""))
					asker := follow(t, askWith(t, "POST", n.URL()+"/ask/a", "q", asStream))
					if got := asker.rest(); !slices.Equal(got, []string{"message a", runEnd}) {
						t.Errorf("the asker got %q", got)
					}
					path = asker.path
				}
				if got := follow(t, askWith(t, "GET", n.URL()+path, "")).rest(); !slices.Equal(got, []string{"message a", runEnd}) {
					t.Errorf("after another start %t: the answer is %q", isAgain, got)
				}
				if status, body := post(t, n.URL()+"/events/chat.a", "kept"); status != http.StatusCreated {
					t.Errorf("POST answers %d %s", status, body)
				}
				_, ready := get(t, n.AdminURL()+"/readyz")
				wantAll(t, "/readyz", ready, "ready; NATS is connected; ")
				wantAll(t, "the log", log.String(), "the stream TAILWATER keeps its subjects, too", test.remedy)
				if strings.Contains(test.file, "max_streams") { // the one stream is not the bucket of members
					eventually(t, "members are listed without a bucket", func() bool { return strings.Contains(log.String(), "lists who is here by itself") })
				}
				n.stop(t)
			}
			opened, err := openNode(t, with(s, settings{"ANSWERS_MAX_BYTES": "64MiB"}))
			if err == nil {
				endsWith(t, opened)
				t.Fatal("it has started with answers that cannot be kept as was asked")
			}
			wantAll(t, "the error", err.Error(), test.remedy)
		})
	}
}

// With a NATS server of one's own the start goes on, and /readyz says that nothing is kept, and why.
func TestHistoryThatCannotBeKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := writeFile(t, dir, "nats.conf", `
		jetstream { max_file_store: 1GB }
		accounts {
			NONE { users: [ { user: none, password: s3cret } ] }
			LITTLE { jetstream { max_file: 100MB, max_mem: 0 }, users: [ { user: little, password: s3cret } ] }
			OTHER { jetstream { max_file: 100MB, max_mem: 0 }, users: [ { user: other, password: s3cret } ] }
		}`)
	server := bridgetest.StartNATSServer(t, "-c", config)
	url := func(user string) string { return fmt.Sprintf("nats://%s:s3cret@127.0.0.1:%d", user, server.Port) }
	_, err := connectJetStream(t, url("other")).CreateStream(t.Context(), jetstream.StreamConfig{Name: "MINE", Subjects: []string{"chat.a"}, MaxBytes: 1 << 20})
	noError(t, err)
	for _, test := range []struct {
		name, user string
		set        settings
		said       string
		checkFails bool
	}{
		{"no JetStream", "none", nil, "there is no JetStream", true},
		{"too large", "little", settings{"HISTORY_MAX_BYTES": "200MB"}, "insufficient storage resources", false},
		{"no memory", "little", settings{"HISTORY_MAX_BYTES": "50MB", "HISTORY_STORAGE": "memory"}, "insufficient memory resources", false},
		{"too many replicas", "little", settings{"HISTORY_MAX_BYTES": "20MB", "HISTORY_REPLICAS": "3"}, "replicas", false},
		{"another stream", "other", settings{"HISTORY_MAX_BYTES": "20MB"}, "MINE holds some of them", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := settings{"NATS_URL": url(test.user), "HISTORY": "chat.>", "ANONYMOUS_SUBSCRIBE": "chat.>", "ANONYMOUS_PUBLISH": "chat.>"}
			for name, value := range test.set {
				s[name] = value
			}
			n := startNode(t, s)
			eventually(t, "/readyz says so", func() bool {
				status, body := get(t, n.AdminURL()+"/readyz")
				return status == http.StatusOK && strings.Contains(body, test.said)
			})
			code, out, stderr := call(t, s, "check")
			if (code != 0) != test.checkFails || test.checkFails && !strings.Contains(stderr, test.said) || test.user == "other" && !strings.Contains(out, test.said) {
				t.Errorf("exit code %d of check:\n%s%s", code, out, stderr)
			}
		})
	}
}

// Where somebody deletes the stream of Tailwater's own, /readyz says that nothing is kept, unless another stream keeps it.
func TestDeletedHistoryIsTold(t *testing.T) {
	t.Parallel()
	n := startNode(t, nil)
	ready := func() string {
		_, text := get(t, n.AdminURL()+"/readyz")
		return text
	}
	if text := ready(); strings.Contains(text, "deleted") {
		t.Errorf("at first /readyz says %s", text)
	}
	js := connectJetStream(t, n.NATSURL())
	noError(t, js.DeleteStream(t.Context(), "TAILWATER"))
	eventually(t, "/readyz says that nothing is kept", func() bool { return strings.Contains(ready(), "the stream TAILWATER was deleted") })
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "MINE", Subjects: []string{"chat.>"}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "/readyz says nothing more of it", func() bool { return !strings.Contains(ready(), "deleted") })
	if status, body := post(t, n.URL()+"/events/chat.a", "kept"); status != http.StatusCreated {
		t.Errorf("POST answers %d %s", status, body)
	}
}
