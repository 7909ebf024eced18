package bridge_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// The publisher's event name wins over the subject. Neither can be a name of EventSource's or Tailwater's.
func TestEventOfAMessage(t *testing.T) {
	for _, test := range []struct {
		subject, event string
		bySubject      bool
		want           string
	}{
		{"chat.room1", "", false, ""},
		{"chat.room1", "tick", false, "tick"},
		{"chat.room1", "", true, "chat.room1"},
		{"chat.room1", "tick", true, "tick"},
		{"größe", "", true, "größe"},
		{"open", "", true, ""},
		{"error", "", true, ""},
		{"message", "", true, ""},
		{"open.x", "", true, "open.x"},
		{"tailwater:gap", "", true, ""},
		{"a\rid: 5", "", true, ""},
		{"a\x00", "", true, ""},
		{"a\xff", "", true, ""},
		{"open", "tick", true, "tick"},
	} {
		for _, format := range []bridge.Format{bridge.Raw, bridge.JSON, bridge.Lines} {
			framing := bridge.Framing{Format: format, SubjectEvents: test.bySubject}
			message := &bridge.Message{Subject: test.subject, Event: test.event, Position: at(3), Data: []byte("x")}
			frame := encode(t, framing, message)
			if format == bridge.Lines {
				checkObject(t, line(t, frame), message, test.want)
				continue
			}
			want := test.want
			if want == "" {
				want = "message"
			}
			event := dispatched(t, framing, frame)
			if event.Type != want || strings.Contains(string(frame), "event:") != (test.want != "") {
				t.Errorf("%+v is sent as %q", test, frame)
			}
			if format == bridge.JSON {
				checkObject(t, event.Data, message, test.want)
			}
		}
	}
}

// Anything that a publisher sends, on any subject, is exactly one event of the expected type.
func FuzzFrame(f *testing.F) {
	for _, test := range payloads {
		f.Add([]byte(test.payload), "chat.room1", "", "")
	}
	for _, payload := range binaries {
		f.Add([]byte(payload), "chat.room1", "tick", "value")
	}
	f.Add([]byte("x"), "a\rid: 5\r\r", "b\nid: 6", "c\r\n\r\n")
	f.Add([]byte("x"), "tailwater:gap", "open", "\u2028")
	f.Add([]byte("x"), "a\xff\x00", "tailwater:reset", "\xff")
	f.Fuzz(func(t *testing.T, payload []byte, subject, event, header string) {
		if subject == "" {
			t.Skip("no message of NATS is without a subject")
		}
		message := &bridge.Message{Subject: subject, Position: at(7), Data: payload}
		if bridge.CheckEventName(event) == nil { // the source sees to that
			message.Event = event
		}
		if header != "" {
			message.Header = map[string][]string{"X": {string([]rune(header))}}
		}
		for _, bySubject := range []bool{false, true} {
			name := message.Event
			if bySubject && name == "" && bridge.CheckEventName(subject) == nil {
				name = subject
			}
			checkFrames(t, message, bySubject, name)
		}
	})
}

// checkFrames holds the frames of a message against what is due for the name of its event.
func checkFrames(t *testing.T, m *bridge.Message, bySubject bool, name string) {
	t.Helper()
	want := bridgetest.Event{Type: name, ID: m.Position.String()}
	if name == "" {
		want.Type = "message"
	}
	object := bridge.Framing{Format: bridge.JSON, SubjectEvents: bySubject}
	got := dispatched(t, object, encode(t, object, m))
	checkObject(t, got.Data, m, name)
	if got.Data = ""; got != want {
		t.Errorf("in JSON it arrives as %+v, want %+v", got, want)
	}
	lines := bridge.Framing{Format: bridge.Lines, SubjectEvents: bySubject}
	checkObject(t, line(t, encode(t, lines, m)), m, name)

	want.Data = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(m.Data))
	if !isText(m.Data) {
		want.Type, want.Data = bridge.EventBinary, base64.StdEncoding.EncodeToString(m.Data)
	}
	raw := bridge.Framing{SubjectEvents: bySubject}
	if got := dispatched(t, raw, encode(t, raw, m)); got != want {
		t.Errorf("in Raw it arrives as %+v, want %+v", got, want)
	}
}

// What Tailwater says itself, in the formats of server-sent events and of lines.
func TestOwnFrames(t *testing.T) {
	for _, format := range []bridge.Format{bridge.Raw, bridge.JSON, bridge.Datastar} {
		framing := bridge.Framing{Format: format}
		if got := framing.ContentType(); got != "text/event-stream" {
			t.Errorf("the content type is %q", got)
		}
		end := browse(string(framing.Close(bridge.CloseDrain, 1500*time.Millisecond)))
		want := bridgetest.Event{Type: bridge.EventClose, Data: `{"reason":"drain"}`}
		if len(end.events) != 1 || end.events[0] != want || end.retry != "1500" {
			t.Errorf("Close gives %+v", end)
		}
		for _, comment := range []string{string(framing.Preamble()), string(framing.Heartbeat())} {
			// A byte order mark is stripped only at the very start, and some parsers take an empty line for a message.
			if comment[0] != ':' || strings.Count(comment, "\n") != 1 || browse(comment + "data: x\n\n").events[0].Data != "x" {
				t.Errorf("%q is no comment of one line", comment)
			}
		}
	}
	lines := bridge.Framing{Format: bridge.Lines}
	if got := lines.ContentType(); got != "application/x-ndjson" {
		t.Errorf("the content type is %q", got)
	}
	if got := string(lines.Preamble()) + string(lines.Heartbeat()); got != "\n" {
		t.Errorf("the preamble and the heartbeat are %q, want an empty line", got)
	}
	var got struct{ Event, ID, Data string }
	if err := json.Unmarshal([]byte(line(t, lines.Close(bridge.CloseAge, time.Second))), &got); err != nil || got.Event != bridge.EventClose || got.Data != `{"reason":"age"}` {
		t.Errorf("Close gives %+v, %v", got, err)
	}
	hub, source := newHub(t, bridge.DefaultMemory)
	reader := readIn(t, hub, lines, bridge.Resume{}, "chat.*", "news")
	source.feed(t).Begin(unstored(at(5)))
	opening := frames(t, reader)
	if len(opening) != 1 || string(opening[0]) != `{"event":"tailwater:open","data":"{\"subjects\":[\"chat.*\",\"news\"]}","id":"`+at(5).String()+`"}`+"\n" {
		t.Errorf("the opening is %q", opening)
	}
}
