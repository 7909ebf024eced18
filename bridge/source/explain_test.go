package source_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/source"
)

// Each finding is reported once, and its command repairs it.
func TestExplain(t *testing.T) {
	t.Parallel()
	process := bridgetest.StartNATSServer(t)
	b := newTabled(t, to(process.URL()))
	limited := func(c jetstream.StreamConfig) jetstream.StreamConfig {
		c.MaxMsgs, c.AllowDirect, c.Storage = 10, true, jetstream.MemoryStorage
		return c
	}
	open := limited(jetstream.StreamConfig{Name: "OPEN", Subjects: []string{"open.>"}})
	open.MaxMsgs = 0
	slow := limited(jetstream.StreamConfig{Name: "SLOW", Subjects: []string{"slow.>"}})
	slow.AllowDirect = false
	for _, config := range []jetstream.StreamConfig{
		open, slow,
		limited(jetstream.StreamConfig{Name: "GOOD", Subjects: []string{"good.>"}}),
		limited(jetstream.StreamConfig{Name: "PART", Subjects: []string{"part.a.*", "part.b", "quoted.$x"}}),
		limited(jetstream.StreamConfig{Name: "LEFT", Subjects: []string{"split.a"}}),
		limited(jetstream.StreamConfig{Name: "RIGHT", Subjects: []string{"split.b"}}),
		limited(jetstream.StreamConfig{Name: "WORK", Subjects: []string{"work.>"}, Retention: jetstream.WorkQueuePolicy}),
		limited(jetstream.StreamConfig{Name: "INTEREST", Subjects: []string{"interest.>"}, Retention: jetstream.InterestPolicy}),
		limited(jetstream.StreamConfig{Name: "NOACK", Subjects: []string{"noack.>"}, NoAck: true}),
		limited(jetstream.StreamConfig{Name: "MOVED", Subjects: []string{"moved.>"}, SubjectTransform: &jetstream.SubjectTransformConfig{Source: "moved.>", Destination: "to.>"}}),
	} {
		createStream(t, b.js, config)
		eventually(t, "the table knows "+config.Name, func() bool { return b.Epoch(config.Name) != "" })
	}

	for _, test := range []struct {
		filter       bridge.Subject
		stream, why  string
		problem, cmd string // "" for no finding
	}{
		{"good.>", "GOOD", "", "", ""},
		{"nothing.>", "", "no stream holds it", "", ""},
		{"open.a", "OPEN", "", "has no limit", "nats stream edit OPEN --max-age=720h"},
		{"slow.a", "SLOW", "", "does not allow direct get", "nats stream edit SLOW --allow-direct"},
		{"part.>", "", "PART holds a part of it only", "PART holds a part", "nats stream edit PART '--subjects=part.>,quoted.$x'"},
		{"split.*", "", "the streams LEFT, RIGHT hold parts", "", ""},
		{"work.a", "", "WORK is a work queue", "", ""},
		{"interest.a", "", "INTEREST keeps messages only", "INTEREST keeps", "nats stream edit INTEREST --retention=limits"},
		{"noack.a", "", "NOACK does not acknowledge", "NOACK does not", "nats stream edit NOACK --ack"},
		{"moved.a", "", "MOVED stores messages under other", "MOVED stores", "nats stream edit MOVED --no-transform"},
	} {
		t.Run(string(test.filter), func(t *testing.T) {
			holdings := explain(t, b.Table, test.filter, test.filter)
			h := holdings[0]
			if h.Filter != test.filter || h.Stream != test.stream || !strings.Contains(h.Why, test.why) || (h.Why == "") != (test.why == "") {
				t.Errorf("got %+v", h)
			}
			if len(holdings) != 2 || len(holdings[1].Findings) > 0 {
				t.Errorf("said twice: %+v", holdings)
			}
			if test.problem == "" {
				if len(h.Findings) > 0 {
					t.Errorf("got %+v, want no findings", h.Findings)
				}
				return
			}
			if len(h.Findings) != 1 || !strings.Contains(h.Findings[0].Problem, test.problem) || h.Findings[0].Remedy != test.cmd {
				t.Fatalf("got %+v", h.Findings)
			}
			mend(t, process, h.Findings[0].Remedy)
			eventually(t, "it is mended", func() bool {
				h := explain(t, b.Table, test.filter)[0]
				return h.Stream != "" && len(h.Findings) == 0
			})
		})
	}
}

// A stream on all subjects may not acknowledge: JetStream would store its own answers. Which subjects it keeps is for its owner to decide.
func TestExplainStreamOnEverything(t *testing.T) {
	t.Parallel()
	b := newTabled(t, to(bridgetest.StartNATSServer(t).URL()))
	createStream(t, b.js, jetstream.StreamConfig{Name: "ALL", Subjects: []string{">"}, NoAck: true, MaxMsgs: 10, AllowDirect: true})
	eventually(t, "the table knows the stream", func() bool { return b.Epoch("ALL") != "" })
	h := explain(t, b.Table, "chat.>")[0]
	if len(h.Findings) != 1 || !strings.Contains(h.Findings[0].Remedy, "none of the subjects of NATS itself") {
		t.Fatalf("got %+v", h)
	}
	config := configOf(t, b.js, "ALL")
	config.Subjects = []string{"chat.>"}
	updateStream(t, b.js, config)
	config.NoAck = false
	updateStream(t, b.js, config)
	eventually(t, "it is mended", func() bool {
		h := explain(t, b.Table, "chat.>")[0]
		return h.Stream == "ALL" && len(h.Findings) == 0
	})
}

