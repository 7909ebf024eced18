package bridge_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tailwater/tailwater/bridge"
)

// object is what JSON and Lines promise.
type object struct {
	Subject    string              `json:"subject"`
	ID         string              `json:"id"`
	Time       string              `json:"time"`
	Event      string              `json:"event"`
	Headers    map[string][]string `json:"headers"`
	Data       *string             `json:"data"`
	DataBase64 *[]byte             `json:"data_base64"`
}

// checkObject holds the JSON of a message against it: the payload byte for byte, and no field too many.
func checkObject(t testing.TB, text string, m *bridge.Message, event string) {
	t.Helper()
	var got object
	var fields map[string]json.RawMessage
	if strings.ContainsAny(text, lineEnds) {
		t.Errorf("%.200q is several lines to some readers", text)
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&got); err != nil || decoder.More() || strings.TrimSpace(text) != text {
		t.Fatalf("%.200q is not one object: %v", text, err)
	}
	if err := json.Unmarshal([]byte(text), &fields); err != nil {
		t.Fatal(err)
	}
	expected := []string{"data", "id", "subject", "time"}
	payload := got.Data != nil && *got.Data == string(m.Data)
	if !isText(m.Data) {
		expected[0] = "data_base64"
		payload = got.DataBase64 != nil && bytes.Equal(*got.DataBase64, m.Data)
	}
	if event != "" {
		expected = append(expected, "event")
	}
	if len(m.Header) > 0 {
		expected = append(expected, "headers")
	}
	slices.Sort(expected)
	if names := slices.Sorted(maps.Keys(fields)); !slices.Equal(names, expected) {
		t.Errorf("%.200q has the fields %q, want %q", text, names, expected)
	}
	if !payload {
		t.Errorf("%.200q does not hold the payload %.200q", text, m.Data)
	}
	// NATS does not promise UTF-8; in JSON what is not becomes U+FFFD, as everywhere.
	if got.Subject != string([]rune(m.Subject)) || got.ID != m.Position.String() || got.Event != event {
		t.Errorf("%.200q should say the subject %q, the id %q, the event %q", text, m.Subject, m.Position, event)
	}
	if when, err := time.Parse(time.RFC3339Nano, got.Time); err != nil || when.UnixNano() != m.Position.Time || !strings.HasSuffix(got.Time, "Z") {
		t.Errorf("the time %q should be %d", got.Time, m.Position.Time)
	}
	if len(m.Header) > 0 && !maps.EqualFunc(got.Headers, m.Header, slices.Equal[[]string]) {
		t.Errorf("the headers are %q, want %q", got.Headers, m.Header)
	}
}

func TestJSONAndLines(t *testing.T) {
	var all []string
	for _, test := range payloads {
		all = append(all, test.payload)
	}
	for _, payload := range append(all, binaries...) {
		for _, header := range []map[string][]string{nil, {"traceparent": {"00-1-2-01"}, "X-Two": {"a\r\nb", ""}}} {
			message := &bridge.Message{Subject: "größe.x", Position: at(7), Header: header, Event: "mine", Data: []byte(payload)}
			framing := bridge.Framing{Format: bridge.JSON}
			event := dispatched(t, framing, encode(t, framing, message))
			if event.Type != "mine" || event.ID != at(7).String() {
				t.Errorf("%q arrives as %+v", payload, event)
			}
			checkObject(t, event.Data, message, "mine")
			checkObject(t, line(t, encode(t, bridge.Framing{Format: bridge.Lines}, message)), message, "mine")
		}
	}
}

// lineEnds are what some reader or other takes for the end of a line. Python's splitlines takes all of them.
const lineEnds = "\n\v\f\r\x1c\x1d\x1e\u0085\u2028\u2029"

// isText says which payloads are sent as they are.
func isText(payload []byte) bool { return utf8.Valid(payload) && !bytes.Contains(payload, []byte{0}) }

// line returns the text of a frame in Lines, which must be just one line.
func line(t testing.TB, frame []byte) string {
	t.Helper()
	text, ended := strings.CutSuffix(string(frame), "\n")
	if !ended || strings.ContainsAny(text, lineEnds) {
		t.Fatalf("%.200q is not one line", frame)
	}
	return text
}
