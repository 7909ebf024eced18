package bridge

import (
	"context"
	"time"
)

// Log is a numbered flow of messages that is stored, such as a JetStream stream: what a reader reads from when it is
// behind a feed's memory. It is one life of one stream, so all its positions have one epoch. A stream that was set back to
// an earlier copy has the epoch that it had, but is another Log; Logs are compared by ==.
//
// Except Last, the methods wait for the store, as long as ctx lets them; the hub calls them from goroutines of its own,
// few at once. An error means that the store did not answer, and that the same may work later. What they say was true at
// some moment after they were called.
type Log interface {
	// Last gives the position of the newest message that the source has appended to the feeds it belongs to, whatever its
	// subject. It does not wait.
	Last() Position

	// Page reads the messages on the subjects from sequence from on, itself included, up to through, oldest first: all of
	// them, or the first thousand or so.
	Page(ctx context.Context, subjects []Subject, from, through uint64) (Page, error)

	// Newest reads the newest message of each subject that the filters match, as it was when upTo was the last sequence
	// (0: now), oldest first, those from sequence from on: all of them, or the first thousand or so. Page.UpTo is the
	// sequence for which that holds.
	Newest(ctx context.Context, subjects []Subject, from, upTo uint64) (Page, error)

	// Stored gives the position of the message with that sequence, and the log's last sequence. The position's time is 0
	// where no such message is stored. The answer is the leader's: a message that was acknowledged is found.
	Stored(ctx context.Context, seq uint64) (at Position, last uint64, err error)

	// Since gives the sequence of the first message stored at that time or later, whatever its subject; one more than the
	// last sequence where there is none yet.
	Since(ctx context.Context, t time.Time) (seq uint64, err error)
}

// Store tells what is stored on subjects, whichever logs hold them. Stores are compared by ==. The error means that it cannot
// be told now.
type Store interface {
	Extent(ctx context.Context, subjects []Subject) (Extent, error)
}

// Page is a stretch of a log.
type Page struct {
	Messages []*Message // ascending; none above Through

	// Through is how far the page reaches: every message on the subjects from where it began up to this sequence that is
	// stored is in it. Where it is what was asked for, nothing is left to read.
	Through uint64

	// LostBelow tells what limits have removed: to a client whose position is below this sequence, messages may be owed
	// that are gone. To one at or above it nothing is missing that Page does not have.
	LostBelow uint64

	UpTo uint64 // of Newest
}

// Part is a share of a feed's subjects, and the log that their messages come from. A log that was exchanged for another,
// even of the same name, is another Log.
type Part struct {
	Subjects []Subject
	At       Position // everything published on the subjects above it will be appended
	Log      Log      // nil where nothing is stored, and a position is good for the feed's own memory only

	// Unreadable: a log holds some of the subjects, but cannot be read, so that this part has no history.
	Unreadable bool

	// Deaf: some of the subjects bring nothing at present. Whoever comes meanwhile is told by a gap.
	Deaf bool
}
