package bridge_test

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// payloads are payloads that have broken other encoders, with the data that a browser must get in Raw.
var payloads = []struct{ payload, want string }{
	{"", ""},
	{"hello", "hello"},
	{`{"a": 1}`, `{"a": 1}`},
	{"a\nb", "a\nb"},
	{"a\rb", "a\nb"},
	{"a\r\nb", "a\nb"},
	{"a\n\rb", "a\n\nb"},
	{"a\n", "a\n"},
	{"\na", "\na"},
	{"\n", "\n"},
	{"\r", "\n"},
	{"\r\n", "\n"},
	{"\r\r", "\n\n"},
	{"\r\r\n\n", "\n\n\n"},
	{" a", " a"},
	{"  a \n b ", "  a \n b "},
	{":", ":"},
	{": comment", ": comment"},
	{"\ufeffa", "\ufeffa"},
	{"a\u2028b\u2029c\u0085d\ve\ff", "a\u2028b\u2029c\u0085d\ve\ff"},
	{"data: x\n\nid: evil", "data: x\n\nid: evil"},
	{"a\n\ndata: b\n\n", "a\n\ndata: b\n\n"},
	{"\revent: forged", "\nevent: forged"},
	{"x\rid: evil\r\rdata: y\r\r", "x\nid: evil\n\ndata: y\n\n"},
	{"\r\nretry: 1", "\nretry: 1"},
	{"<script>&\u00e9\U0001f30a", "<script>&\u00e9\U0001f30a"},
	{"\ufffd", "\ufffd"},
}

// binaries are payloads that no event stream can carry as they are.
var binaries = []string{"\x00", "a\x00b", "\xff", "a\xc3", "\xed\xa0\x80", "\xff\nid: evil\n\n", "text\r\n\x00"}

// encode returns the single frame that a feed makes of a message.
func encode(t testing.TB, framing bridge.Framing, m *bridge.Message) []byte {
	t.Helper()
	hub, source := newHub(t, bridge.DefaultMemory)
	defer hub.Close()
	reader := readIn(t, hub, framing, bridge.Resume{}, ">")
	source.feed(t).Begin(unstored(at(0)))
	frames(t, reader)
	source.feed(t).Append(m)
	all := frames(t, reader)
	if len(all) != 1 {
		t.Fatalf("one message makes %d frames", len(all))
	}
	return all[0]
}

// dispatched returns the one event that a frame stands for, behind a preamble and before a heartbeat, as the strict reader
// and a browser agree.
func dispatched(t testing.TB, framing bridge.Framing, frame []byte) bridgetest.Event {
	t.Helper()
	text := slices.Concat(framing.Preamble(), frame, framing.Heartbeat())
	browser := browse(string(text))
	stream := bridgetest.NewStream(bytes.NewReader(text))
	event, err := stream.Next()
	if err != nil || len(browser.events) != 1 || browser.events[0] != event {
		t.Fatalf("the frame %.200q is read strictly as %.200v, %v, and by a browser as %.200v", frame, event, err, browser.events)
	}
	if more, err := stream.Next(); err == nil || browser.retry != "" || browser.idField != event.ID {
		t.Fatalf("behind the frame %.200q comes %v; retry is %s, the id %q", frame, more, browser.retry, browser.idField)
	}
	return event
}

func TestRaw(t *testing.T) {
	for _, test := range payloads {
		message := &bridge.Message{Subject: "chat.room1", Position: at(7), Data: []byte(test.payload)}
		got := dispatched(t, bridge.Framing{}, encode(t, bridge.Framing{}, message))
		if want := (bridgetest.Event{Type: "message", Data: test.want, ID: at(7).String()}); got != want {
			t.Errorf("%q arrives as %+v, want %+v", test.payload, got, want)
		}
	}
	for _, payload := range binaries {
		message := &bridge.Message{Subject: "chat.room1", Position: at(7), Event: "mine", Data: []byte(payload)}
		got := dispatched(t, bridge.Framing{}, encode(t, bridge.Framing{}, message))
		want := bridgetest.Event{Type: bridge.EventBinary, Data: base64.StdEncoding.EncodeToString(message.Data), ID: at(7).String()}
		if got != want {
			t.Errorf("%q arrives as %+v, want %+v", payload, got, want)
		}
	}
}

// Large payloads arrive whole.
func TestLargePayload(t *testing.T) {
	text := strings.Repeat(strings.Repeat("a", 1023)+"\r", 256)
	message := &bridge.Message{Subject: "big", Position: at(1), Data: []byte(text)}
	event := dispatched(t, bridge.Framing{}, encode(t, bridge.Framing{}, message))
	if event.Data != strings.ReplaceAll(text, "\r", "\n") {
		t.Errorf("of 256 KiB of text %d bytes arrive, or others", len(event.Data))
	}
	checkObject(t, line(t, encode(t, bridge.Framing{Format: bridge.Lines}, message)), message, "")
	message = &bridge.Message{Subject: "big", Position: at(1), Data: bytes.Repeat([]byte{0}, 512<<10)}
	event = dispatched(t, bridge.Framing{}, encode(t, bridge.Framing{}, message))
	if event.Data != base64.StdEncoding.EncodeToString(message.Data) {
		t.Errorf("of 512 KiB of zeros %d bytes arrive in base64, or others", len(event.Data))
	}
}
