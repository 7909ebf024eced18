package source_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/source"
)

// If nobody listens to a question, Ask says so, also if this process reads the reply subject, and the next question is heard once a worker
// listens.
func TestQuestionWithoutListenersIsRefused(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, dial source.Dialer) {
		b := newFixture(t, dial, quiet)
		c := b.readFramed(t, bridge.Framing{Run: true}, "answers.-.R").wantOpen()
		for range 20 { // NATS chooses a subscription at random if a connection has several
			if err := b.source.Ask(within(t, patience), "llm.echo", "answers.-.R", nil, []byte("q")); !errors.Is(err, bridge.ErrNoResponders) {
				t.Fatalf("got %v", err)
			}
		}
		worker := publisher(t, dial)
		if _, err := worker.Subscribe("llm.echo", func(m *nats.Msg) {
			for i := range 3 {
				_ = m.Respond(fmt.Appendf(nil, "%s%d", m.Data, i))
			}
			_ = m.Respond(nil)
		}); err != nil {
			t.Fatal(err)
		}
		flush(t, worker)
		if err := b.source.Ask(within(t, patience), "llm.echo", "answers.-.R", nil, []byte("q")); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"q0", "q1", "q2", "{}"} {
			if event := c.next(); event.Data != want || want == "{}" && event.Type != bridge.EventEnd {
				t.Errorf("got %+v, want %s", event, want)
			}
		}
	})
}

// A question is asked although the connection has reported an error before it, here the broken headers of a message that was read from a stream.
func TestQuestionAfterAnError(t *testing.T) {
	t.Parallel()
	server := startEmbedded(t, embedListening)
	stream := createStream(t, manager(t, server.Dial), chats)
	raw := newRawPublisher(t, server.URL())
	raw.publish("chat.a", "", "NATS/1.0\r\nno colon\r\n\r\n", "stored")
	raw.flush()
	eventually(t, "the message is stored", func() bool {
		info, err := stream.Info(within(t, patience))
		return err == nil && info.State.Msgs == 1
	})
	b := newFixture(t, server.Dial, quiet)
	c := b.since(t, bridge.Since{Kind: bridge.SinceAll}, "chat.a").wantOpen()
	c.wantData("stored")
	for range 2 {
		if err := b.source.Ask(within(t, patience), "llm.echo", "answers.-.R", nil, []byte("q")); !errors.Is(err, bridge.ErrNoResponders) {
			t.Errorf("got %v", err)
		}
	}
}