// A refusal of NATS is reported with what to allow. Finding it out changes no stream.
func TestExplainPermissions(t *testing.T) {
	t.Parallel()
	config := configFile(t, `authorization { users = [
		{ user: none, password: swordfish, permissions: { publish: ["chat.>"], subscribe: [">"] } }
		{ user: looks, password: swordfish, permissions: { publish: ["$JS.API.STREAM.NAMES", "$JS.API.STREAM.INFO.CHAT", "$JS.API.DIRECT.GET.>"], subscribe: ["_INBOX_tailwater.>"] } }
		{ user: enough, password: swordfish, permissions: {
			publish: ["$JS.API.STREAM.NAMES", "$JS.API.STREAM.INFO.*", "$JS.API.STREAM.MSG.GET.*", "$JS.API.DIRECT.GET.>", "$JS.API.CONSUMER.CREATE.>", "$JS.API.CONSUMER.MSG.NEXT.>", "$JS.API.CONSUMER.DELETE.>"]
			subscribe: ["$JS.EVENT.ADVISORY.STREAM.*.>", "_INBOX_tailwater.>"] } }
		{ user: admin, password: swordfish }
	] }`)
	process := bridgetest.StartNATSServer(t, "-c", config)
	js := manager(t, as(process, "admin"))
	createStream(t, js, jetstream.StreamConfig{Name: "CHAT", Subjects: []string{"chat.>"}, MaxMsgs: 10, AllowDirect: true})
	createStream(t, js, jetstream.StreamConfig{Name: "SECRET", Subjects: []string{"secret.>"}, MaxMsgs: 10, AllowDirect: true})

	for user, wants := range map[string][]string{
		"none": {"publish to $JS.API.STREAM.NAMES, "},
		"looks": {
			"publish to $JS.API.CONSUMER.CREATE.CHAT.> and to publish to $JS.API.CONSUMER.DELETE.CHAT.* and to publish to $JS.API.CONSUMER.MSG.NEXT.CHAT.* and to publish to $JS.API.STREAM.MSG.GET.CHAT",
			"subscribe to $JS.EVENT.ADVISORY.STREAM.*.>", "publish to $JS.API.STREAM.NAMES, ", "subscribe to secret.a",
		},
		"enough": {},
	} {
		t.Run(user, func(t *testing.T) {
			table := newFixture(t, as(process, user), quiet).source.Table(t, source.History{}, quiet)
			var remedies []string
			for _, h := range explain(t, table, "chat.a", "secret.a", "chat.b") {
				for _, f := range h.Findings {
					remedies = append(remedies, f.Remedy)
				}
			}
			for _, want := range wants {
				if !strings.Contains(strings.Join(remedies, "\n"), want) {
					t.Errorf("%q is not among the remedies %q", want, remedies)
				}
			}
			if len(remedies) != len(wants) {
				t.Errorf("got %q", remedies)
			}
		})
	}
	if info := infoOf(t, js, "CHAT"); info.State.Consumers != 0 || info.State.LastSeq != 0 {
		t.Errorf("something was left in the stream: %+v", info.State)
	}
}

// A silent stream is named.
func TestExplainSilentStream(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.names(t, 1024, "GOOD", "SILENT")
	f.on(t, "STREAM.INFO.*", func(name string, _ []byte) any {
		if name == "SILENT" {
			return refusal(500, 10118)
		}
		return info(name)
	})
	table := newFixture(t, f.dial, quiet).source.Table(t, source.History{}, quiet)
	h := explain(t, table, "silent")[0]
	if h.Stream != "" || !strings.Contains(h.Why, "SILENT") || len(h.Findings) != 1 || h.Findings[0].Remedy != "nats stream info SILENT" {
		t.Errorf("got %+v", h)
	}
}

// A server inside the JetStream domain reports a refusal without the domain. The bridge understands that at once.
func TestExplainInTheDomainOfTheServer(t *testing.T) {
	t.Parallel()
	conf := configFile(t, `jetstream { domain: hub }
		authorization { users = [ { user: none, password: swordfish, permissions: { publish: ["x"], subscribe: ["_INBOX_tailwater.>"] } } ] }`)
	server := bridgetest.StartNATSServer(t, "-c", conf)
	dial := to(fmt.Sprintf("nats://none:swordfish@127.0.0.1:%d", server.Port))
	s, err := source.Open(dial, source.Config{API: source.DomainAPI("hub")}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	holdings, err := s.Explain(within(t, patience), []bridge.Subject{"chat.a"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(holdings[0].Findings) == 0 || !holdings[0].Findings[0].Refused || !strings.Contains(holdings[0].Findings[0].Remedy, "$JS.hub.API.STREAM.NAMES") {
		t.Errorf("found %+v", holdings[0])
	}
}
