package source_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/source"
)

// advice is a stream with a problem, and what is printed about it.
type advice struct {
	config jetstream.StreamConfig // without subjects: there is no stream
	sealed bool
	filter bridge.Subject
	keep   source.History // the settings of that stream; the zero value if it is not Tailwater's own
	says   []string       // the remedies, one after the other
	left   string         // what is printed after these
}

// own returns a history of a stream's subjects.
func own(subject bridge.Subject) source.History {
	h := history
	h.Subjects, h.MaxBytes, h.MaxPerSubject, h.Look = []bridge.Subject{subject}, 0, 0, true
	return h
}

// advices has every kind of advice. In the texts, {S} stands for the stream and {D} for the flag of the JetStream domain.
func advices() map[string]advice {
	type config = jetstream.StreamConfig
	replicas := own("r3.>")
	replicas.Replicas = 3
	shrunk := own("shrunk.a")
	shrunk.MaxAge = 0
	return map[string]advice{
		"no limit":      {config{Subjects: []string{"open.>"}, AllowDirect: true}, false, "open.>", source.History{}, []string{"nats stream edit {S} --max-age=720h{D}"}, ""},
		"long window":   {config{Subjects: []string{"window.>"}, AllowDirect: true, Duplicates: 1000 * time.Hour}, false, "window.>", source.History{}, []string{"nats stream edit {S} --max-age=1000h{D}"}, ""},
		"no direct get": {config{Subjects: []string{"slow.>"}, MaxMsgs: 5}, false, "slow.>", source.History{}, []string{"nats stream edit {S} --allow-direct{D}"}, ""},
		"a part":        {config{Subjects: []string{"part.a.*", "part.b", "it's.$x"}, MaxMsgs: 5, AllowDirect: true}, false, "part.>", source.History{}, []string{`nats stream edit {S} '--subjects=it'\''s.$x,part.>'{D}`}, ""},
		"a comma":       {config{Subjects: []string{"comma.a", "comma,d"}, MaxMsgs: 5, AllowDirect: true}, false, "comma.*", source.History{}, nil, ""},
		"interest":      {config{Subjects: []string{"interest.>"}, MaxMsgs: 5, AllowDirect: true, Retention: jetstream.InterestPolicy}, false, "interest.>", source.History{}, []string{"nats stream edit {S} --retention=limits{D}"}, ""},
		"work queue":    {config{Subjects: []string{"work.>"}, MaxMsgs: 5, AllowDirect: true, Retention: jetstream.WorkQueuePolicy}, false, "work.>", source.History{}, nil, ""},
		"no ack":        {config{Subjects: []string{"noack.>"}, MaxMsgs: 5, AllowDirect: true, NoAck: true}, false, "noack.>", source.History{}, []string{"nats stream edit {S} --ack{D}"}, ""},
		"no ack of all": {config{Subjects: []string{"*.of.all"}, MaxMsgs: 5, AllowDirect: true, NoAck: true}, false, "*.of.all", source.History{}, []string{"let it take none of the subjects of NATS itself ($JS, $SYS), which > and a first * include; then it can acknowledge"}, "can acknowledge"},
		"transformed":   {config{Subjects: []string{"moved.>"}, MaxMsgs: 5, AllowDirect: true, SubjectTransform: &jetstream.SubjectTransformConfig{Source: "moved.>", Destination: "to.>"}}, false, "moved.>", source.History{}, []string{"nats stream edit {S} --no-transform{D}"}, ""},
		"sealed":        {config{Subjects: []string{"sealed.>"}}, true, "sealed.>", source.History{}, []string{"nats stream edit {S} --allow-direct{D}", ""}, "is sealed"},
		"no bucket":     {config{}, false, "$KV.config.>", source.History{}, []string{"nats kv add config{D}"}, ""},
		"no one bucket": {config{}, false, "$KV.*.>", source.History{}, nil, ""},

		"own":                {config{Subjects: []string{"own.a", "own.b"}, Discard: jetstream.DiscardNew, NoAck: true, MaxMsgsPerSubject: 3, MaxBytes: 1 << 20, Duplicates: time.Hour}, false, "own.>", own("own.>"), []string{"nats stream edit {S} '--subjects=own.>' --discard=old --max-age=24h --max-bytes=-1 --max-msgs-per-subject=-1 --ack --allow-direct{D}"}, ""},
		"own, discards new":  {config{Subjects: []string{"full.>"}, MaxAge: 24 * time.Hour, AllowDirect: true, Discard: jetstream.DiscardNew, DiscardNewPerSubject: true, MaxMsgsPerSubject: 3}, false, "full.>", own("full.>"), []string{"nats stream edit {S} --discard=old --no-discard-per-subject --max-msgs-per-subject=-1{D}"}, ""},
		"own, work queue":    {config{Subjects: []string{"queue.>"}, MaxAge: 24 * time.Hour, AllowDirect: true, Retention: jetstream.WorkQueuePolicy}, false, "queue.>", own("queue.>"), []string{"delete the stream, with all its messages, so that the bridge can make it again; or set TAILWATER_HISTORY to nothing"}, "a work queue, which"},
		"own, sealed":        {config{Subjects: []string{"done.>"}, AllowDirect: true}, true, "done.>", own("done.>"), []string{"delete the stream, with all its messages, so that the bridge can make it again; or set TAILWATER_HISTORY to nothing"}, "sealed, which"},
		"own, replicas":      {config{Subjects: []string{"r3.>"}, MaxAge: 24 * time.Hour}, false, "r3.>", replicas, []string{"nats stream edit {S} --allow-direct{D}", "set TAILWATER_HISTORY_REPLICAS=1"}, "cannot have 3 replicas"},
		"own, a part":        {config{Subjects: []string{"shrunk.a"}, AllowDirect: true}, false, "shrunk.>", shrunk, []string{"set TAILWATER_HISTORY='shrunk.>'"}, "a part of it only"},
		"own, without limit": {config{Subjects: []string{"shrunk.a"}, AllowDirect: true}, false, "shrunk.a", shrunk, []string{"set TAILWATER_HISTORY_MAX_AGE or TAILWATER_HISTORY_MAX_BYTES"}, "has no limit"},
	}
}

