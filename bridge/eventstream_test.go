package bridge_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// browser reads an event stream by the letter of WHATWG HTML 9.2.6, and so sees what a payload might have smuggled in:
// unlike bridgetest.Stream it takes everything that a browser takes.
type browser struct {
	events             []bridgetest.Event
	data               strings.Builder // the buffers of the specification: of data,
	eventType, idField string          // of the type, and of the last event id
	retry              string
}

// browse returns what a browser dispatches for a whole stream.
func browse(stream string) *browser {
	b := &browser{}
	text := string([]rune(stream)) // decoding makes U+FFFD of what is not UTF-8
	text = strings.TrimPrefix(text, "\ufeff")
	for {
		end := strings.IndexAny(text, "\r\n")
		if end < 0 {
			return b // an incomplete line is discarded, and so is an event without its blank line
		}
		line, ending := text[:end], 1
		if strings.HasPrefix(text[end:], "\r\n") {
			ending = 2
		}
		text = text[end+ending:]
		if line == "" {
			b.dispatch()
		} else {
			b.line(line)
		}
	}
}

func (b *browser) line(line string) {
	colon := strings.IndexByte(line, ':')
	switch {
	case colon == 0: // a comment
	case colon < 0:
		b.field(line, "")
	default:
		value := line[colon+1:]
		if value != "" && value[0] == ' ' {
			value = value[1:]
		}
		b.field(line[:colon], value)
	}
}

func (b *browser) field(name, value string) {
	switch name {
	case "event":
		b.eventType = value
	case "data":
		b.data.WriteString(value)
		b.data.WriteByte('\n')
	case "id":
		if !strings.Contains(value, "\x00") {
			b.idField = value
		}
	case "retry":
		if strings.Trim(value, "0123456789") == "" {
			b.retry = value
		}
	}
}

func (b *browser) dispatch() {
	event := bridgetest.Event{Type: b.eventType, Data: strings.TrimSuffix(b.data.String(), "\n"), ID: b.idField}
	empty := b.data.Len() == 0
	b.eventType = ""
	b.data.Reset()
	if empty {
		return
	}
	if event.Type == "" {
		event.Type = "message"
	}
	b.events = append(b.events, event)
}

// The reader of the tests is itself held against the specification's own examples and rules.
func TestBrowse(t *testing.T) {
	type all = []bridgetest.Event
	for stream, want := range map[string]all{
		"data: a\ndata: b\n\n":               {{Type: "message", Data: "a\nb"}},
		"data: a\rdata: b\r\ndata:c\n\r":     {{Type: "message", Data: "a\nb\nc"}},
		"\ufeffdata:  a\n\n":                 {{Type: "message", Data: " a"}},
		": x\n\ufeffdata: a\n\n":             nil,
		"data\n\ndata\ndata\n\ndata:":        {{Type: "message"}, {Type: "message", Data: "\n"}},
		"event: e\nid: 1\n\ndata: a\n\n":     {{Type: "message", Data: "a", ID: "1"}},
		"event: e\nid: 1\x00\ndata: a\n\n":   {{Type: "e", Data: "a"}},
		"id: 1\ndata: a\n\nid\ndata: b\n\n":  {{Type: "message", Data: "a", ID: "1"}, {Type: "message", Data: "b"}},
		"data: a\u2028\u0085\n\n":            {{Type: "message", Data: "a\u2028\u0085"}},
		"data: a\xff\n\n":                    {{Type: "message", Data: "a\ufffd"}},
		"data: a\nid: 1\nretry: 5\nevent: e": nil,
	} {
		if got := browse(stream).events; !slices.Equal(got, want) {
			t.Errorf("%q is read as %+v, want %+v", stream, got, want)
		}
	}
}
