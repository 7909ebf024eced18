package bridge

import (
	"bytes"
	"encoding/json"
	"time"
	"unicode/utf8"
)

// The bytes of events, in every format.

// control encodes one of Tailwater's own events. An empty id does not change the client's position.
func (f Framing) control(event string, data any, id string) []byte {
	text := encodeJSON(data)
	if f.Format == Lines {
		return append(encodeJSON(&object{Event: event, ID: id, Data: string(text)}), '\n')
	}
	return encodeFrame(event, text, []byte(id))
}

// object is a message in the formats JSON and Lines.
type object struct {
	Subject    string              `json:"subject,omitempty"`
	Time       time.Time           `json:"time,omitzero"`
	Event      string              `json:"event,omitempty"`
	Headers    map[string][]string `json:"headers,omitempty"`
	Data       any                 `json:"data,omitempty"` // a string, or a JSON value; nil for none
	DataBase64 []byte              `json:"data_base64,omitempty"`
	ID         string              `json:"id,omitempty"` // last; see withID
}

// encodeJSON encodes this package's own values of strings and bytes, which always succeeds.
func encodeJSON(value any) []byte {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err)
	}
	return escapeLineEnds(bytes.TrimSuffix(text.Bytes(), []byte("\n")))
}

// lineEnds are characters that end a line for some readers, such as Python's splitlines, but not in JSON or event streams. In JSON they can
// occur only inside strings.
var lineEnds = []struct{ plain, escaped []byte }{
	{[]byte("\u0085"), []byte(`\u0085`)},
	{[]byte("\u2028"), []byte(`\u2028`)},
	{[]byte("\u2029"), []byte(`\u2029`)},
}

// escapeLineEnds escapes the lineEnds in a JSON text.
func escapeLineEnds(text []byte) []byte {
	for _, end := range lineEnds {
		if bytes.Contains(text, end.plain) {
			text = bytes.ReplaceAll(text, end.plain, end.escaped)
		}
	}
	return text
}

// encodeFrame encodes one server-sent event (WHATWG HTML 9.2.5). The id is the last line, so a frame that was cut does not change a client's
// position. event and id must not contain line ends; data may be any UTF-8 without NUL.
func encodeFrame(event string, data, id []byte) []byte { return encodeLines(event, nil, "", data, id) }

// encodeLines is encodeFrame with complete lines before the data, and a prefix of each line of the data. One blank follows each colon, because a
// browser removes one: a payload's own first blank stays.
func encodeLines(event string, lines []byte, prefix string, data, id []byte) []byte {
	const fields = len("event: \n\nid: \n\n")
	data = withoutCR(data)
	size := len(event) + len(lines) + len(data) + len(id) + fields
	made := make([]byte, 0, size+(len("data: ")+len(prefix))*(1+bytes.Count(data, []byte("\n"))))
	if event != "" {
		made = append(made, "event: "...)
		made = append(made, event...)
		made = append(made, '\n')
	}
	made = append(made, lines...)
	for more := true; more; {
		var line []byte
		line, data, more = bytes.Cut(data, []byte("\n"))
		made = append(made, "data: "...)
		made = append(made, prefix...)
		made = append(made, line...)
		made = append(made, '\n')
	}
	if len(id) > 0 {
		made = append(made, "id: "...)
		made = append(made, id...)
		made = append(made, '\n')
	}
	return append(made, '\n')
}

// withoutCR returns data with LF for each CR and CRLF. All three end a line for a browser, so each begins a new field: otherwise the text after a
// lone CR would be read as a field of the publisher's choosing.
func withoutCR(data []byte) []byte {
	if bytes.IndexByte(data, '\r') < 0 {
		return data
	}
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	return bytes.ReplaceAll(data, []byte("\r"), []byte("\n"))
}

// isText reports whether a payload can be sent in `data:` lines: UTF-8 without NUL, which Firefox drops.
func isText(data []byte) bool {
	return utf8.Valid(data) && bytes.IndexByte(data, 0) < 0
}
