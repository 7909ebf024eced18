package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/tailwater/tailwater/cmd/tailwater/client"
)

// form is how messages are printed.
type form uint8

const (
	formText  form = iota // for people
	formRaw               // payloads, one a line
	formBytes             // payloads alone
	formJSON
)

// printer prints messages, and tells on standard error what a reader must know about them.
type printer struct {
	out      output
	form     form
	messages uint64
	inLine   bool // the last byte printed was no line end
}

// message is an event in the format JSON.
type message struct {
	Subject    string
	Time       time.Time
	Event      string
	Headers    map[string][]string
	Data       *string
	DataBase64 []byte `json:"data_base64"`
}

func (m *message) payload() []byte {
	if m.Data != nil {
		return []byte(*m.Data)
	}
	return m.DataBase64
}

// print prints an event in one write.
func (p *printer) print(event client.Event) error {
	var text []byte
	if name, isOwn := strings.CutPrefix(event.Type, "tailwater:"); isOwn {
		p.tell(name, event.Data)
		text = p.own(name, event)
	} else {
		p.messages++
		var m message
		if err := json.Unmarshal([]byte(event.Data), &m); err != nil || m.Subject == "" {
			return fmt.Errorf("an event is no message of a bridge: %.80q", event.Data)
		}
		text = p.message(&m, event)
	}
	if len(text) == 0 {
		return nil
	}
	p.inLine = text[len(text)-1] != '\n'
	_, err := p.out.out.Write(text)
	return err
}

// endLine ends the last line, if it has not ended.
func (p *printer) endLine() error {
	if !p.inLine {
		return nil
	}
	_, err := p.out.out.Write([]byte("\n"))
	return err
}

func (p *printer) message(m *message, event client.Event) []byte {
	switch p.form {
	case formRaw:
		return append(m.payload(), '\n')
	case formBytes:
		return m.payload()
	case formJSON:
		return []byte(event.Data + "\n")
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "[#%d] Received on %q", p.messages, m.Subject)
	if !m.Time.IsZero() {
		fmt.Fprintf(&text, ", stored %s", m.Time.Local().Format("2006-01-02 15:04:05.000"))
	}
	text.WriteByte('\n')
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		for _, value := range m.Headers[name] {
			fmt.Fprintf(&text, "%s: %s\n", harmless(name), harmless(value))
		}
	}
	if len(m.Headers) > 0 {
		text.WriteByte('\n')
	}
	fmt.Fprintf(&text, "%s\n\n", harmless(string(m.payload())))
	return text.Bytes()
}

// own returns what is printed of an event of Tailwater's own; nil for nothing.
func (p *printer) own(name string, event client.Event) []byte {
	switch name {
	case "open", "close": // of the connection, and not of the messages
		return nil
	}
	switch p.form {
	case formJSON:
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		_ = encoder.Encode(struct { // strings can always be encoded
			Event string `json:"event"`
			Data  string `json:"data"`
			ID    string `json:"id,omitempty"`
		}{event.Type, event.Data, event.LastEventID})
		return text.Bytes()
	case formText:
		switch name {
		case "delete", "presence":
			return fmt.Appendf(nil, "%s %s\n\n", name, harmless(event.Data))
		}
	}
	return nil
}

// tell says on standard error what is missing.
func (p *printer) tell(name, data string) {
	var details struct {
		Reason, Subject string
		Size            int
	}
	_ = json.Unmarshal([]byte(data), &details) // what cannot be read is not told
	switch name {
	case "gap":
		fmt.Fprintf(p.out.err, "tailwater: gap: messages are missing before the next one (%s)\n", details.Reason)
	case "reset":
		fmt.Fprintf(p.out.err, "tailwater: reset: the position is not valid any more, and reading starts as --since says (%s)\n", details.Reason)
	case "large":
		fmt.Fprintf(p.out.err, "tailwater: a message on %q was left out, because its event has %d bytes\n", details.Subject, details.Size)
	}
}

// harmless returns a text without characters that command a terminal: whoever may publish has written it.
func harmless(text string) string {
	var safe strings.Builder
	for i, r := range text {
		switch quoted := strconv.QuoteRune(r); {
		case r == unicode.ReplacementChar && !strings.HasPrefix(text[i:], "\uFFFD"):
			fmt.Fprintf(&safe, `\x%02x`, text[i])
		case r == '\n', r == '\t', unicode.IsPrint(r), r == '\u200d', r == '\ufe0f':
			safe.WriteRune(r)
		default:
			safe.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return safe.String()
}
