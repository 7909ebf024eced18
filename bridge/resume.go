package bridge

import "time"

// Resume says where a connection wants to begin. The zero value asks for what is published from now on.
type Resume struct {
	// After is the position that the client brought, by Last-Event-ID or in the URL: what follows it is owed.
	After ID
	// Malformed: the client brought an id that is none.
	Malformed bool
	// Since is where the URL asks to begin, when the client brought no id that can be used.
	Since Since
	// Sync: the client is told when it has all that was there when it came, also where Since asks for what is new.
	Sync bool
	// Account says whose turn the reads are that this needs.
	Account Account
}

// Since is a place to begin at.
type Since struct {
	Kind SinceKind
	Time time.Time // with SinceTime
	ID   ID        // with SinceID
}

// isStored tells whether it asks for what is stored already.
func (s Since) isStored() bool {
	return s.Kind == SinceAll || s.Kind == SinceLast || s.Kind == SinceTime
}

// SinceKind tells places to begin at apart.
type SinceKind uint8

const (
	SinceNew  SinceKind = iota // what is published from now on
	SinceAll                   // the oldest message that is stored
	SinceLast                  // the newest message of each subject, then what follows
	SinceTime                  // the first message that was stored at that time or later
	SinceID                    // what follows a position
)
