package bridge

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Tailwater's own events. The data of each is a JSON object; see the table in httpapi/README.md. The first event of a connection is an open, a
// gap or a reset, and its data also has "heartbeat".
const (
	EventOpen     = "tailwater:open"     // the connection begins, or continues exactly: {"subjects"}
	EventGap      = "tailwater:gap"      // messages are missing just before what follows: {"after","first","reason"}
	EventReset    = "tailwater:reset"    // the position is from another life, or is invalid: {"reason"}
	EventSynced   = "tailwater:synced"   // the replay that the URL asked for has ended: {}
	EventDelete   = "tailwater:delete"   // a key or message was deleted: {"subject"}
	EventBinary   = "tailwater:binary"   // a binary payload, in base64
	EventLarge    = "tailwater:large"    // a message whose event is larger than the client accepts: {"subject","id","size"}
	EventPresence = "tailwater:presence" // who reads a subject, see Presence
	EventEnd      = "tailwater:end"      // a run is complete: {}
	EventError    = "tailwater:error"    // a run has failed: {"code","description"}
	EventClose    = "tailwater:close"    // the server ends the connection: {"reason"}
)

// The reasons of EventGap.
const (
	GapRetention    = "retention"    // messages after the position are no longer stored
	GapOverrun      = "overrun"      // messages arrived faster than they were received
	GapDisconnected = "disconnected" // between two connections of the bridge to NATS, or between two origins of a subject's messages
)

// The reasons of EventReset.
const (
	ResetMalformed = "malformed"   // not an event id
	ResetUnknown   = "unknown"     // an id of another bridge, or of one that has restarted, where nothing is stored
	ResetRecreated = "recreated"   // the stream was deleted and created again, or another one holds the subject now
	ResetRolled    = "rolled back" // the stream was restored from a backup
)

// The reasons of EventClose.
const (
	CloseDrain = "drain" // this bridge is stopping
	CloseAuth  = "auth"  // the caller's token has expired or was revoked
	CloseAge   = "age"   // the connection has reached its age; it reconnects, perhaps to another bridge
	CloseKick  = "kick"  // an administrator has ended the connection; it reconnects, unless its token was revoked
	CloseBusy  = "busy"  // there is no room for another connection now, or the token cannot be checked yet
)

// HeaderEvent is the NATS header with which a publisher names the event.
const HeaderEvent = "Tailwater-Event"

// maxEventNameBytes allows every subject as a name.
const maxEventNameBytes = MaxSubjectBytes

// CheckEventName refuses names that publishers may not use: those that would break a frame, those with another meaning for EventSource
// (`open`, `error`, `message`), and Tailwater's own. The error wraps ErrEventName.
func CheckEventName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: it is empty", ErrEventName)
	case len(name) > maxEventNameBytes:
		return fmt.Errorf("%w: it has %d bytes; at most %d are allowed", ErrEventName, len(name), maxEventNameBytes)
	case slices.Contains([]string{"open", "error", "message"}, name):
		return fmt.Errorf("%w: EventSource uses %q itself; choose another", ErrEventName, name)
	case strings.HasPrefix(name, "tailwater:"):
		return fmt.Errorf("%w: names that begin with tailwater: are Tailwater's own", ErrEventName)
	case !isPrintableText(name):
		return fmt.Errorf("%w: %q holds characters that are not printable", ErrEventName, name)
	case strings.TrimSpace(name) != name:
		return fmt.Errorf("%w: %q begins or ends with a blank", ErrEventName, name)
	}
	return nil
}

// isPrintableText reports whether a text is UTF-8 and has nothing but printable characters, and so one line.
func isPrintableText(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !isPrintable(r) })
}
