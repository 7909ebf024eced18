package bridge

import (
	"errors"
	"fmt"
)

// Errors for errors.Is. Each is wrapped with what was attempted and, if a user caused it, with advice; bridge/httpapi maps each to one HTTP
// status.
var (
	// ErrSubject means that a text is not a subject, or a path does not name one.
	ErrSubject = errors.New("not a subject")
	// ErrEventName means that publishers may not use an event name.
	ErrEventName = errors.New("not an event name")
	// ErrID means that a text is not an event id.
	ErrID = errors.New("not an event id")
	// ErrRoute means that a route is not valid.
	ErrRoute = errors.New("not a route")
	// ErrForbidden means that the caller has no permission.
	ErrForbidden = errors.New("not allowed")
	// ErrToken means that the token is not valid, or that one is needed and was not sent.
	ErrToken = errors.New("not signed in")
	// ErrNoVerdict means that tokens cannot be checked now; it may work later.
	ErrNoVerdict = errors.New("tokens cannot be checked now")
	// ErrUnavailable means that NATS cannot be reached now; it may work later.
	ErrUnavailable = errors.New("NATS is not reachable")
	// ErrBroken means that the NATS server cannot store messages now; it may work later. It wraps ErrUnavailable.
	ErrBroken = fmt.Errorf("%w for what is stored: its store is broken", ErrUnavailable)
	// ErrBusy means that too much is being read for the account; it may work later.
	ErrBusy = errors.New("too much is being read for you")
	// ErrFull means that the stream has no room for another message.
	ErrFull = errors.New("the stream is full")
	// ErrSubjectFull means that the stream has reached its limit of messages on the subject, and refuses more.
	ErrSubjectFull = errors.New("the subject is full")
	// ErrSealed means that the stream will never accept another message.
	ErrSealed = errors.New("the stream is sealed")
	// ErrUnfit means that the stream never accepts such a message.
	ErrUnfit = errors.New("the stream does not accept such messages")
	// ErrKeyUsed means that the stream has another message with the same Nats-Msg-Id, and has not stored this one.
	ErrKeyUsed = errors.New("the key was used for another message")
	// ErrConflict means that a key has a newer revision than the one that the writer has read.
	ErrConflict = errors.New("the key was written by another")
	// ErrNoBucket means that no suitable bucket exists, and that none can be created.
	ErrNoBucket = errors.New("there is no such bucket")
	// ErrNoResponders means that nobody listens to a question.
	ErrNoResponders = errors.New("nobody answers there now")
	// ErrNoQuery means that nobody waits for an answer to a query: a run has no such query, or has ended, or somebody has answered.
	ErrNoQuery = errors.New("nobody waits for an answer to this query")
	// ErrTooManyRuns means that the account has too many open runs.
	ErrTooManyRuns = errors.New("you have too many questions open")
	// ErrRefused means that NATS does not allow it to this bridge.
	ErrRefused = errors.New("NATS refuses it to this bridge")
	// ErrTooLarge means that a payload is larger than NATS accepts.
	ErrTooLarge = errors.New("payload too large")
	// ErrClosed means that the hub, or the object in use, is closed.
	ErrClosed = errors.New("closed")
)

// errReserved refuses subjects that no grant opens, whatever a setting says: $JS.API alone would reveal every stream.
func errReserved(s Subject) error {
	return fmt.Errorf("%w: %s matches subjects of NATS itself ($…, _INBOX), which nobody may use; name a subject of your own", ErrForbidden, echo(string(s)))
}
