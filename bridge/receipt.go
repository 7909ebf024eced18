package bridge

// Receipt is what became of a message that was published.
type Receipt struct {
	Stream string // that has stored it; empty where no stream holds the subject, and NATS has taken it
	// Position is in the stream, without a time, which acknowledgements do not carry. Its epoch is empty where a connection
	// cannot continue there: the stream is not read from.
	Position  Position
	Duplicate bool // the stream had it already, by its Nats-Msg-Id; the position is that of the first
}

// Extent is what is stored on some subjects at a moment.
type Extent struct {
	Last ID // continues with whatever comes then; nil where nothing is stored

	// The sequences of the oldest and the newest message; 0 where there is none, or where several streams hold the
	// subjects.
	FirstSeq, LastSeq uint64
}
