package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// However many answers are stored, no message of another subject has to go: its reader continues without a gap. That holds for a
// folder of an earlier version, too, whose one stream kept both.
func TestAnswersPushNoMessageOut(t *testing.T) {
	t.Parallel()
	set := questions(settings{"EMBED_DIR": t.TempDir(), "EMBED_LISTEN": "127.0.0.1:0", "HISTORY_MAX_BYTES": "1MiB", "ANSWERS_MAX_BYTES": "1MiB"})
	without := with(set, settings{"HISTORY": ""})
	delete(without, "HISTORY_MAX_BYTES")
	delete(without, "ANSWERS_MAX_BYTES")
	n := startNode(t, without)
	js := connectJetStream(t, n.NATSURL())
	config := jetstream.StreamConfig{Name: "TAILWATER", Subjects: []string{"answers.>", "chat.>"}, MaxAge: 24 * time.Hour, AllowDirect: true}
	if _, err := js.CreateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	for _, message := range []string{"chat.a one", "answers.-.older x", "chat.a two"} {
		subject, body, _ := strings.Cut(message, " ")
		if _, err := js.Publish(t.Context(), subject, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the bridge has found the stream", func() bool {
		_, text := get(t, n.URL()+"/events/chat.a?poll=1&since=all")
		return strings.Contains(text, "two")
	})
	reader, _ := subscribe(t, n.URL()+"/events/chat.a?since=all", "")
	id := reader.expect("message", "one").ID
	reader.body.Close()
	n.stop(t)

	n = startNode(t, set)
	worker := publisher(t, n.NATSURL())
	chunk := make([]byte, 64<<10)
	const chunks = 64
	_, err := worker.Subscribe("llm.much", func(m *nats.Msg) {
		for range chunks {
			_ = m.Respond(chunk)
		}
		_ = m.Respond(nil)
	})
	noError(t, err)
	noError(t, worker.Flush())
	run := follow(t, askWith(t, "POST", n.URL()+"/ask/much", "?", asStream))
	if got := run.rest(); len(got) < 2 || got[len(got)-1] != bridge.EventEnd+" {}" {
		t.Fatalf("the answer ends with %d events", len(got))
	}
	again, opening := subscribe(t, n.URL()+"/events/chat.a", id)
	if opening.Type != bridge.EventOpen {
		t.Fatalf("the reader is told %+v", opening)
	}
	again.expect("message", "two")
	if code, text := post(t, n.URL()+"/events/chat.a", "three"); code != 201 {
		t.Fatal(code, text)
	}
	again.until("three")
	for _, kept := range []struct {
		stream, subject string
		most            uint64
	}{{"TAILWATER", "chat.>", 1 << 20}, {"TAILWATER_ANSWERS", "answers.>", 1 << 20}} {
		stream, err := connectJetStream(t, n.NATSURL()).Stream(t.Context(), kept.stream)
		noError(t, err)
		if info := stream.CachedInfo(); !slices.Equal(info.Config.Subjects, []string{kept.subject}) || info.State.Bytes > kept.most {
			t.Errorf("%s has %v, and %d bytes", kept.stream, info.Config.Subjects, info.State.Bytes)
		}
	}
}

// until reads messages up to this one.
func (s *subscription) until(data string) {
	s.t.Helper()
	for event := (bridgetest.Event{}); event.Data != data; event = s.next() {
		if event.Type == bridge.EventGap || event.Type == bridge.EventReset {
			s.t.Fatalf("the reader is told %+v", event)
		}
	}
}
