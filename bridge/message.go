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

// first returns the first value of a header; "" if there is none.
func (m *Message) first(header string) string {
	if values := m.Header[header]; len(values) > 0 {
		return values[0]
	}
	return ""
}
