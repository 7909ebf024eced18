package bridge

// Receipt says what happened to a published message.
type Receipt struct {
	Stream string // the stream that has stored it; empty if no stream holds the subject, and NATS has received it
	// Position is the position in the stream, without a time, which acknowledgements do not contain. Its epoch is empty if a connection cannot
	// continue there, because the stream is not read.
	Position  Position
	Duplicate bool // the stream already had it, by its Nats-Msg-Id; the position is that of the first
}

// Extent is what is stored on some subjects at one moment.
type Extent struct {
	Last ID // the position to continue from; nil if nothing is stored

	// The sequences of the oldest and the newest message; 0 if there is none, or several streams hold the subjects.
	FirstSeq, LastSeq uint64
}
