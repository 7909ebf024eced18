package runs_test

import (
	"context"
	"testing"

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
	if run := follow(t.Context()); !run.IsKnown || run.State.Mark != bridge.RunBegins {
		t.Errorf("when it has arrived: %+v", run)
	}
}
