package bridge

import "time"

// Resume says where a connection begins. The zero value asks for messages published from now on.
type Resume struct {
	// After is the client's position, from Last-Event-ID or the URL: everything after it is owed.
	After ID
	// Malformed means that the client sent an invalid id.
	Malformed bool
	// Since is where the URL asks to begin, if the client sent no usable id.
	Since Since
	// Sync makes the connection announce when the client has everything from before its arrival, even if Since asks for new messages.
	Sync bool
	// Through is a position that the replay reaches at least, although what is up to there may not have arrived here yet; see Hub.End.
	Through ID
	// Account is whose turn the necessary reads use.
	Account Account
}

// Since is where to begin.
type Since struct {
	Kind SinceKind
	Time time.Time // with SinceTime
	ID   ID        // with SinceID and SinceUntil
	Most int       // with SinceUntil: the most messages
}

// IsStored reports whether s asks for stored messages.
func (s Since) IsStored() bool {
	return s.Kind == SinceAll || s.Kind == SinceLast || s.Kind == SinceTime || s.Kind == SinceUntil
}

// SinceKind says how Since names the beginning.
type SinceKind uint8

const (
	SinceNew   SinceKind = iota // messages published from now on
	SinceAll                    // the oldest stored message
	SinceLast                   // the newest message of each subject, then later messages
	SinceTime                   // the first message stored at that time or later
	SinceID                     // messages after a position
	SinceUntil                  // the newest messages up to a position (inclusive), and none after it
)
