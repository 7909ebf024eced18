package bridge

// Message is a message from NATS, and its encoded frames. Its fields do not change once a feed has it. One goroutine at a time hands a message
// to feeds.
type Message struct {
	Subject  string
	Position Position
	Event    string              // the publisher's name for the event; empty, or one that CheckEventName accepts
	Header   map[string][]string // as published, names in the publisher's spelling
	Data     []byte
	Deleted  bool // the message deletes its subject's value

	frames [framings][]byte
}

// frame encodes the message in a framing, once for any number of feeds.
func (m *Message) frame(f Framing) []byte {
	if _, is := f.membersOf(m); is || f.Run {
		return f.message(m) // a feed with members is its subject's alone, as is that of a run
	}
	made := &m.frames[f.index()]
	if *made == nil {
		*made = f.message(m)
	}
	return *made
}

// framed returns the frame of the message, with the encoded data, for a feed or a page.
func (m *Message) framed(f Framing, data []byte) frame {
	made := frame{data: data, seq: m.Position.Seq, time: m.Position.Time, kind: f.kindOf(m)}
	if !m.Deleted && !made.kind.IsEnd() {
		made.subject = m.Subject
	}
	return made
}
