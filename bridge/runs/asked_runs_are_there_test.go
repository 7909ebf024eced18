package runs_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/runs"
)

// behind stores what it publishes only when that is released, but acknowledges it before: as if it was on its way to this bridge until then.
type behind struct {
	runs.NATS
	release func() error
}

func (b *behind) Publish(ctx context.Context, subject bridge.Subject, header map[string][]string, data []byte) (bridge.Receipt, error) {
	b.release = func() error { _, err := b.NATS.Publish(ctx, subject, header, data); return err }
	return bridge.Receipt{Position: bridge.Position{Epoch: "e", Seq: 1}}, nil
}

// Who reads a run that was asked here just now is not told that there is none, although its first message has not arrived yet.
func TestRunIsThereWhenItWasAsked(t *testing.T) {
	f := start(t, true)
	f.answer(t)
	var slow *behind
	asking, _ := f.bridge(t, func(c *runs.Config) {
		slow = &behind{NATS: c.NATS}
		c.NATS = slow
	})
	asked := ask(t, asking, question(""))
	follow := func(ctx context.Context) bridge.Run {
		run, done, err := asking.Follow(ctx, asked.Subject, bridge.Framing{}, 0)
		if err != nil {
			t.Fatal(err)
		}
		done()
		return run
	}
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	if run := follow(impatient); run.IsKnown {
		t.Errorf("on its way: %+v", run)
	}
	if err := slow.release(); err != nil {
		t.Fatal(err)
	}
	if run := follow(t.Context()); !run.IsKnown || run.State.Kind != bridge.RunBegins {
		t.Errorf("when it has arrived: %+v", run)
	}
}

// silence ends the delivery of what is stored to all bridges: they notice it seconds later.
func (f *fixture) silence(t *testing.T) {
	t.Helper()
	stream := f.stream(t)
	for name := range stream.ConsumerNames(within(t)).Name() {
		if err := stream.DeleteConsumer(within(t), name); err != nil {
			t.Fatal(err)
		}
	}
}

// While a bridge does not hear what is stored, nobody is told there that a run that another bridge has asked is none, or that a query in it is none.
func TestRunIsThereWhenAnotherHasAsked(t *testing.T) {
	f := start(t, true)
	f.answer(t, `{"type":"query","data":{"id":"q1","reply_subject":"_INBOX.a.b"}}`)
	if _, err := f.worker.Subscribe("_INBOX.a.b", func(m *nats.Msg) { _ = m.Respond(nil) }); err != nil {
		t.Fatal(err)
	}
	asking, _ := f.bridge(t, nil)
	other, hub := f.bridge(t, nil)
	reader, err := hub.Read([]bridge.Subject{"answers.-.another"}, bridge.Framing{}, bridge.Resume{})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	reader.Await(within(t)) // the other bridge reads the stream
	f.silence(t)
	q := question("")
	q.Queries = true
	asked := ask(t, asking, q)
	soon, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	run, done, err := other.Follow(soon, asked.Subject, bridge.Framing{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	if run.IsKnown && run.State.IsEmpty() {
		t.Error("another bridge knows no such run")
	}
	if err := other.Reply(within(t), asked.Subject, "q1", []byte("a"), 0); err != nil {
		t.Error(err)
	}
}
