package runs_test

import (
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge/runs"
)

// A run whose messages the stream has removed, for want of room or by hand, cannot be ended any more. It counts for its asker no longer than
// two silences.
func TestLostRunsCountForNobody(t *testing.T) {
	f := start(t, true)
	r, _ := f.bridge(t, func(c *runs.Config) { c.Each, c.All, c.Silence = 1, 1, 50*time.Millisecond })
	heard := f.answer(t)
	ask(t, r, question(""))
	<-heard
	stream := f.stream(t)
	if err := stream.Purge(within(t)); err != nil {
		t.Fatal(err)
	}
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for end := time.Now().Add(patience); r.Stats().Failed == 0; <-again.C {
		if time.Now().After(end) {
			t.Fatal("the run counts for ever")
		}
	}
	ask(t, r, question(""))
}
