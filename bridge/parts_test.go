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

// exchange lets the feed that a hub has for some subjects end, and the next one begin with other parts. Readers move when they are read.
func exchange(t *testing.T, source *fakeSource, reader *bridge.Reader, parts ...bridge.Part) {
	t.Helper()
	had := source.feed(t)
	had.End()
	frames(t, reader)
	if source.feed(t) == had {
		t.Fatal("the reader has opened no other feed")
	}
	source.feed(t).Begin(parts)
}

// A reader whose feed has ended continues on another with the position that it holds: exactly, or it is told.
func TestFeedsThatEnd(t *testing.T) {
	part := func(log *fakeLog) bridge.Part { return log.part(bridge.Subject(log.name)) }
	publish := func(s *stored, log *fakeLog, n int) {
		for range n {
			last := log.copy().last.Seq
			log.publish(log.name, fmt.Sprintf("%s%d", log.name, last+1), time.Unix(int64(last)+2, 0))
		}
		log.deliver(1<<62, s.source.feed(t))
	}
	for _, test := range []struct {
		name string
		then func(t *testing.T, s *stored, had *fakeLog, reader *bridge.Reader)
		want string
	}{
		{"the same stream", func(t *testing.T, s *stored, had *fakeLog, reader *bridge.Reader) {
			had.publish("a", "a4", time.Unix(9, 0)) // while no feed is there
			had.deliver(1 << 62)
			exchange(t, s.source, reader, part(had))
			publish(s, had, 1)
		}, "a3@3, a4@4, a5@5"},
		{"a stream made anew", func(t *testing.T, s *stored, had *fakeLog, reader *bridge.Reader) {
			again := newStream("a", time.Unix(5, 0))
			again.publish("a", "again", time.Unix(9, 0))
			exchange(t, s.source, reader, part(again.tap()))
		}, "reset recreated@0, again@1"},
		{"set back to before the position", func(t *testing.T, s *stored, had *fakeLog, reader *bridge.Reader) {
			had.restore(content{gone: map[uint64]bool{}, last: bridge.Position{Epoch: had.epoch}})
			again := had.tap()
			exchange(t, s.source, reader, part(again))
			publish(s, again, 1)
		}, "reset rolled back@0, a1@1"},
		{"set back, and used again", func(t *testing.T, s *stored, had *fakeLog, reader *bridge.Reader) {
			had.restore(content{gone: map[uint64]bool{}, last: bridge.Position{Epoch: had.epoch}})
			for range 5 {
				had.publish("a", "other", time.Unix(50, 0))
			}
			exchange(t, s.source, reader, part(had.tap()))
		}, "reset rolled back@5"},
		{"another stream beside", func(t *testing.T, s *stored, had *fakeLog, reader *bridge.Reader) {
			other := newStream("b", time.Unix(1, 0)).tap()
			exchange(t, s.source, reader, part(had), part(other))
			publish(s, other, 1)
		}, "gap disconnected 2..0.2@0.2, a3@0.3, b1@1.3"},
		{"not stored any more", func(t *testing.T, s *stored, had *fakeLog, reader *bridge.Reader) {
			exchange(t, s.source, reader, bridge.Part{Subjects: []bridge.Subject{"a", "b"}, At: at(7)})
			s.source.feed(t).Append(message(8))
		}, "gap disconnected 2..7@7, m8@8"},
		{"two feeds in a row", func(t *testing.T, s *stored, had *fakeLog, reader *bridge.Reader) {
			again := newStream("a", time.Unix(5, 0))
			exchange(t, s.source, reader, part(again.tap()))
			exchange(t, s.source, reader, part(again.tap()))
		}, "reset recreated@0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &stored{}
				s.hub, s.source = newHub(t, bridge.DefaultMemory)
				reader := read(t, s.hub, bridge.Resume{}, "a", "b")
				had := newStream("a", time.Unix(1, 0)).tap()
				s.source.feed(t).Begin([]bridge.Part{part(had)})
				publish(s, had, 2)
				frames(t, reader)
				if strings.Contains(test.want, "a3") { // which is on its way when the feed ends
					publish(s, had, 1)
				}
				test.then(t, s, had, reader)
				if all := strings.Join(s.all(t, reader), ", "); all != test.want {
					t.Errorf("the reader gets %q, want %q", all, test.want)
				}
			})
		})
	}
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
			source.feed(t).Begin([]bridge.Part{{At: at(1)}, newStream("a", time.Unix(1, 0)).tap().part("a")})
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
