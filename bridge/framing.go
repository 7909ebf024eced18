package bridge

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"
)

// Format is how messages are encoded on a connection.
type Format uint8

const (
	// Raw means server-sent events whose data is the payload, unchanged.
	Raw Format = iota
	// JSON means server-sent events whose data is an object with the payload, its subject, id, time and headers.
	JSON
	// Lines means that object alone, one per line (application/x-ndjson), for programs without an SSE parser.
	Lines
	// Datastar means server-sent events of Datastar, which change the page: the payload is HTML, or a JSON object of signals. Publishers name
	// no events here.
	Datastar
)

// Framing says how the messages of a connection are encoded. It is the only encoder: it makes every byte of an event stream.
type Framing struct {
	Format Format
	// SubjectEvents names each event after its subject, if the publisher gave no name (`?event=subject`). It has no effect on Datastar.
	SubjectEvents bool
	// JSONPayloads puts a JSON payload into the object as it is, instead of as a string (`?payload=json`). It has no effect on Raw and Datastar.
	JSONPayloads bool
	// Presence makes an EventPresence of each message that holds the members of a subject (`?presence=1`). Events are as without it for
	// all others.
	Presence bool
	// Run makes an EventEnd or an EventError of the message that ends a run, and leaves out messages that are no answers. The connection reads
	// the subject of one run.
	Run bool

	initial bool // these members are those at the beginning of a connection
}

// framings counts the values of Framing without Presence and Run: those of three formats, and Datastar.
const framings = 13

// index numbers the framings of messages that hold no members.
func (f Framing) index() int {
	if f.Format == Datastar {
		return framings - 1
	}
	i := int(f.Format)
	if f.SubjectEvents {
		i += int(Datastar)
	}
	if f.JSONPayloads {
		i += 2 * int(Datastar)
	}
	return i
}

// ContentType returns the media type of a response in this framing.
func (f Framing) ContentType() string {
	if f.Format == Lines {
		return "application/x-ndjson"
	}
	return "text/event-stream"
}

// Preamble returns the first bytes of a connection: a comment, because clients strip a byte order mark only at the very start. It has no empty
// line after it: some parsers take an empty line without an event for an empty message.
func (f Framing) Preamble() []byte {
	if f.Format == Lines {
		return nil
	}
	return []byte(": tailwater\n")
}

// Heartbeat returns the bytes sent during silence, which show proxies and clients that the connection is alive: a comment, which EventSource
// does not show to its page, without an empty line, which some parsers would.
func (f Framing) Heartbeat() []byte {
	if f.Format == Lines {
		return []byte("\n")
	}
	return []byte(":\n")
}

// Close returns the last frame of a connection that the server ends, with the time after which the client should reconnect.
func (f Framing) Close(reason string, retry time.Duration) []byte {
	return f.withRetry(f.control(EventClose, map[string]string{"reason": reason}, ""), retry)
}

// withRetry adds the time after which the client should reconnect to a frame; 0 leaves the time to the client. A block with only retry would be
// an empty message to some parsers.
func (f Framing) withRetry(frame []byte, retry time.Duration) []byte {
	if f.Format == Lines || retry == 0 {
		return frame
	}
	made := strconv.AppendInt([]byte("retry: "), retry.Milliseconds(), 10)
	return append(append(made, '\n'), frame...)
}

// greeting is what the first event of a connection says beside its own data. In later events it is the zero value.
type greeting struct {
	retry     time.Duration // how long the client should wait before it reconnects
	Heartbeat float64       `json:"heartbeat,omitempty"` // the longest silence, in seconds
}

// greet encodes one of Tailwater's own events that may be the first of a connection.
func (f Framing) greet(hello greeting, event string, data any, id ID) []byte {
	return f.withRetry(f.control(event, data, id.String()), hello.retry)
}

