package source_test

import (
	"cmp"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/source"
	"github.com/tailwater/tailwater/embed"
)

// history is the stream of the default settings.
var history = source.History{
	Subjects: []bridge.Subject{"chat.>"}, Stream: "TAILWATER", MaxAge: 24 * time.Hour, MaxBytes: 1 << 20, MaxPerSubject: 100, Replicas: 1,
}

// managed is history of an embedded server.
func managed() source.History {
	h := history
	h.Manage = true
	return h
}

// keeping opens a table with a history, and waits until the stream was made or checked.
func keeping(t *testing.T, dial source.Dialer, keep source.History, log *slog.Logger) *source.Table {
	t.Helper()
	table := newFixture(t, dial, quiet).source.Table(t, keep, log)
	if _, err := table.Await(within(t, patience), "chat.a"); err != nil {
		t.Fatal(err)
	}
	return table
}

func infoOf(t *testing.T, js jetstream.JetStream, name string) *jetstream.StreamInfo {
	t.Helper()
	s, err := js.Stream(within(t, patience), name)
	if err != nil {
		t.Fatal(name, err)
	}
	return s.CachedInfo()
}

func configOf(t *testing.T, js jetstream.JetStream, name string) jetstream.StreamConfig {
	t.Helper()
	return infoOf(t, js, name).Config
}

// wantHistory checks that a stream is as the settings ask.
func wantHistory(t *testing.T, c jetstream.StreamConfig, h source.History) {
	t.Helper()
	if len(c.Subjects) != 1 || c.Subjects[0] != string(h.Subjects[0]) || c.MaxAge != h.MaxAge || c.MaxBytes != h.MaxBytes ||
		c.MaxMsgsPerSubject != h.MaxPerSubject || c.Replicas != 1 || !c.AllowDirect || c.Discard != jetstream.DiscardOld ||
		c.Retention != jetstream.LimitsPolicy || c.NoAck || c.Duplicates > c.MaxAge {
		t.Errorf("the stream is %+v", c)
	}
}

func TestHistoryIsMade(t *testing.T) {
	t.Parallel()
	for _, manage := range []bool{true, false} {
		t.Run(fmt.Sprint("manage ", manage), func(t *testing.T) {
			dial := embedded(t)
			keep := history
			keep.Manage = manage
			table := keeping(t, dial, keep, quiet)
			if got := table.Classify("chat.a"); got != "TAILWATER: chat.a" {
				t.Errorf("classified as %q", got)
			}
			c := configOf(t, manager(t, dial), "TAILWATER")
			wantHistory(t, c, keep)
			if c.Duplicates != 2*time.Minute || c.Storage != jetstream.FileStorage || c.AllowMsgTTL {
				t.Errorf("the stream is %+v", c)
			}
			again := keeping(t, dial, keep, quiet)
			if again.Epoch("TAILWATER") != table.Epoch("TAILWATER") {
				t.Error("the stream was made anew")
			}
		})
	}
}

// An embedded server's stream is changed to the settings; fields without a setting keep their values.
func TestHistoryIsUpdated(t *testing.T) {
	t.Parallel()
	dial := embedded(t)
	js := manager(t, dial)
	createStream(t, js, jetstream.StreamConfig{
		Name: "TAILWATER", Subjects: []string{"old.>"}, MaxMsgs: 77, Compression: jetstream.S2Compression, Description: "mine",
		Metadata: map[string]string{"a": "b"}, Discard: jetstream.DiscardNew, DiscardNewPerSubject: true, MaxMsgsPerSubject: 3, NoAck: true, Duplicates: time.Hour,
	})
	keep := managed()
	keep.MaxAge = time.Minute
	keeping(t, dial, keep, quiet)
	c := configOf(t, js, "TAILWATER")
	wantHistory(t, c, keep)
	if c.MaxMsgs != 77 || c.Compression != jetstream.S2Compression || c.Description != "mine" || c.Metadata["a"] != "b" {
		t.Errorf("fields were lost: %+v", c)
	}

	// Without subjects the stream is left as it is.
	keep.Subjects, keep.MaxAge = nil, time.Hour
	keeping(t, dial, keep, quiet)
	if got := configOf(t, js, "TAILWATER"); got.MaxAge != time.Minute || !slices.Equal(got.Subjects, c.Subjects) {
		t.Errorf("the stream was changed: %+v", got)
	}
}