// The nats tool and JetStream accept every proposed command, and the command repairs the problem. If no command can, the text
// says what to do.
func TestEveryCommandMends(t *testing.T) {
	if !*soak {
		t.Skip("it calls the nats command dozens of times: run it with -soak")
	}
	t.Parallel() // it mostly waits
	conf := configFile(t, "jetstream { domain: hub }")
	server := bridgetest.StartNATSServer(t, "-c", conf)
	for api, flag := range map[string]string{"": "", source.DomainAPI("hub"): " --js-domain=hub"} {
		for name, a := range advices() {
			if flag != "" && !strings.Contains(strings.Join(a.says, "\n"), "{D}") {
				continue // the text is the same in every domain
			}
			t.Run(api+" "+name, func(t *testing.T) { a.try(t, server, api, flag) })
		}
	}
}

func (a advice) try(t *testing.T, server *bridgetest.NATSServer, api, flag string) {
	js := manager(t, to(server.URL()))
	t.Cleanup(func() { deleteStreams(t, js) }) // the next advice finds the server empty
	a.config.Name = "ADVISED"
	if len(a.config.Subjects) > 0 {
		createStream(t, js, a.config)
	}
	if a.sealed {
		config := configOf(t, js, a.config.Name)
		config.Sealed = true
		updateStream(t, js, config)
	}
	if len(a.keep.Subjects) > 0 {
		a.keep.Stream = a.config.Name
	}
	s, err := source.Open(to(server.URL()), source.Config{API: api, History: a.keep}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	said := func() (problems, remedies []string) {
		holdings, err := s.Explain(within(t, patience), []bridge.Subject{a.filter}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range holdings[0].Findings {
			problems, remedies = append(problems, f.Problem), append(remedies, f.Remedy)
		}
		return problems, remedies
	}
	for i, want := range a.says {
		want = strings.NewReplacer("{S}", a.config.Name, "{D}", flag).Replace(want)
		_, remedies := said()
		if len(remedies) == 0 || remedies[0] != want {
			t.Fatalf("it says %q, want %q", remedies, want)
		}
		if strings.HasPrefix(want, "nats ") {
			mend(t, server, remedies[0])
			eventually(t, fmt.Sprintf("step %d mends", i), func() bool {
				_, remedies := said()
				return len(remedies) == 0 || remedies[0] != want
			})
		}
	}
	problems, remedies := said()
	if a.left == "" && len(problems) > 0 || a.left != "" && (len(problems) != 1 || !strings.Contains(problems[0]+remedies[0], a.left)) {
		t.Errorf("in the end it says %q, %q; want %q", problems, remedies, a.left)
	}
}

func deleteStreams(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience) // the test's own context has ended
	defer cancel()
	names := js.StreamNames(ctx)
	for name := range names.Name() {
		if err := js.DeleteStream(ctx, name); err != nil {
			t.Error(err)
		}
	}
	if err := names.Err(); err != nil {
		t.Error(err)
	}
}

// Commands that only show something show it.
func TestCommandsThatLook(t *testing.T) {
	t.Parallel()
	process := bridgetest.StartNATSServer(t)
	js := manager(t, to(process.URL()))
	createStream(t, js, jetstream.StreamConfig{Name: "ONE", Subjects: []string{"one.>"}, MaxMsgs: 5, AllowDirect: true, MaxConsumers: 1})
	if _, err := js.CreateConsumer(within(t, patience), "ONE", jetstream.ConsumerConfig{Durable: "taken"}); err != nil {
		t.Fatal(err)
	}
	s, err := source.Open(to(process.URL()), source.Config{}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	holdings, err := s.Explain(within(t, patience), []bridge.Subject{"one.>"}, []bridge.Subject{"one.>"})
	if err != nil || len(holdings[0].Findings) != 1 {
		t.Fatalf("%+v, %v", holdings, err)
	}
	_, command, isCommand := strings.Cut(holdings[0].Findings[0].Remedy, "not used: ")
	if !isCommand {
		t.Fatalf("got %+v", holdings[0].Findings)
	}
	mend(t, process, command)
	mend(t, process, source.Command("", "stream", "info", "ONE"))
}

// A prefix of an account's imports is passed to the command, too.
func TestCommandWithAPrefix(t *testing.T) {
	t.Parallel()
	conf := configFile(t, `jetstream: {}
		no_auth_user: b
		accounts {
			A { jetstream: enabled, users: [ { user: a, password: swordfish } ], exports: [ { service: "$JS.API.>" } ] }
			B { users: [ { user: b, password: swordfish } ], imports: [ { service: { account: A, subject: "$JS.API.>" }, to: "from.a.>" } ] }
		}`)
	server := bridgetest.StartNATSServer(t, "-c", conf)
	js := manager(t, to(fmt.Sprintf("nats://a:swordfish@127.0.0.1:%d", server.Port)))
	createStream(t, js, jetstream.StreamConfig{Name: "CHAT", Subjects: []string{"chat.>"}})
	mend(t, server, source.Command("from.a", "stream", "edit", "CHAT", "--allow-direct"))
	if !configOf(t, js, "CHAT").AllowDirect {
		t.Error("nothing was edited")
	}
}
