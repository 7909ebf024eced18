package source_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// Changes of a stream in use are logged, in the same way as its readers are told.
func TestChangesOfStreamsAreLogged(t *testing.T) {
	t.Parallel()
	process := bridgetest.StartNATSServer(t)
	js := manager(t, to(process.URL()))
	config := func(name string, subjects ...string) jetstream.StreamConfig {
		return jetstream.StreamConfig{Name: name, Subjects: subjects, MaxMsgs: 10, AllowDirect: true, Storage: jetstream.MemoryStorage}
	}
	createStream(t, js, config("WIDE", "chat.>", "log.>"))
	createStream(t, js, config("UNREAD", "unread.>"))
	log, lines := warnings()
	b := newFixture(t, to(process.URL()), log)
	wantLine := func(wants ...string) {
		t.Helper()
		line := ""
		for !strings.Contains(line, wants[0]) { // a tap may also log that it cannot read
			if line = receive(t, lines, strings.Join(wants, " ")); strings.Contains(line, "UNREAD") {
				t.Errorf("logged %q of a stream that nobody reads", line)
			}
		}
		for _, want := range wants {
			if !strings.Contains(line, want) {
				t.Errorf("logged %q, want %q", line, want)
			}
		}
	}
	b.read(t, "chat.a").wantOpen()
	deleteStream(t, js, "UNREAD")
	updateStream(t, js, config("WIDE", "chat.>"))
	wantLine("no longer holds some", "WIDE", "log.>")
	deleteStream(t, js, "WIDE")
	createStream(t, js, config("WIDE", "chat.>"))
	wantLine("and made again; its readers", "WIDE")
	deleteStream(t, js, "WIDE")
	wantLine("a stream was deleted; its readers", "WIDE", "chat.>")
}

// lines passes on what is written, line by line.
type lines chan string

func (l lines) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}

// awaitLine waits for a line that contains all these words, and returns it.
func awaitLine(t testing.TB, lines <-chan string, words ...string) string {
	t.Helper()
	for {
		line := receive(t, lines, "the log to say "+strings.Join(words, " "))
		if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(line, word) }) {
			return line
		}
	}
}

func (l lines) log() *slog.Logger { return slog.New(secrets.Log(slog.NewTextHandler(l, nil))) }

// If JetStream disappears from the account, that is logged as an error; if there never was any, it is not.
func TestLossOfJetStreamIsAnError(t *testing.T) {
	t.Parallel() // it mostly waits
	text := func(jetStream string) string {
		return fmt.Sprintf("jetstream: {}\nno_auth_user: a\naccounts { A { jetstream: %s, users: [ { user: a, password: swordfish } ] } }", jetStream)
	}
	conf := configFile(t, text("enabled"))
	process := bridgetest.StartNATSServer(t, "-c", conf)
	createStream(t, manager(t, to(process.URL())), jetstream.StreamConfig{Name: "CHAT", Subjects: []string{"chat.>"}, MaxMsgs: 10})
	had := make(lines, 1<<10)
	newFixture(t, to(process.URL()), had.log()).read(t, "chat.a").wantOpen()
	writeFile(t, conf, text("disabled"))
	process.Reload(t)
	awaitLine(t, had, "level=ERROR", "there is no JetStream on this NATS server, or not for this account")
	never := make(lines, 1<<10)
	newFixture(t, to(process.URL()), never.log()).read(t, "chat.a").wantOpen()
	awaitLine(t, never, "level=INFO", "there is no JetStream")
}

// The restoration of a stream from a backup is logged, in the same way as its readers are told.
func TestRolledBackStreamIsLogged(t *testing.T) {
	t.Parallel()
	process := bridgetest.StartNATSServer(t)
	js := manager(t, to(process.URL()))
	createStream(t, js, jetstream.StreamConfig{Name: "CHAT", Subjects: []string{"chat.>"}, MaxMsgs: 10})
	store(t, js, "chat.a", "0")
	process.Kill()
	copied := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(copied, os.DirFS(process.Dir())); err != nil {
		t.Fatal(err)
	}
	process.Start(t)
	said := make(lines, 1<<10)
	c := newFixture(t, to(process.URL()), said.log()).read(t, "chat.a").wantOpen()
	js = manager(t, to(process.URL()))
	store(t, js, "chat.a", "1", "2")
	c.wantData("1", "2")
	process.Kill()
	if err := os.RemoveAll(process.Dir()); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(process.Dir(), os.DirFS(copied)); err != nil {
		t.Fatal(err)
	}
	process.Start(t)
	awaitLine(t, said, "level=WARN", "a stream was restored from a backup", "CHAT")
}