// open encodes that a connection begins, or continues exactly.
func (f Framing) open(hello greeting, subjects []Subject, at ID) []byte {
	return f.greet(hello, EventOpen, struct {
		Subjects []Subject `json:"subjects"`
		greeting
	}{f.asked(subjects), hello}, at)
}

// reset encodes that a position is not valid here.
func (f Framing) reset(hello greeting, at ID, reason string) []byte {
	return f.greet(hello, EventReset, struct {
		Reason string `json:"reason"`
		greeting
	}{reason, hello}, at)
}

// gap encodes that messages between two positions are missing.
func (f Framing) gap(hello greeting, after, first ID, reason string) []byte {
	return f.greet(hello, EventGap, struct {
		After  string `json:"after"`
		First  string `json:"first"`
		Reason string `json:"reason"`
		greeting
	}{after.String(), first.String(), reason, hello}, first)
}

// large encodes the replacement of a message whose frame is too large for a reader.
func (f Framing) large(subject string, id ID, size int) []byte {
	text := id.String()
	return f.control(EventLarge, struct {
		Subject string `json:"subject"`
		ID      string `json:"id"`
		Size    int    `json:"size"`
	}{subject, text, size}, text)
}

// withID returns a copy of a frame with another id, for a connection that reads from several logs. Every format has the id last. In Lines
// nothing else can be mistaken for it: quotes inside a JSON string are escaped, and a JSON payload precedes it.
func (f Framing) withID(frame []byte, id ID) []byte {
	before, after := "\nid: ", "\n\n"
	if f.Format == Lines {
		before, after = `,"id":"`, "\"}\n"
	}
	end := bytes.LastIndex(frame, []byte(before)) + len(before)
	made := make([]byte, 0, end+len(id)*40+len(after))
	made = append(made, frame[:end]...)
	made = id.append(made)
	return append(made, after...)
}

// message encodes any message.
func (f Framing) message(m *Message) []byte {
	if of, is := f.membersOf(m.Subject); is {
		return f.members(of, m)
	}
	if f.Run {
		if data, is := f.run(m); is {
			return data
		}
	}
	if m.Deleted {
		return f.control(EventDelete, map[string]string{"subject": m.Subject}, m.Position.String())
	}
	event := m.Event
	if event == "" && f.SubjectEvents && CheckEventName(m.Subject) == nil {
		event = m.Subject
	}
	var buffer [2 * maxPositionBytes]byte // on the stack
	id := m.Position.append(buffer[:0])
	if f.Format == Raw || f.Format == Datastar {
		switch {
		case !isText(m.Data):
			return encodeFrame(EventBinary, base64.StdEncoding.AppendEncode(nil, m.Data), id)
		case f.Format == Datastar:
			return f.datastar(m, id)
		}
		return encodeFrame(event, m.Data, id)
	}
	object := &object{
		Subject: m.Subject,
		ID:      string(id),
		Time:    m.Position.when(),
		Event:   event,
		Headers: withoutKeys(m.Header),
	}
	text := f.object(object, m.Data)
	if f.Format == Lines {
		return append(text, '\n')
	}
	return encodeFrame(event, text, id)
}

// object encodes an object with its payload: as JSON if that is requested and possible, else as a string, else in base64.
func (f Framing) object(o *object, payload []byte) []byte {
	switch {
	case !isText(payload):
		o.DataBase64 = payload
	case f.JSONPayloads && json.Valid(payload):
		o.Data = json.RawMessage(payload)
	default:
		o.Data = string(payload)
	}
	return encodeJSON(o)
}

// frame encodes the message in a framing, once for any number of feeds.
func (m *Message) frame(f Framing) []byte {
	if _, is := f.membersOf(m.Subject); is || f.Run {
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
	made := frame{data: data, seq: m.Position.Seq, time: m.Position.Time}
	if f.Run {
		made.kind = m.runKind()
	}
	if !m.Deleted && !made.kind.IsEnd() {
		made.subject = m.Subject
	}
	return made
}
