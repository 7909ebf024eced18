package source_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source"
)

// fakeJetStream answers instead of JetStream, on a server without it.
type fakeJetStream struct {
	conn *nats.Conn
	dial source.Dialer
}

func newFake(t *testing.T) *fakeJetStream {
	t.Helper()
	without, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	without.Start()
	t.Cleanup(func() {
		without.Shutdown()
		without.WaitForShutdown()
	})
	dial := to(without.ClientURL())
	return &fakeJetStream{publisher(t, dial), dial}
}

// on answers requests on a subject with the result of respond; nil for no answer.
func (f *fakeJetStream) on(t *testing.T, what string, respond func(name string, data []byte) any) {
	t.Helper()
	_, err := f.conn.Subscribe("$JS.API."+what, func(msg *nats.Msg) {
		if answer := respond(msg.Subject[strings.LastIndexByte(msg.Subject, '.')+1:], msg.Data); answer != nil {
			data, _ := json.Marshal(answer)
			_ = msg.Respond(data)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	flush(t, f.conn)
}

// names answers with pages of all names, or of those whose subjects, their names in lower case, overlap a filter.
func (f *fakeJetStream) names(t *testing.T, limit int, all ...string) {
	f.on(t, "STREAM.NAMES", func(_ string, data []byte) any {
		var request struct {
			Offset  int
			Subject bridge.Subject
		}
		if err := json.Unmarshal(data, &request); err != nil {
			t.Error(err)
		}
		found := slices.DeleteFunc(slices.Clone(all), func(name string) bool {
			return request.Subject != "" && request.Subject != bridge.Subject(strings.ToLower(name))
		})
		page := found[min(request.Offset, len(found)):]
		return map[string]any{"total": len(found), "offset": request.Offset, "limit": limit, "streams": page[:min(limit, len(page))]}
	})
}

// info returns the answer to STREAM.INFO for a stream whose subject is its name in lower case.
func info(name string) any {
	return map[string]any{
		"config":  jetstream.StreamConfig{Name: name, Subjects: []string{strings.ToLower(name)}},
		"created": time.Unix(1, 0),
	}
}

func refusal(code, errCode int) any {
	return map[string]any{"error": map[string]any{"code": code, "err_code": errCode}}
}

func TestPages(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	var all []string
	for i := range 250 {
		all = append(all, fmt.Sprintf("S%d", i))
	}
	f.names(t, 100, all...)
	f.on(t, "STREAM.INFO.*", func(name string, _ []byte) any { return info(name) })
	table := newFixture(t, f.dial, quiet).source.Table(t, source.History{}, quiet)
	for _, subject := range []bridge.Subject{"s0", "s100", "s249"} {
		want := fmt.Sprintf("%s: %s", strings.ToUpper(string(subject)), subject)
		if got, err := table.Await(within(t, patience), subject); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
}

// While JetStream has no leader, no subject counts as unstored.
func TestLeaderless(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	var leader, isMoved atomic.Bool
	asked := make(chan struct{}, 1<<10)
	f.on(t, "STREAM.NAMES", func(string, []byte) any {
		asked <- struct{}{}
		if !leader.Load() {
			return refusal(503, 10008)
		}
		return map[string]any{"total": 2, "streams": []string{"A", "B"}}
	})
	f.on(t, "STREAM.INFO.*", func(name string, _ []byte) any {
		if name == "B" && isMoved.Load() {
			return map[string]any{"config": jetstream.StreamConfig{Name: name, Subjects: []string{"moved"}}, "created": time.Unix(1, 0)}
		}
		return info(name)
	})
	b := newFixture(t, f.dial, quiet)
	table := b.source.Table(t, source.History{}, quiet)
	for range 3 {
		receive(t, asked, "the table to ask again")
	}
	if got := table.Classify("a"); got != "" {
		t.Fatalf("classified as %q without a leader", got)
	}
	leader.Store(true)
	if got, err := table.Await(within(t, patience), "a"); err != nil || got != "A: a" {
		t.Fatalf("got %q, %v", got, err)
	}

	// On the next connection the last known streams stay valid, until all can be read.
	leader.Store(false)
	isMoved.Store(true)
	for len(asked) > 0 {
		<-asked
	}
	b.cut(t)
	receive(t, asked, "the table to ask on the next connection")
	if got, err := table.Await(within(t, patience), "a"); err != nil || got != "A: a" {
		t.Fatalf("got %q, %v", got, err)
	}
	if got, err := table.Await(within(t, patience), "moved"); err != nil || got != "none: moved" {
		t.Fatalf("got %q, %v", got, err)
	}
	leader.Store(true)
	eventually(t, "a stream that has changed meanwhile is read", func() bool { return table.Classify("moved") == "B: moved" })
}

// A silent stream delays only readers of subjects that it may hold.
func TestSilentStream(t *testing.T) {
	t.Parallel() // it mostly waits
	f := newFake(t)
	f.names(t, 1024, "GOOD", "SILENT")
	var speaks atomic.Bool
	f.on(t, "STREAM.INFO.*", func(name string, _ []byte) any {
		if name == "SILENT" && !speaks.Load() {
			return refusal(500, 10118)
		}
		return info(name)
	})
	table := newFixture(t, f.dial, quiet).source.Table(t, source.History{}, quiet)
	for subject, want := range map[bridge.Subject]string{"good": "GOOD: good", "other": "none: other"} {
		if got, err := table.Await(within(t, patience), subject); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	if got, err := table.Holding(within(t, patience), "another"); err != nil || got != "none" {
		t.Errorf("held by %q, %v", got, err)
	}
	if got, err := table.Await(within(t, 300*time.Millisecond), "silent"); err == nil {
		t.Errorf("classified as %q", got)
	}
	speaks.Store(true)
	if got, err := table.Await(within(t, patience), "silent"); err != nil || got != "SILENT: silent" {
		t.Errorf("got %q, %v", got, err)
	}

	// Later it is known by its last state.
	speaks.Store(false)
	publish(t, f.conn, "$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.SILENT", "{}")
	publish(t, f.conn, "$JS.EVENT.ADVISORY.STREAM.UPDATED.GOOD", "{}")
	if got, err := table.Await(within(t, patience), "silent"); err != nil || got != "SILENT: silent" {
		t.Errorf("got %q, %v", got, err)
	}
}

// If Tailwater's own stream cannot be made yet, other streams work meanwhile, and it is made later.
func TestHistoryWaits(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.names(t, 1024, "GOOD")
	var made atomic.Bool
	f.on(t, "STREAM.INFO.*", func(name string, _ []byte) any {
		if name == history.Stream && !made.Load() {
			return refusal(404, 10059)
		}
		return info(name)
	})
	tried := make(chan struct{}, 1<<10)
	var able atomic.Bool
	f.on(t, "STREAM.CREATE.*", func(name string, _ []byte) any {
		tried <- struct{}{}
		if !able.Load() {
			return refusal(503, 10008)
		}
		made.Store(true)
		return info(name)
	})
	table := newFixture(t, f.dial, quiet).source.Table(t, history, quiet)
	if got, err := table.Await(within(t, patience), "good"); err != nil || got != "GOOD: good" {
		t.Errorf("got %q, %v", got, err)
	}
	if len(tried) < 2 {
		t.Errorf("it was tried %d times before", len(tried))
	}
	able.Store(true)
	eventually(t, "the stream is made", made.Load)
}
