package bridge_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge"
)

// jsonPayloads are payloads, and the data that they are in an object whose payloads are JSON where they can be.
var jsonPayloads = []struct{ payload, data string }{
	{`{"a":1}`, `{"a":1}`},
	{" {\n\t\"a\" :\r\n[ 1 , 2.50 , null , true ]\r}\n", `{"a":[1,2.50,null,true]}`},
	{`"text"`, `"text"`},
	{"12345678901234567890", "12345678901234567890"},
	{"null", "null"},
	{`{"a":1,"a":2,"id":"x"}`, `{"a":1,"a":2,"id":"x"}`},
	{"[\"\u0085\u2028\u2029é<&>\"]", `["\u0085\u2028\u2029é<&>"]`},
	{`"\u0000\ud800"`, `"\u0000\ud800"`},
	{"", `""`},
	{"hello", `"hello"`},
	{"{\"a\":1", `"{\"a\":1"`},
	{"{}{}", `"{}{}"`},
	{"{} ,", `"{} ,"`},
	{"\ufeff{}", "\"\ufeff{}\""},
	{"[1,]", `"[1,]"`},
	{"\"a\nb\"", `"\"a\nb\""`},
	{"'a'", `"'a'"`},
	{"NaN", `"NaN"`},
}

func TestJSONPayloads(t *testing.T) {
	for _, test := range jsonPayloads {
		m := &bridge.Message{Subject: "a.b", Position: at(7), Event: "mine", Header: map[string][]string{"X": {"\u0085"}}, Data: []byte(test.payload)}
		for name, text := range objects(t, m) {
			var got struct {
				Subject, ID string
				Data        json.RawMessage
			}
			if err := json.Unmarshal([]byte(text), &got); err != nil || string(got.Data) != test.data || got.Subject != "a.b" || got.ID != at(7).String() {
				t.Errorf("%s: %q arrives as %s, want the data %s (%v)", name, test.payload, text, test.data, err)
			}
		}
	}
	for name, text := range objects(t, &bridge.Message{Subject: "a.b", Position: at(7), Data: []byte("\"\xff\"")}) {
		if !strings.Contains(text, `"data_base64":"Iv8i"`) || strings.Contains(text, `"data"`) {
			t.Errorf("%s: a payload that is no text arrives as %s", name, text)
		}
	}
}

// objects returns the objects that a message is in the framings whose payloads are JSON.
func objects(t testing.TB, m *bridge.Message) map[string]string {
	t.Helper()
	events := bridge.Framing{Format: bridge.JSON, JSONPayloads: true}
	lines := bridge.Framing{Format: bridge.Lines, JSONPayloads: true}
	return map[string]string{
		"json":  dispatched(t, events, encode(t, events, m)).Data,
		"lines": line(t, encode(t, lines, m)),
	}
}

// Any payload arrives, as JSON exactly if it is JSON, and on one line for every reader.
func FuzzJSONPayload(f *testing.F) {
	for _, test := range jsonPayloads {
		f.Add([]byte(test.payload))
	}
	for _, payload := range binaries {
		f.Add([]byte(payload))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		m := &bridge.Message{Subject: "a", Position: at(7), Data: payload}
		isJSON := isText(payload) && json.Valid(payload)
		for name, text := range objects(t, m) {
			if !isJSON {
				checkObject(t, text, m, "")
				continue
			}
			var got struct{ Data json.RawMessage }
			if err := json.Unmarshal([]byte(text), &got); err != nil || strings.ContainsAny(text, lineEnds) {
				t.Fatalf("%s: %q, %v", name, text, err)
			}
			// Python and browsers agree with encoding/json on what the escapes stand for.
			if !bytes.Equal(canonical(t, got.Data), canonical(t, payload)) {
				t.Errorf("%s: %q has become %q", name, payload, got.Data)
			}
		}
	})
}

// canonical writes a JSON text in one way, without changing its numbers.
func canonical(t testing.TB, text []byte) []byte {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	written, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return written
}
