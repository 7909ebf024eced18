package live

import (
	"time"

	"github.com/tailwater/tailwater/bridge/runs"
)

// Runs says how questions are answered on routes that begin with ASK. A run is one question and its answers, which are messages on a
// subject of its own. Through bridges with these options only the asker reads that subject, and nobody publishes on it, whether or not a
// bridge has such a route. If a stream holds the subject, the asker can read and resume the run on each of these bridges.
type Runs struct {
	Answers string        // the first token of these subjects; answers
	Silence time.Duration // after which a run without an answer has failed, unless its route says otherwise; 60 s
	Off     bool          // no route asks, and the subjects of answers are like all others
}

// openRuns starts to ask, and to follow what other bridges have asked.
func (b *Bridge) openRuns() {
	if b.options.Runs.Off {
		return
	}
	longest := b.options.Runs.Silence
	for _, route := range b.options.Routes {
		longest = max(longest, route.Silence())
	}
	b.runs = runs.Open(runs.Config{
		Hub: b.hub, Store: b.source, NATS: b.source, Answers: b.options.Runs.Answers, Silence: b.options.Runs.Silence, Longest: longest, Each: b.options.Limits.Runs,
		All: b.options.Limits.Connections, Log: b.options.Log,
	})
}
