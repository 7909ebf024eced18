package bridge_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tailwater/tailwater/bridge"
)

const run = bridge.Subject("answers.-.RUN")

// ofRun returns a message of a run; headers are names and values in turn.
func ofRun(seq uint64, data string, headers ...string) *bridge.Message {
	m := &bridge.Message{Subject: string(run), Position: at(seq), Data: []byte(data), Header: map[string][]string{}}
	for i := 0; i < len(headers); i += 2 {
		m.Header[headers[i]] = append(m.Header[headers[i]], headers[i+1])
	}
	return m
}

// readRun returns the events of a client that reads a run from its beginning, which are written as "type data", and its reader.
func readRun(t *testing.T, framing bridge.Framing, messages ...*bridge.Message) (got []string, reader *bridge.Reader) {
	t.Helper()
	hub, source := newHub(t, bridge.DefaultMemory)
	framing.Run = true
	readIn(t, hub, framing, bridge.Resume{}, run)
	source.feed(t).Begin([]bridge.Part{{Subjects: []bridge.Subject{run}, At: at(0)}})
	for _, m := range messages {
		source.feed(t).Append(m)
	}
	reader = readIn(t, hub, framing, bridge.Resume{Since: bridge.Since{Kind: bridge.SinceAll}}, run)
	for !reader.Ended() {
		more := reader.Next(nil, 1<<20, bridge.NewSignal())
		if len(more) == 0 {
			break
		}
		for _, event := range events(t, more...) {
			got = append(got, event.Type+" "+event.Data)
		}
	}
	return got, reader
}

var asked = ofRun(1, `{}`, bridge.HeaderRun, bridge.RunAsked)

// A run ends with its first empty message or error, and nothing that is published later reaches a client.
func TestRunEnds(t *testing.T) {
	const open = `tailwater:open {"subjects":["answers.-.RUN"]}`
	failed := ofRun(3, "details", bridge.HeaderServiceError, "no model", bridge.HeaderServiceErrorCode, "404")
	late := ofRun(4, "late")
	for name, c := range map[string]struct {
		messages []*bridge.Message
		want     []string
		kind     bridge.RunKind
	}{
		"empty message": {[]*bridge.Message{asked, ofRun(2, "a"), ofRun(3, ""), late}, []string{open, "message a", "tailwater:end {}"}, bridge.RunEnds},
		"error":         {[]*bridge.Message{asked, ofRun(2, "a"), failed, late}, []string{open, "message a", `tailwater:error {"code":"404","description":"no model"}`}, bridge.RunFails},
		"no end":        {[]*bridge.Message{asked, ofRun(2, "a")}, []string{open, "message a", "tailwater:synced {}"}, bridge.RunAnswer},
		"released":      {[]*bridge.Message{asked, ofRun(2, "x", bridge.HeaderRun, bridge.RunReleased)}, []string{open, "tailwater:synced {}"}, bridge.RunPaused},
		"no beginning":  {[]*bridge.Message{ofRun(2, "a"), ofRun(3, "")}, []string{open, `tailwater:gap {"after":"e1-0","first":"` + at(0).String() + `","reason":"retention"}`, "message a", "tailwater:end {}"}, bridge.RunEnds},
		"binary":        {[]*bridge.Message{asked, ofRun(2, "\xff\x00"), ofRun(3, "")}, []string{open, "tailwater:binary /wA=", "tailwater:end {}"}, bridge.RunEnds},
	} {
		t.Run(name, func(t *testing.T) {
			got, reader := readRun(t, bridge.Framing{}, c.messages...)
			if !slices.Equal(got, c.want) || reader.Run().Kind != c.kind {
				t.Errorf("got %q, kind %d", got, reader.Run().Kind)
			}
		})
	}
}

// A loss behind the end of a run is told to nobody: nothing is missing.
func TestNothingFollowsTheEndOfARun(t *testing.T) {
	hub, source := newHub(t, bridge.DefaultMemory)
	framing := bridge.Framing{Run: true}
	readIn(t, hub, framing, bridge.Resume{}, run)
	feed := source.feed(t)
	feed.Begin([]bridge.Part{{Subjects: []bridge.Subject{run}, At: at(0)}})
	feed.Append(asked)
	feed.Append(ofRun(2, ""))
	feed.Lost(at(3), bridge.GapOverrun)
	expect(t, readIn(t, hub, framing, bridge.Resume{Since: bridge.Since{Kind: bridge.SinceAll}}, run), "open@0", "end {}@2")
}

// If a stream holds the subject of the question, its acknowledgement is no answer. Everything that merely looks like one is.
func TestAcknowledgementIsNoAnswer(t *testing.T) {
	for data, isNoise := range map[string]bool{
		`{"stream":"ORDERS","seq":12}`:                                                        true,
		`{"stream":"ORDERS","domain":"hub","seq":12}`:                                         true,
		`{"stream":"ORDERS","seq":12,"duplicate": true}`:                                      true,
		`{"error":{"code":503,"err_code":10077,"description":"x"},"stream":"ORDERS","seq":0}`: true,
		`{"stream":"ORDERS","seq":12,"text":"hello"}`:                                         false,
		`{"stream":"ORDERS"}`:                                                                 false,
		`{"error":{"code":503},"stream":"x"}`:                                                 false,
		`{"stream":"ORDERS", "seq":12}`:                                                       false,
		`stream`:                                                                              false,
	} {
		got, _ := readRun(t, bridge.Framing{}, asked, ofRun(2, data), ofRun(3, ""))
		if has := slices.Contains(got, "message "+data); has == isNoise {
			t.Errorf("%s: got %q", data, got)
		}
	}
	marked, _ := readRun(t, bridge.Framing{}, asked, ofRun(2, `{"stream":"ORDERS","seq":12}`, "Trace", "1"))
	if !slices.Contains(marked, `message {"stream":"ORDERS","seq":12}`) {
		t.Errorf("a worker's own: got %q", marked)
	}
}

// Newline-delimited JSON has the same ends.
func TestRunInLines(t *testing.T) {
	hub, source := newHub(t, bridge.DefaultMemory)
	reader := readIn(t, hub, bridge.Framing{Format: bridge.Lines, Run: true}, bridge.Resume{}, run)
	source.feed(t).Begin([]bridge.Part{{Subjects: []bridge.Subject{run}, At: at(0)}})
	source.feed(t).Append(ofRun(1, "a"))
	source.feed(t).Append(ofRun(2, ""))
	var got string
	for !reader.Ended() {
		for _, frame := range reader.Next(nil, 1<<20, bridge.NewSignal()) {
			got = string(frame)
		}
	}
	if want := fmt.Sprintf("{\"event\":\"tailwater:end\",\"data\":\"{}\",\"id\":%q}\n", at(2)); got != want {
		t.Errorf("got %s", got)
	}
}
