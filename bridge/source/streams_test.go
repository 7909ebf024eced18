package source_test

import (
	"cmp"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/source"
)

// tabled is a table with a JetStream client.
type tabled struct {
	*fixture
	*source.Table
	js jetstream.JetStream
}

func newTabled(t *testing.T, dial source.Dialer) *tabled {
	t.Helper()
	b := newFixture(t, dial, quiet)
	return &tabled{b, b.source.Table(t, source.History{}, quiet), manager(t, dial)}
}

func (b *tabled) create(t *testing.T, config jetstream.StreamConfig) {
	t.Helper()
	config.Storage = jetstream.MemoryStorage
	createStream(t, b.js, config)
}

// awaitClass waits until the table returns that classification.
func (b *tabled) awaitClass(t *testing.T, want string, subjects ...bridge.Subject) {
	t.Helper()
	eventually(t, fmt.Sprint(subjects, " is in ", want), func() bool { return b.Classify(subjects...) == want })
}

func TestClassify(t *testing.T) {
	t.Parallel()
	b := newTabled(t, embedded(t))
	configs := []jetstream.StreamConfig{
		{Name: "CHAT", Subjects: []string{"chat.>"}},
		{Name: "TWO", Subjects: []string{"two.a.*", "two.b", `odd."q".*`}},
		{Name: "KV_users", Subjects: []string{"$KV.users.>"}, MaxMsgsPerSubject: 1},
		{Name: "WORK", Subjects: []string{"work.>"}, Retention: jetstream.WorkQueuePolicy},
		{Name: "INTEREST", Subjects: []string{"interest.>"}, Retention: jetstream.InterestPolicy},
		{Name: "NOACK", Subjects: []string{"noack.>"}, NoAck: true},
		{Name: "MOVED", Subjects: []string{"moved.>"}, SubjectTransform: &jetstream.SubjectTransformConfig{Source: "moved.>", Destination: "to.>"}},
		{Name: "MIRROR", Mirror: &jetstream.StreamSource{Name: "CHAT"}},
		{Name: "GATHERED", Subjects: []string{"gathered.>"}, Sources: []*jetstream.StreamSource{{Name: "TWO"}}},
		{Name: "SILENT_SOURCES", Sources: []*jetstream.StreamSource{{Name: "TWO"}}},
		{Name: "AGAIN", Subjects: []string{"again.>"}, RePublish: &jetstream.RePublish{Source: "again.>", Destination: "echo.>"}},
	}
	for _, config := range configs {
		b.create(t, config)
	}
	for _, config := range configs {
		eventually(t, "the table knows "+config.Name, func() bool { return b.Epoch(config.Name) != "" })
	}

	for _, test := range []struct {
		subject     bridge.Subject
		stream, why string // for a feed; why there is none
		holds       string // for a message; "" for the same
	}{
		{"chat.room1", "CHAT", "", ""},
		{"chat.*", "CHAT", "", ""},
		{"chat.>", "CHAT", "", ""},
		{"chat.*.x", "CHAT", "", ""},
		{"chat", "none", "no stream holds it", ""},
		{"chatter.a", "none", "no stream holds it", ""},
		{"two.a.x", "TWO", "", ""},
		{"two.b", "TWO", "", ""},
		{"two.*", "none", "TWO holds a part", ""},
		{"two.>", "none", "TWO holds a part", ""},
		{"two.a.*", "TWO", "", ""},
		{"two.a.>", "none", "TWO holds a part", ""},
		{"two.b.c", "none", "no stream holds it", ""},
		{`odd."q".1`, "TWO", "", ""},
		{"$KV.users.ann", "KV_users", "", ""},
		{"$KV.users.>", "KV_users", "", ""},
		{"$KV.other.ann", "none", "no stream holds it", ""},
		{"work.a", "none", "WORK is a work queue", "WORK"},
		{"interest.a", "none", "INTEREST keeps messages only until", "INTEREST"},
		{"noack.a", "none", "NOACK does not acknowledge", "none"},
		{"moved.a", "none", "MOVED stores messages under other subjects", "MOVED"},
		{"to.a", "none", "no stream holds it", ""},
		{"gathered.a", "GATHERED", "", ""},
		{"again.a", "AGAIN", "", ""},
		{"echo.a", "none", "no stream holds it", ""},
		{"*.b", "none", "CHAT, GATHERED, INTEREST", ""},
		{">", "none", "hold parts of it; none holds all", ""},
	} {
		want := fmt.Sprintf("%s: %s", test.stream, test.subject)
		if got := b.Classify(test.subject); got != want {
			t.Errorf("classified as %q, want %q", got, want)
		}
		if why := b.Reason(test.subject); !strings.Contains(why, test.why) || (why == "") != (test.why == "") {
			t.Errorf("%s: the reason is %q, want %q", test.subject, why, test.why)
		}
		if test.subject.Wild() {
			continue
		}
		holds, err := b.Holding(within(t, patience), test.subject)
		if want := cmp.Or(test.holds, test.stream); err != nil || holds != want {
			t.Errorf("%s: held by %s, %v, want %s", test.subject, holds, err, want)
		}
	}
	if got, want := b.Classify("work.a", "chat.b", "two.b", "chat.a", "x.y"), "CHAT: chat.b chat.a; TWO: two.b; none: work.a x.y"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A connection follows a limited number of streams, the same on every bridge. The bucket of members is the first to be left out.
func TestManyStreams(t *testing.T) {
	t.Parallel()
	const n = 40
	b := newTabled(t, embedded(t))
	var subjects []bridge.Subject
	for i := range n {
		b.create(t, jetstream.StreamConfig{Name: fmt.Sprintf("S%02d", i), Subjects: []string{fmt.Sprintf("s%02d.>", i)}})
		subjects = append(subjects, bridge.Subject(fmt.Sprintf("s%02d.x", n-1-i)))
	}
	for i := range n {
		b.awaitClass(t, fmt.Sprintf("S%02d: s%02d.x", i, i), bridge.Subject(fmt.Sprintf("s%02d.x", i)))
	}
	const members = bridge.Subject("$KV." + bridge.PresenceBucket + ".x")
	b.create(t, jetstream.StreamConfig{Name: presenceStream, Subjects: []string{string(members)}})
	b.awaitClass(t, presenceStream+": "+string(members), members)
	want := ""
	for i := range bridge.MaxLogs - 1 {
		want += fmt.Sprintf("S%02d: s%02d.x; ", i, i)
	}
	if got := b.Classify(append(subjects, members)...); !strings.HasPrefix(got, want+"none: "+string(members)+" s07.x s08.x") {
		t.Errorf("got %q, want %q and the rest as none", got, want)
	}
	want += "S07: s07.x"
	if got := b.Classify(subjects[n-bridge.MaxLogs:]...); got != want {
		t.Errorf("of as many as an id has room for, got %q, want %q", got, want)
	}
	if got := b.Classify(append(subjects[n-bridge.MaxLogs:], "unstored")...); !strings.HasSuffix(got, "none: s07.x unstored") {
		t.Errorf("got %q, want one part for what is beyond and what is not stored", got)
	}

	// Another table learns of them from the list rather than from advisories.
	late := &tabled{b.fixture, b.source.Table(t, source.History{}, quiet), b.js}
	if got, err := late.Await(within(t, patience), "s39.x"); err != nil || got != "S39: s39.x" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestStreamsComeAndGo(t *testing.T) {
	t.Parallel() // it mostly waits
	everywhere(t, func(t *testing.T, dial source.Dialer) {
		b := newTabled(t, dial)
		b.awaitClass(t, "none: chat.a", "chat.a")
		b.create(t, jetstream.StreamConfig{Name: "CHAT", Subjects: []string{"chat.*"}})
		b.awaitClass(t, "CHAT: chat.a", "chat.a")
		receive(t, b.Changes, "the table to tell")

		before := b.Epoch("CHAT")
		deleteStream(t, b.js, "CHAT")
		b.create(t, jetstream.StreamConfig{Name: "CHAT", Subjects: []string{"chat.*"}})
		eventually(t, "the epoch is new", func() bool { e := b.Epoch("CHAT"); return e != "" && e != before })

		b.awaitClass(t, "none: chat.a.b", "chat.a.b")
		updateStream(t, b.js, jetstream.StreamConfig{Name: "CHAT", Storage: jetstream.MemoryStorage, Subjects: []string{"chat.>"}})
		b.awaitClass(t, "CHAT: chat.a.b", "chat.a.b")

		deleteStream(t, b.js, "CHAT")
		b.awaitClass(t, "none: chat.a", "chat.a")
	})
}

// Changes of streams during a disconnection are seen on the next connection; until then nothing is known.
func TestStreamsAfterReconnect(t *testing.T) {
	t.Parallel()
	process := bridgetest.StartNATSServer(t)
	b := newTabled(t, to(process.URL()))
	createStream(t, b.js, jetstream.StreamConfig{Name: "CHAT", Subjects: []string{"chat.>"}})
	b.awaitClass(t, "CHAT: chat.a", "chat.a")
	process.Kill()
	b.awaitStatus(t, nats.RECONNECTING)
	process.Start(t)
	eventually(t, "the table is known again", func() bool { return b.Classify("chat.a") == "CHAT: chat.a" && b.conn.IsConnected() })
	deleteStream(t, manager(t, to(process.URL())), "CHAT")
	b.awaitClass(t, "none: chat.a", "chat.a")
}

func TestNoJetStream(t *testing.T) {
	config := configFile(t, `
		accounts {
			without { users = [ { user: without, password: swordfish } ] }
			with { jetstream: enabled, users = [
				{ user: refused, password: swordfish, permissions: { publish: ["ok.>"], subscribe: [">"] } }
				{ user: mute, password: swordfish, permissions: { publish: [">"], subscribe: ["ok.>"] } }
				{ user: hidden, password: swordfish, permissions: { publish: ["ok.>", "$JS.API.STREAM.NAMES"], subscribe: [">"] } }
				{ user: admin, password: swordfish }
			] }
		}`)
	process := bridgetest.StartNATSServer(t, "-c", config)
	js := manager(t, as(process, "admin"))
	createStream(t, js, jetstream.StreamConfig{Name: "OK", Subjects: []string{"ok.>"}})
	for user, why := range map[string]string{
		"without": "there is no JetStream",
		"refused": "NATS does not let this bridge look at streams",
		"mute":    "NATS does not let this bridge look at streams",
		"hidden":  "no stream holds it",
	} {
		t.Run(user, func(t *testing.T) {
			b := newFixture(t, as(process, user), quiet)
			begun := time.Now()
			table := b.source.Table(t, source.History{}, quiet)
			if got, err := table.Await(within(t, patience), "ok.a"); err != nil || got != "none: ok.a" {
				t.Errorf("classified as %q, %v", got, err)
			}
			if took := time.Since(begun); took > 2*time.Second {
				t.Errorf("it took %v to know", took)
			}
			if got := table.Reason("ok.a"); !strings.Contains(got, why) {
				t.Errorf("the reason is %q, want %q", got, why)
			}
			if got, err := table.Holding(within(t, patience), "ok.a"); err != nil || got != "none" {
				t.Errorf("held by %q, %v", got, err)
			}
		})
	}
}
