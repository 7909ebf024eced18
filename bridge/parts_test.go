package bridge_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// A reader that has missed several exchanges of parts is told of a reset, if there was one, and continues where each
// part began.
func TestExchanges(t *testing.T) {
	parts := func(logs ...*fakeLog) []bridge.Part {
		var all []bridge.Part
		for _, log := range logs {
			all = append(all, log.part(bridge.Subject(log.name)))
		}
		return all
	}
	fill := func(log *fakeLog, feed *bridge.Feed, count int) {
		for range count {
			log.publish(log.name, fmt.Sprintf("%s%d", log.name, log.Last().Seq+1), time.Unix(int64(log.Last().Seq)+2, 0))
			log.deliver(1<<62, feed)
		}
	}
	begin := func(t *testing.T) (*stored, *fakeLog, *bridge.Reader) {
		s := &stored{}
		s.hub, s.source = newHub(t, bridge.DefaultMemory)
		reader := read(t, s.hub, bridge.Resume{}, "a", "b")
		s.feed = s.source.feed(t)
		first := newStream("a", time.Unix(1, 0)).tap()
		s.feed.Begin(parts(first), "")
		fill(first, s.feed, 2)
		frames(t, reader)
		return s, first, reader
	}
	check := func(t *testing.T, reader *bridge.Reader, want ...string) {
		t.Helper()
		var got []string
		for _, e := range events(t, frames(t, reader)...) {
			got = append(got, plain(sketch(e)))
		}
		if strings.Join(got, ", ") != strings.Join(want, ", ") {
			t.Errorf("the reader gets %q, want %q", got, want)
		}
	}
	t.Run("the same parts", func(t *testing.T) {
		s, first, reader := begin(t)
		s.feed.Begin(parts(first), bridge.GapDisconnected)
		check(t, reader)
		fill(first, s.feed, 1)
		check(t, reader, "a3@3")
	})
	t.Run("rolled back", func(t *testing.T) {
		s, first, reader := begin(t)
		first.restore(content{gone: map[uint64]bool{}, last: bridge.Position{Epoch: first.epoch}})
		again := first.tap()
		s.feed.Begin(parts(again), bridge.ResetRolled)
		fill(again, s.feed, 1)
		check(t, reader, "reset rolled back@0", "a1@1")
	})
	t.Run("a reset behind a gap", func(t *testing.T) {
		s, _, reader := begin(t)
		again := newStream("a", time.Unix(2, 0)).tap()
		s.feed.Begin(parts(again), bridge.ResetRecreated)
		s.feed.Begin(parts(again, newStream("b", time.Unix(1, 0)).tap()), bridge.GapDisconnected)
		check(t, reader, "reset recreated@0.0")
		s.feed.Begin(parts(again), bridge.GapDisconnected)
		check(t, reader, "gap disconnected 0.0..0@0")
	})
}

// An exchange does not leave out what came to a part that stays.
func TestPartThatStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, source := newHub(t, bridge.DefaultMemory)
		reader := read(t, hub, bridge.Resume{}, "a", "b")
		feed := source.feed(t)
		core := bridge.Part{Subjects: []bridge.Subject{"a", "b"}, At: bridge.Position{Epoch: "zPROCESS0000", Seq: 1}}
		feed.Begin([]bridge.Part{core}, "")
		frames(t, reader)
		a, b := newStream("a", time.Unix(1, 0)).tap(), newStream("b", time.Unix(1, 0)).tap()
		core.Subjects, core.At.Seq = []bridge.Subject{"b"}, 2
		feed.Begin([]bridge.Part{a.part("a"), core}, bridge.GapDisconnected)
		a.publish("a", "a1", time.Unix(5, 0))
		a.deliver(1, feed)
		feed.Begin([]bridge.Part{a.part("a"), b.part("b")}, bridge.GapDisconnected)
		s := &stored{}
		if got := strings.Join(s.all(t, reader), ", "); got != "gap disconnected 1..0.0@0.0, a1@0.1" {
			t.Errorf("the reader gets %q", got)
		}
	})
}

// Whatever a message holds, on a connection that reads several logs its frame differs in the id alone.
func FuzzIDOfSeveralLogs(f *testing.F) {
	for _, test := range payloads {
		f.Add([]byte(test.payload), "chat.room1", "tick", "value")
	}
	for _, payload := range binaries {
		f.Add([]byte(payload), "chat.room1", "", "")
	}
	f.Add([]byte("\nid: x"), `a","id":"b`, `b","id":"c`, `","id":"d"}`+"\n")
	f.Add([]byte(`","id":"x"}`), "a\nid: x\n\n", "id: x", "\nid: y")
	f.Fuzz(func(t *testing.T, payload []byte, subject, event, header string) {
		for _, format := range []bridge.Format{bridge.Raw, bridge.JSON, bridge.Lines} {
			framing := bridge.Framing{Format: format}
			message := func(epoch string) *bridge.Message {
				m := &bridge.Message{Subject: subject, Position: bridge.Position{Epoch: epoch, Seq: 7, Time: 1 << 60}, Data: payload}
				if bridge.CheckEventName(event) == nil {
					m.Event = event
				}
				if header != "" {
					m.Header = map[string][]string{"X": {header}, header: {"id"}}
				}
				return m
			}
			alone := encode(t, framing, message(at(1).Epoch))
			hub, source := newHub(t, bridge.DefaultMemory)
			reader := readIn(t, hub, framing, bridge.Resume{}, ">")
			source.feed(t).Begin([]bridge.Part{{At: at(1)}, newStream("a", time.Unix(1, 0)).tap().part("a")}, "")
			frames(t, reader)
			source.feed(t).Append(message(at(1).Epoch))
			both := frames(t, reader)
			other := newStream("a", time.Unix(1, 0)).epoch
			id := message(at(1).Epoch).Position.String()
			end := bytes.LastIndex(alone, []byte(id))
			want := string(alone[:end]) + id + "." + other + "-0" + string(alone[end+len(id):])
			if len(both) != 1 || string(both[0]) != want {
				t.Fatalf("%q becomes %q", alone, both)
			}
			if format != bridge.Lines {
				if got := dispatched(t, framing, both[0]); got.ID != id+"."+other+"-0" || got.Data != dispatched(t, framing, alone).Data {
					t.Fatalf("%q is read as %+v", both[0], got)
				}
			}
			hub.Close()
		}
	})
}
