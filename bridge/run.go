package bridge

import (
	"encoding/json"
	"regexp"
	"strings"
	"time"
)

// A run is one question, and the answers to it: messages on a subject of its own, which is the reply subject of the question. Its readers are
// ordinary readers. Only Framing.Run knows that the messages are answers: it says which of them ends the run.

// Headers of the messages of a run that a bridge itself has published.
const (
	HeaderRun        = "Tailwater-Run"
	HeaderRunQueries = "Tailwater-Run-Queries" // beside RunAsked: whoever answers may query the asker
)

// The values of HeaderRun.
const (
	RunAsked    = "asked"    // the first message of a run: the question is about to be sent
	RunReleased = "released" // nobody has heard the question, which may be asked again
	RunSilent   = "silent"   // nobody has answered for too long: the message also has the headers of an error
)

// Headers with which a worker says that the run has failed (ADR-32).
const (
	HeaderServiceError     = "Nats-Service-Error"
	HeaderServiceErrorCode = "Nats-Service-Error-Code"
)

// RunKind says what a message means to a run.
type RunKind uint8

// Kinds of messages.
const (
	RunAnswer  RunKind = iota // an answer, or no message of a run
	RunBegins                 // see RunAsked
	RunInvites                // RunBegins of a run in which whoever answers may query the asker
	RunPaused                 // see RunReleased
	RunNoise                  // a stream's acknowledgement of the question
	RunEnds                   // an empty message: the run is complete (ADR-47)
	RunFails                  // a message with an error in its headers
	RunDeletes                // the stream has deleted messages
)

// IsEnd reports whether nothing follows the message.
func (k RunKind) IsEnd() bool { return k == RunEnds || k == RunFails }

// RunState is how far a reader of a run has read.
type RunState struct {
	Messages int      // messages that were read, with those that no client sees
	At       Position // of the last of them
	Kind     RunKind  // of the last of them
	Queries  bool     // according to the first of them, whoever answers may query the asker
}

// IsOver reports whether a client at a position has received the end of the run.
func (s RunState) IsOver(client ID) bool {
	at, has := client.in(s.At.Epoch)
	return s.Kind.IsEnd() && has && at.Seq >= s.At.Seq
}

// IsEmpty reports whether nobody has asked, or nobody has heard the question.
func (s RunState) IsEmpty() bool { return s.Messages == 0 || s.Kind == RunPaused }

// runKind returns what a message means to a run.
func (m *Message) runKind() RunKind {
	_, isError := m.Header[HeaderServiceError]
	_, hasCode := m.Header[HeaderServiceErrorCode]
	switch value := m.first(HeaderRun); {
	case m.Deleted:
		return RunDeletes
	case value == RunAsked && m.first(HeaderRunQueries) != "":
		return RunInvites
	case value == RunAsked:
		return RunBegins
	case value == RunReleased:
		return RunPaused
	case isError || hasCode:
		return RunFails
	case len(m.Data) == 0:
		return RunEnds
	case len(m.Header) == 0 && isAcknowledgement(m.Data):
		return RunNoise
	}
	return RunAnswer
}

// acknowledgement is what nats-server writes for a message that a stream has stored.
var acknowledgement = regexp.MustCompile(`^\{"stream":"[^"]+",("domain":"[^"]+",)?"seq":[0-9]+(,"duplicate": ?true)?\}$`)

// isAcknowledgement reports whether a payload is a stream's answer to a message for it. If a stream holds the subject of a question, the
// stream answers to the reply subject, too.
func isAcknowledgement(data []byte) bool {
	const most = 512 // names of streams and domains are shorter
	if len(data) > most || !strings.HasPrefix(string(data), "{") {
		return false
	}
	var refusal struct {
		Stream string `json:"stream"`
		Error  struct {
			ErrCode int `json:"err_code"`
		} `json:"error"`
	}
	return acknowledgement.Match(data) ||
		json.Unmarshal(data, &refusal) == nil && refusal.Stream != "" && refusal.Error.ErrCode > 0
}

// run encodes a message of a run, if it is no plain answer. A message that no client sees has no bytes.
func (f Framing) run(m *Message) (data []byte, is bool) {
	switch kind := m.runKind(); kind {
	case RunAnswer, RunDeletes:
		return nil, false
	case RunEnds:
		return f.control(EventEnd, struct{}{}, m.Position.String()), true
	case RunFails:
		failure := RunError{m.first(HeaderServiceErrorCode), m.first(HeaderServiceError), m.first(HeaderRun) == RunSilent}
		return f.control(EventError, failure, m.Position.String()), true
	default:
		return []byte{}, true
	}
}

// RunError is the data of EventError.
type RunError struct {
	Code        string `json:"code"`
	Description string `json:"description"`
	Silent      bool   `json:"silent,omitempty"` // no worker says so: nobody has answered for too long
}

// Question is what a caller asks.
type Question struct {
	Subject Subject
	Caller  Caller
	Account Account
	Key     string // the same question with the same key is asked once; empty for none
	Header  map[string][]string
	Data    []byte
	Framing Framing       // of the client that reads the answers first
	Silence time.Duration // after which the run has failed; 0 for the usual one
	Queries bool          // whoever answers may query the asker
}

// Run is a run that somebody follows.
type Run struct {
	Name    string // the last token of its subject
	Subject Subject
	Begin   Resume   // where its first client begins
	State   RunState // when the following began
	IsKnown bool     // the state is that of all bridges
	IsNew   bool     // the question was asked just now

	Unreadable error // ErrRefused or ErrUnavailable if what is stored of it cannot be read: the state may lack that
}