// An update of the embedded server's stream loses no field, because nats.go knows every field of the server.
func TestNATSGoKnowsEveryFieldOfAStream(t *testing.T) {
	known := map[string]bool{
		"placement.preferred": true, // unknown to nats.go; the server reads it only in requests to move a leader, never in a stream
	}
	for _, name := range jsonFields(reflect.TypeFor[jetstream.StreamConfig](), "") {
		known[name] = true
	}
	for _, name := range jsonFields(reflect.TypeFor[server.StreamConfig](), "") {
		if !known[name] {
			t.Errorf("nats.go does not know %s: an update would lose it", name)
		}
	}
}

// jsonFields returns the JSON names of a type's fields, including nested ones.
func jsonFields(in reflect.Type, prefix string) (names []string) {
	for in.Kind() == reflect.Pointer || in.Kind() == reflect.Slice {
		in = in.Elem()
	}
	if in.Kind() != reflect.Struct || in == reflect.TypeFor[time.Time]() {
		return nil
	}
	for i := range in.NumField() {
		field := in.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if !field.IsExported() || name == "-" {
			continue
		}
		name = prefix + cmp.Or(name, field.Name)
		names = append(append(names, name), jsonFields(field.Type, name+".")...)
	}
	return names
}

// An external server's stream is never changed. The proposed command changes it.
func TestHistoryDiffers(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	dial := to(server.URL())
	js := manager(t, dial)
	before := jetstream.StreamConfig{
		Name: "TAILWATER", Subjects: []string{"old.>", "older"}, Discard: jetstream.DiscardNew, NoAck: true, Duplicates: 48 * time.Hour,
		Retention: jetstream.InterestPolicy,
	}
	createStream(t, js, before)
	log, warned := warnings()
	table := keeping(t, dial, history, log)
	if c := configOf(t, js, "TAILWATER"); c.Discard != before.Discard || !slices.Equal(c.Subjects, before.Subjects) || c.MaxAge != 0 {
		t.Errorf("the stream was changed: %+v", c)
	}
	if line := receive(t, warned, "a warning"); !strings.Contains(line, "not as the settings ask") || !strings.Contains(line, "nats stream edit TAILWATER") {
		t.Errorf("the log says %q", line)
	}
	holdings := explain(t, table, "chat.>")
	if len(holdings[0].Findings) != 1 {
		t.Fatalf("got %+v", holdings)
	}
	mend(t, server, holdings[0].Findings[0].Remedy)
	wantHistory(t, configOf(t, js, "TAILWATER"), history)
	eventually(t, "nothing differs any more", func() bool { return len(explain(t, table, "chat.>")[0].Findings) == 0 })
}

func explain(t *testing.T, table *source.Table, filters ...bridge.Subject) []source.Holding {
	t.Helper()
	holdings, err := table.Explain(within(t, patience), filters...)
	if err != nil {
		t.Fatal(err)
	}
	return holdings
}

// mend runs a proposed command, if the nats tool is installed.
func mend(t *testing.T, server *bridgetest.NATSServer, command string) {
	t.Helper()
	tool, err := exec.LookPath("nats")
	if err != nil && os.Getenv("CI") != "" {
		t.Fatal("there is no nats command; .ci/run installs it")
	}
	if err != nil {
		t.Skip("there is no nats command")
	}
	if !strings.HasPrefix(command, "nats ") {
		t.Fatalf("%q is no command", command)
	}
	script := fmt.Sprintf(`nats() { if [ "$1 $2" = "stream edit" ]; then shift 2; set -- stream edit -f "$@"; fi; %s --no-context -s %s "$@"; }
		%s`, tool, server.URL(), command)
	if out, err := exec.Command("sh", "-c", script).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
}

func TestHistoryConflicts(t *testing.T) {
	t.Parallel()
	for _, manage := range []bool{true, false} {
		for _, exists := range []bool{true, false} {
			t.Run(fmt.Sprint("manage ", manage, " exists ", exists), func(t *testing.T) {
				dial := embedded(t)
				js := manager(t, dial)
				createStream(t, js, jetstream.StreamConfig{Name: "CHAT", Subjects: []string{"chat.>"}, MaxMsgs: 5})
				if exists {
					createStream(t, js, jetstream.StreamConfig{Name: "TAILWATER", Subjects: []string{"old.>"}})
				}
				keep := history
				keep.Manage = manage
				keep.Subjects = []bridge.Subject{"chat.>", "news.>"}
				log, warned := warnings()
				table := keeping(t, dial, keep, log)
				line := receive(t, warned, "a warning")
				if manage || !exists {
					if !strings.Contains(line, "CHAT holds some of them") || !strings.Contains(line, "'news.>'") {
						t.Errorf("the log says %q", line)
					}
				}
				if got := table.Classify("chat.a", "news.a"); got != "CHAT: chat.a; none: news.a" {
					t.Errorf("classified as %q", got)
				}
				if findings := explain(t, table, "news.a")[0].Findings; len(findings) != 1 {
					t.Errorf("got %+v", findings)
				}
			})
		}
	}
}