// Questions are asked although NATS has refused a subscription of their connection for being one too many.
func TestQuestionAfterTooManySubscriptions(t *testing.T) {
	t.Parallel()
	const limit = 12
	server := bridgetest.StartNATSServer(t, "-c", configFile(t, fmt.Sprintf("max_subscriptions: %d", limit)))
	var reads *nats.Conn
	b := newFixture(t, func(options ...nats.Option) (*nats.Conn, error) {
		conn, err := to(server.URL())(options...)
		reads = conn // the second one
		return conn, err
	}, quiet)
	for range limit {
		if _, err := reads.SubscribeSync("others"); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the limit is reached", func() bool { return b.source.Stats().Errors["limit"] > 0 })
	if err := b.source.Ask(within(t, patience), "llm.echo", "answers.-.R", nil, []byte("q")); err != nil {
		t.Errorf("got %v", err)
	}
}

// A question that NATS does not let the bridge ask is counted as refused. The refusal is not mistaken for one of the micro service, which is
// offered on the same connection.
func TestRefusedQuestionIsCounted(t *testing.T) {
	t.Parallel()
	file := configFile(t, "")
	denied(t, file, `"llm.>"`, `"no"`)
	log, warned := warnings()
	b := newFixture(t, as(bridgetest.StartNATSServer(t, "-c", file), "bridge"), log)
	if err := b.source.Ask(within(t, patience), "llm.echo", "answers.-.R", nil, []byte("q")); !errors.Is(err, bridge.ErrRefused) {
		t.Errorf("got %v", err)
	}
	if line := receive(t, warned, "the log to say it"); !strings.Contains(line, "refuses a subject") || b.source.Stats().Errors["refused"] != 1 {
		t.Errorf("the log has %q, and the counts are %v", line, b.source.Stats().Errors)
	}
}

// A question costs little memory, though the client makes room for 65,536 messages of a subscription by itself. Not parallel: it counts what the
// process allocates.
func TestQuestionIsSmall(t *testing.T) {
	b := newFixture(t, embedded(t), quiet)
	ask := func() {
		if err := b.source.Ask(within(t, patience), "llm.echo", "answers.-.R", nil, []byte("q")); !errors.Is(err, bridge.ErrNoResponders) {
			t.Fatalf("got %v", err)
		}
	}
	ask()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const questions, most = 20, 64 << 10
	for range questions {
		ask()
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / questions; each > most {
		t.Errorf("%d bytes a question, %d allowed", each, most)
	}
}

// Answers that arrive while a question is being asked are not reported as dropped: they are read by another subscription.
func TestAnswersDuringAQuestionAreNoLoss(t *testing.T) {
	t.Parallel()
	b, freeze := withTwoLinks(t, true)
	eventually(t, "questions are asked", func() bool {
		return errors.Is(b.source.Ask(within(t, patience), "llm.echo", "answers.-.R", nil, nil), bridge.ErrNoResponders)
	})
	worker := publisher(t, to(b.conn.ConnectedUrl()))
	answered := make(chan struct{}, 1)
	if _, err := worker.Subscribe("llm.echo", func(question *nats.Msg) {
		for range 1000 {
			_ = worker.Publish(question.Reply, []byte("a"))
		}
		_ = worker.Flush()
		answered <- struct{}{}
	}); err != nil {
		t.Fatal(err)
	}
	flush(t, worker)
	for range 5 {
		thaw := freeze() // the answers arrive at once
		var asking sync.WaitGroup
		asking.Go(func() {
			if err := b.source.Ask(within(t, patience), "llm.echo", "answers.-.R", nil, []byte("q")); err != nil {
				t.Error(err)
			}
		})
		receive(t, answered, "the answers")
		thaw()
		asking.Wait()
	}
	for kind, count := range b.source.Stats().Errors {
		if count > 0 {
			t.Errorf("%d errors: %s", count, kind)
		}
	}
}

// A run whose answers a stream keeps is read from there, from its beginning, also by a source that has asked nothing. The acknowledgement of a
// stream that holds the question is no answer.
func TestKeptRunIsReadFromItsStream(t *testing.T) {
	t.Parallel()
	dial := embedded(t)
	worker := publisher(t, dial)
	js, err := jetstream.New(worker)
	if err != nil {
		t.Fatal(err)
	}
	for name, subjects := range map[string]string{"ANSWERS": "answers.>", "QUESTIONS": "llm.>"} {
		createStream(t, js, jetstream.StreamConfig{Name: name, Subjects: []string{subjects}})
	}
	noise := subscribe(t, worker, "answers.-.R")
	if _, err := worker.Subscribe("llm.echo", func(m *nats.Msg) {
		for ack := ""; !strings.HasPrefix(ack, `{"stream":"QUESTIONS"`); {
			got, err := noise.NextMsg(patience)
			if err != nil {
				t.Error("the stream has not acknowledged the question:", err)
				return
			}
			ack = string(got.Data)
		}
		_ = m.Respond([]byte("a"))
		_ = m.Respond([]byte("b"))
		_ = m.RespondMsg(&nats.Msg{Header: nats.Header{bridge.HeaderServiceError: {"broken"}, bridge.HeaderServiceErrorCode: {"500"}}})
	}); err != nil {
		t.Fatal(err)
	}
	flush(t, worker)
	b := newFixture(t, dial, quiet)
	const run = "answers.-.R"
	if err := b.post(within(t, patience), run, map[string][]string{bridge.HeaderRun: {bridge.RunAsked}}, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if err := b.source.Ask(within(t, patience), "llm.echo", run, nil, []byte("q")); err != nil {
		t.Fatal(err)
	}
	all := bridge.Resume{Since: bridge.Since{Kind: bridge.SinceAll}}
	for _, reading := range []*fixture{b, newFixture(t, dial, quiet)} {
		c := reading.open(t, bridge.Framing{Run: true}, all, run).wantOpen()
		var got []string
		for len(got) == 0 || got[len(got)-1] != bridge.EventError {
			event := c.next()
			if event.Type == "message" {
				got = append(got, event.Data)
			} else if event.Type != bridge.EventSynced {
				got = append(got, event.Type)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint([]string{"a", "b", bridge.EventError}) {
			t.Errorf("got %q", got)
		}
	}
}
