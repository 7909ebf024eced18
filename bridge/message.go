package bridge

import (
	"bytes"
	"unicode/utf8"
)

// Message is one message as it came from NATS, and the frames that were made of it. Its fields do not change once a
// feed has it; a message is handed to feeds by one goroutine at a time.
type Message struct {
	Subject  string
	Position Position
	Event    string              // the publisher's name for the event; empty, or one that CheckEventName accepts
	Header   map[string][]string // as published, names in the publisher's spelling
	Data     []byte
	Deleted  bool // what this says is that its subject has no value any more

	frames [framings][]byte
}

// frame encodes the message in a framing, once however many feeds ask for it.
func (m *Message) frame(f Framing) []byte {
	if _, is := f.membersOf(m); is {
		return f.message(m) // a feed with members is its subject's alone
	}
	made := &m.frames[f.index()]
	if *made == nil {
		*made = f.message(m)
	}
	return *made
}

// framed gives what a feed or a page holds of the message, whose frame is data.
func (m *Message) framed(data []byte) frame {
	made := frame{data: data, seq: m.Position.Seq, time: m.Position.Time}
	if !m.Deleted {
		made.subject = m.Subject
	}
	return made
}

// isText tells whether a payload can travel in `data:` lines as it is: UTF-8 without NUL, which Firefox drops.
func isText(data []byte) bool {
	return utf8.Valid(data) && bytes.IndexByte(data, 0) < 0
}
