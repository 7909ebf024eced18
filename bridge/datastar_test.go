package bridge_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// arguments reads the data of an event as Datastar does: each line has the name of an argument, a blank and a value, and lines of the same
// name are joined.
func arguments(data string) map[string]string {
	found := map[string]string{}
	for line := range strings.SplitSeq(data, "\n") {
		name, value, _ := strings.Cut(line, " ")
		if before, again := found[name]; again {
			value = before + "\n" + value
		}
		found[name] = value
	}
	return found
}

func TestDatastar(t *testing.T) {
	for _, test := range []struct {
		payload        string
		selector, mode string
		event          string
		want           map[string]string
	}{
		{"<b id=clock>12:00</b>", "", "", "datastar-patch-elements", map[string]string{"elements": "<b id=clock>12:00</b>"}},
		{"<ul>\n  <li>a\r\n</ul>\r", "", "", "datastar-patch-elements", map[string]string{"elements": "<ul>\n  <li>a\n</ul>\n"}},
		{"<li>a", "#log", "append", "datastar-patch-elements", map[string]string{"elements": "<li>a", "selector": "#log", "mode": "append"}},
		{"", "#log > li:first-child", "remove", "datastar-patch-elements", map[string]string{"elements": "", "selector": "#log > li:first-child", "mode": "remove"}},
		{`{"on":true}`, "", "", "datastar-patch-signals", map[string]string{"signals": `{"on":true}`}},
		{" {\n\"on\": true\r}", "#log", "append", "datastar-patch-signals", map[string]string{"signals": " {\n\"on\": true\n}"}},
		{`{"on":tru`, "", "", "datastar-patch-elements", map[string]string{"elements": `{"on":tru`}},
		{`["a"]`, "", "", "datastar-patch-elements", map[string]string{"elements": `["a"]`}},
		{"mode remove\nselector body", "", "", "datastar-patch-elements", map[string]string{"elements": "mode remove\nselector body"}},
		{"x", "a\nelements <script>", "append\r\n\r\nevent: forged", "datastar-patch-elements", map[string]string{"elements": "x"}},
		{"x", strings.Repeat("a", 513), "\xff", "datastar-patch-elements", map[string]string{"elements": "x"}},
	} {
		m := &bridge.Message{Subject: "ui.clock", Position: at(7), Event: "mine", Data: []byte(test.payload), Header: map[string][]string{
			bridge.HeaderDatastarSelector: {test.selector}, bridge.HeaderDatastarMode: {test.mode},
		}}
		framing := bridge.Framing{Format: bridge.Datastar}
		got := dispatched(t, framing, encode(t, framing, m))
		if got.Type != test.event || got.ID != at(7).String() || !maps.Equal(arguments(got.Data), test.want) {
			t.Errorf("%+v arrives as %+v", test, got)
		}
	}
}

// In Datastar's format, too, what Tailwater says is its own, and what is no text is base64.
func TestDatastarKeepsOwnEvents(t *testing.T) {
	framing := bridge.Framing{Format: bridge.Datastar}
	m := &bridge.Message{Subject: "ui.clock", Position: at(7), Data: []byte("\xff")}
	if got, want := dispatched(t, framing, encode(t, framing, m)), (bridgetest.Event{Type: bridge.EventBinary, Data: "/w==", ID: at(7).String()}); got != want {
		t.Errorf("%+v", got)
	}
	m = &bridge.Message{Subject: "ui.clock", Position: at(7), Deleted: true}
	if got := dispatched(t, framing, encode(t, framing, m)); got.Type != bridge.EventDelete || got.Data != `{"subject":"ui.clock"}` {
		t.Errorf("%+v", got)
	}
}

// Whatever a publisher sends, Datastar gets one event with one argument for the payload, and no argument that the headers do not name.
func FuzzDatastar(f *testing.F) {
	for _, test := range payloads {
		f.Add([]byte(test.payload), "#log", "append")
	}
	for _, test := range jsonPayloads {
		f.Add([]byte(test.payload), "", "")
	}
	f.Add([]byte("\xff"), "a\rid: 5\r\r", "b\nmode remove")
	f.Add([]byte("<b>\nselector x"), "\u2028", "inner\x00")
	f.Fuzz(func(t *testing.T, payload []byte, selector, mode string) {
		m := &bridge.Message{Subject: "ui.clock", Position: at(7), Data: payload, Header: map[string][]string{
			bridge.HeaderDatastarSelector: {selector}, bridge.HeaderDatastarMode: {mode},
		}}
		framing := bridge.Framing{Format: bridge.Datastar}
		got := dispatched(t, framing, encode(t, framing, m))
		if !isText(payload) {
			if got.Type != bridge.EventBinary || got.Data != base64.StdEncoding.EncodeToString(payload) {
				t.Errorf("%+v", got)
			}
			return
		}
		text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(payload))
		event, want := "datastar-patch-elements", map[string]string{"elements": text}
		var object map[string]json.RawMessage
		if json.Unmarshal(payload, &object) == nil && object != nil {
			event, want = "datastar-patch-signals", map[string]string{"signals": text}
		} else {
			for name, value := range map[string]string{"selector": selector, "mode": mode} {
				if value != "" && len(value) <= 512 && isLine(value) {
					want[name] = value
				}
			}
		}
		if got.Type != event || got.ID != at(7).String() || !maps.Equal(arguments(got.Data), want) {
			t.Errorf("%q, %q, %q arrive as %+v, want %s %q", payload, selector, mode, got, event, want)
		}
	})
}

// isLine reports whether a text has only characters that can be seen, and the joiners of scripts that need them.
func isLine(text string) bool {
	for _, r := range text {
		if !unicode.IsPrint(r) && r != '\u200c' && r != '\u200d' {
			return false
		}
	}
	return utf8.ValidString(text)
}