// If a server cannot provide something, the log names the setting, and nothing waits.
func TestHistoryTooLarge(t *testing.T) {
	t.Parallel()
	for setting, change := range map[string]func(*source.History){
		"TAILWATER_HISTORY_MAX_BYTES": func(h *source.History) { h.MaxBytes = 1 << 60 },
		"TAILWATER_HISTORY_REPLICAS":  func(h *source.History) { h.Replicas = 3 },
	} {
		keep := history
		change(&keep)
		log, warned := warnings()
		table := keeping(t, embedded(t), keep, log)
		if line := receive(t, warned, "a warning"); !strings.Contains(line, setting) {
			t.Errorf("the log says %q", line)
		}
		if got := table.Classify("chat.a"); got != "none: chat.a" {
			t.Errorf("classified as %q", got)
		}
	}
}

// The storage cannot be changed; all other differences are repaired.
func TestHistoryStorage(t *testing.T) {
	t.Parallel()
	dial := embedded(t)
	js := manager(t, dial)
	createStream(t, js, jetstream.StreamConfig{Name: "TAILWATER", Subjects: []string{"chat.>"}, Storage: jetstream.MemoryStorage})
	log, warned := warnings()
	keeping(t, dial, managed(), log)
	if line := receive(t, warned, "a warning"); !strings.Contains(line, "TAILWATER_HISTORY_STORAGE=memory") {
		t.Errorf("the log says %q", line)
	}
	wantHistory(t, configOf(t, js, "TAILWATER"), managed())
}

// Settings that can be applied only on the next connection are applied then.
func TestHistoryAfterReconnect(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	b := newFixture(t, to(server.URL()), quiet)
	table := b.source.Table(t, managed(), quiet)
	if _, err := table.Await(within(t, patience), "chat.a"); err != nil {
		t.Fatal(err)
	}
	deleteStream(t, manager(t, to(server.URL())), "TAILWATER")
	eventually(t, "the stream is gone", func() bool { return table.Classify("chat.a") == "none: chat.a" })
	server.Kill()
	b.awaitStatus(t, nats.RECONNECTING)
	server.Start(t)
	eventually(t, "it is there again", func() bool { return table.Classify("chat.a") == "TAILWATER: chat.a" })
}

// If there is little room, an existing stream keeps its size, and grows when there is more.
func TestHistoryIsNotShrunk(t *testing.T) {
	dir, conf := t.TempDir(), filepath.Join(t.TempDir(), "nats.conf")
	keep := managed()
	keep.MaxBytes, keep.Shrinks = 1<<30, true
	for _, step := range []struct {
		most   string
		change func()
		want   int64
		says   string
	}{
		{"100MB", func() {}, 64 << 20, "at most 64 MiB"},
		{"300MB", func() {}, 256 << 20, "at most 256 MiB"},
		{"100MB", func() { keep.MaxAge = time.Hour }, 256 << 20, "cannot be as the settings ask"},
		{"2GB", func() {}, 1 << 30, ""},
		{"2GB", func() { keep.MaxBytes, keep.Shrinks = 100<<20, false }, 100 << 20, ""},
		{"120MB", func() { keep.MaxBytes, keep.Shrinks, keep.MaxAge = 1<<30, true, 2*time.Hour }, 100 << 20, "at most 100 MiB"},
	} {
		step.change()
		if err := os.WriteFile(conf, []byte("jetstream { max_file_store: "+step.most+" }"), 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := embed.ReadFile(conf)
		if err != nil {
			t.Fatal(err)
		}
		server, err := embed.Start(embed.Config{File: file, Dir: embed.Setting[string]{Value: dir}}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		s, err := source.Open(server.Dial, source.Config{History: keep}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.AwaitHistory(within(t, patience)); err != nil {
			t.Error(err)
		}
		if problem, _ := s.HistoryProblem(); !strings.Contains(problem, step.says) || (problem == "") != (step.says == "") {
			t.Errorf("with %s: %q", step.most, problem)
		}
		conn := publisher(t, server.Dial)
		js, err := jetstream.New(conn)
		if err != nil {
			t.Fatal(err)
		}
		if got := configOf(t, js, keep.Stream).MaxBytes; got != step.want {
			t.Errorf("with %s the stream keeps %d bytes, want %d", step.most, got, step.want)
		}
		conn.Close()
		s.Close()
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	}
}
