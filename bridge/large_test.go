package bridge_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// limited opens a reader that accepts messages up to a size.
func limited(t testing.TB, hub *bridge.Hub, framing bridge.Framing, most int, resume bridge.Resume, subjects ...bridge.Subject) *bridge.Reader {
	t.Helper()
	reader := readIn(t, hub, framing, resume, subjects...)
	reader.Limit(most)
	return reader
}

// checkLarge holds an event against the frame that it stands for.
func checkLarge(t testing.TB, framing bridge.Framing, got, full []byte, subject string) {
	t.Helper()
	var outer struct{ Event, Data, ID string }
	if framing.Format == bridge.Lines {
		if err := json.Unmarshal([]byte(line(t, got)), &outer); err != nil {
			t.Fatalf("%q: %v", got, err)
		}
	} else {
		event := dispatched(t, framing, got)
		outer.Event, outer.Data, outer.ID = event.Type, event.Data, event.ID
	}
	var data struct {
		Subject, ID string
		Size        int
	}
	decoder := json.NewDecoder(strings.NewReader(outer.Data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&data); err != nil || outer.Event != bridge.EventLarge {
		t.Fatalf("%q stands for a large message: %v", got, err)
	}
	if data.Subject != subject || data.ID != outer.ID || data.Size != len(full) {
		t.Errorf("%q stands for %d bytes on %s", got, len(full), subject)
	}
	if !strings.Contains(string(full), outer.ID) {
		t.Errorf("%q has an id that %.200q does not have", got, full)
	}
}

// A message whose frame is larger than a reader accepts is replaced by an event with its id. Another reader of the same feed receives the message.
func TestLarge(t *testing.T) {
	for _, framing := range []bridge.Framing{{}, {Format: bridge.JSON}, {Format: bridge.Lines}, {Format: bridge.JSON, JSONPayloads: true}} {
		t.Run(fmt.Sprintf("%+v", framing), func(t *testing.T) {
			hub, source := newHub(t, bridge.DefaultMemory)
			most := 400
			small := limited(t, hub, framing, most, bridge.Resume{}, "chat.*")
			all := readIn(t, hub, framing, bridge.Resume{}, "chat.*")
			feed := source.feed(t)
			feed.Begin(unstored(at(0)))
			frames(t, small)
			frames(t, all)
			if hub.Stats().Feeds != 1 {
				t.Errorf("%d feeds", hub.Stats().Feeds)
			}
			lead := small.Fork()
			defer lead.Close()
			if !small.Level(lead) || small.Kin() != lead.Kin() || small.Kin() == all.Kin() {
				t.Error("readers with another limit are kin, or with the same are not")
			}
			sizes := []int{1, most, most / 2, 10 * most}
			for i, size := range sizes {
				feed.Append(&bridge.Message{Subject: "chat.größe", Position: at(uint64(i + 1)), Data: []byte(strings.Repeat("x", size))})
			}
			feed.Append(&bridge.Message{Subject: "chat." + strings.Repeat("x", most), Position: at(9), Deleted: true})
			full := frames(t, all)
			for _, reader := range []*bridge.Reader{small, lead} {
				got := frames(t, reader)
				if len(got) != len(full) {
					t.Fatalf("%d of %d", len(got), len(full))
				}
				for i, frame := range got {
					if i < len(sizes) && len(full[i]) > most {
						checkLarge(t, framing, frame, full[i], "chat.größe")
					} else if string(frame) != string(full[i]) {
						t.Errorf("%.200q instead of %.200q", frame, full[i])
					}
				}
			}
		})
	}
}

// The same from a stream, also where the connection reads several and its ids have a position for each.
func TestLargeReplayed(t *testing.T) {
	for _, streams := range []int{1, 2} {
		t.Run(fmt.Sprint(streams), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hub, source := newHub(t, bridge.Memory{Frames: 2, Bytes: 1 << 20})
				a := newStream("a", time.Unix(1, 0)).tap()
				logs := []bridge.Part{a.part("a")}
				subjects := []bridge.Subject{"a", "b"}[:streams]
				if streams == 2 {
					logs = append(logs, newStream("b", time.Unix(1, 0)).tap().part("b"))
				}
				read(t, hub, bridge.Resume{}, subjects...)
				feed := source.feed(t)
				feed.Begin(logs)
				for i := range 20 {
					a.publish("a", strings.Repeat("x", 100*(i%5)), time.Unix(int64(i)+2, 0))
					a.deliver(a.Last().Seq+1, feed)
				}
				resume := bridge.Resume{After: bridge.ID{{Epoch: a.epoch}}}
				full := soon(t, read(t, hub, resume, subjects...))
				small := soon(t, limited(t, hub, bridge.Framing{}, 300, resume, subjects...))
				if len(full) != 21 || len(small) != 21 {
					t.Fatalf("%d and %d frames", len(full), len(small))
				}
				for i, frame := range small {
					if len(full[i]) > 300 {
						checkLarge(t, bridge.Framing{}, frame, full[i], "a")
					} else if string(frame) != string(full[i]) {
						t.Errorf("%.200q instead of %.200q", frame, full[i])
					}
				}
			})
		})
	}
}
