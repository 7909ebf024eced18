package source_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source"
)

// While a stream does not answer, JetStream is asked once for each subject that is read, however many there are. Answers that nobody has used
// for long are forgotten: callers choose the subjects of what they publish.
func TestSilentStreamCostsFewQuestions(t *testing.T) {
	t.Parallel()
	const few = 50 // looks at all streams
	f := newFake(t)
	var asked atomic.Int64
	f.on(t, "STREAM.NAMES", func(_ string, data []byte) any {
		asked.Add(1)
		var request struct{ Subject string }
		if err := json.Unmarshal(data, &request); err != nil {
			t.Error(err)
		}
		if request.Subject != "" {
			return map[string]any{"total": 0}
		}
		return map[string]any{"total": 1, "streams": []string{"SILENT"}}
	})
	f.on(t, "STREAM.INFO.*", func(string, []byte) any { return refusal(500, 10118) })
	table := newFixture(t, f.dial, quiet).source.Table(t, source.History{}, quiet)
	learn := func(subjects []bridge.Subject) (questions int) {
		t.Helper()
		had := asked.Load()
		for some := range slices.Chunk(subjects, 250) { // so few that each is answered before it is asked again
			for isKnown := false; !isKnown; {
				isKnown = true
				for _, subject := range some { // each for itself, as feeds ask
					isKnown = table.Classify(subject) != "" && isKnown
				}
				if !isKnown {
					receive(t, table.Changes, "the table to change")
				}
			}
		}
		return int(asked.Load() - had)
	}
	named := func(name string, n int) (subjects []bridge.Subject) {
		for i := range n {
			subjects = append(subjects, bridge.Subject(fmt.Sprintf("%s.%d", name, i)))
		}
		return subjects
	}
	read := named("read", 10_500) // more answers than are kept in any case
	if n := learn(read); n > len(read)+few {
		t.Errorf("%d questions for %d subjects", n, len(read))
	}
	published := named("published", 3000)
	if *soak {
		published = named("published", 30_000)
	}
	for some := range slices.Chunk(published, 3000) {
		if n := learn(some) + learn(read); n > len(some)+few {
			t.Fatalf("%d questions for %d further subjects", n, len(some))
		}
	}
	if n := learn(published); *soak && n < len(published)/3 {
		t.Errorf("of %d subjects that were used once, only %d were forgotten", len(published), n)
	}
}

// A question that fails is asked again after a growing while, not at once.
func TestFailedQuestionsAreFew(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	asked := make(chan time.Time, 1<<16)
	f.on(t, "STREAM.NAMES", func(_ string, data []byte) any {
		if strings.Contains(string(data), "subject") {
			asked <- time.Now()
			return refusal(500, 10118)
		}
		return map[string]any{"total": 1, "streams": []string{"SILENT"}}
	})
	f.on(t, "STREAM.INFO.*", func(string, []byte) any { return refusal(500, 10118) })
	table := newFixture(t, f.dial, quiet).source.Table(t, source.History{}, quiet)
	ctx := within(t, patience)
	go func() { _, _ = table.Holding(ctx, "a.b") }() // until the test has ended
	first := receive(t, asked, "a question")
	receive(t, asked, "another")
	if took := receive(t, asked, "a third").Sub(first); took < 400*time.Millisecond {
		t.Errorf("three questions in %v", took)
	}
}
