package bridge

import (
	"errors"
	"fmt"
)

// The errors a caller can tell apart with errors.Is. Each is wrapped with what was being done and, where a user caused
// it, with what to do instead; bridge/httpapi maps each to one HTTP status.
var (
	// ErrSubject: what was given is no subject, or no path that names one.
	ErrSubject = errors.New("not a subject")
	// ErrEventName: an event name that no publisher may use.
	ErrEventName = errors.New("not an event name")
	// ErrID: what was given is no event id.
	ErrID = errors.New("not an event id")
	// ErrRoute: a route that cannot be used.
	ErrRoute = errors.New("not a route")
	// ErrForbidden: the caller holds no grant for this.
	ErrForbidden = errors.New("not allowed")
	// ErrToken: a token that was sent is not good, or one is needed and was not sent.
	ErrToken = errors.New("not signed in")
	// ErrNoVerdict: whether a token is good cannot be told now; the same may work later.
	ErrNoVerdict = errors.New("tokens cannot be checked now")
	// ErrUnavailable: NATS cannot be reached now; the same may work later.
	ErrUnavailable = errors.New("NATS is not reachable")
	// ErrBroken: the NATS server cannot store messages now; the same may work later. An error that wraps it wraps ErrUnavailable as well.
	ErrBroken = fmt.Errorf("%w for what is stored: its store is broken", ErrUnavailable)
	// ErrBusy: too much is being read for the account; the same may work later.
	ErrBusy = errors.New("too much is being read for you")
	// ErrFull: the stream has no room for another message.
	ErrFull = errors.New("the stream is full")
	// ErrSubjectFull: the stream keeps so many messages on the subject and takes no other.
	ErrSubjectFull = errors.New("the subject is full")
	// ErrSealed: the stream will never take another message.
	ErrSealed = errors.New("the stream is sealed")
	// ErrUnfit: the stream does not take such a message, whenever it is sent.
	ErrUnfit = errors.New("the stream does not take such messages")
	// ErrKeyUsed: the stream has another message with the same Nats-Msg-Id, and has not stored this one.
	ErrKeyUsed = errors.New("the key was used for another message")
	// ErrConflict: a key has another revision than the writer had read.
	ErrConflict = errors.New("the key was written by another")
	// ErrNoBucket: there is no bucket that does what is needed, and none can be made.
	ErrNoBucket = errors.New("there is no such bucket")
	// ErrRefused: NATS does not let this bridge do it.
	ErrRefused = errors.New("NATS refuses it to this bridge")
	// ErrTooLarge: a payload over what NATS accepts.
	ErrTooLarge = errors.New("payload too large")
	// ErrClosed: the hub, or what it was asked for, is closed.
	ErrClosed = errors.New("closed")
)
