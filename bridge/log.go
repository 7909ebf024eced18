package bridge

import (
	"context"
	"time"
)

// Log is a stored, numbered sequence of messages, such as a JetStream stream. Readers behind a feed's memory are served from it. A Log is one
// life of one stream, so all its positions have one epoch. A stream that was restored from a backup keeps its epoch, but is another Log; Logs
// are compared by ==.
//
// Except Last, the methods wait for the store until ctx ends. The hub calls them from its own goroutines, a few at a time. An error means that
// the store did not answer; it may work later. Answers were true at some moment after the call.
type Log interface {
	// Last returns the position of the newest message that the source has appended to the log's feeds, whatever its subject. It does not
	// block.
	Last() Position

	// Page reads the messages on the subjects from sequence from (inclusive) to through, oldest first: all of them, or about the first
	// thousand.
	Page(ctx context.Context, subjects []Subject, from, through uint64) (Page, error)

	// Newest reads the newest message of each subject that the filters match, as of the sequence upTo (0 for now), oldest first, from
	// sequence from on: all of them, or about the first thousand. Page.UpTo is that sequence.
	Newest(ctx context.Context, subjects []Subject, from, upTo uint64) (Page, error)

	// Back returns the positions of the newest messages on the subjects up to the sequence upTo (inclusive), oldest first: at most most, and
	// fewer if a page does not hold that many. It returns none if nothing is stored there.
	Back(ctx context.Context, subjects []Subject, upTo uint64, most int) ([]Position, error)

	// Stored returns the position of the message with that sequence, and the log's last sequence. The position's time is 0 if no such message
	// is stored. The leader answers: a message that was acknowledged is found.
	Stored(ctx context.Context, seq uint64) (at Position, last uint64, err error)

	// Since returns the sequence of the first message stored at that time or later, whatever its subject. If there is none yet, it returns
	// the last sequence plus one.
	Since(ctx context.Context, t time.Time) (seq uint64, err error)
}

// Store reports what is stored on subjects, in whatever logs. Stores are compared by ==. An error means that this is unknown now.
type Store interface {
	// Holder returns what has to answer about the subjects, as far as that is known without asking; compared by ==. A holder that does not answer
	// delays no lookups at others.
	Holder(subjects []Subject) any
	Extent(ctx context.Context, subjects []Subject) (Extent, error)
	// End returns a position at or behind everything that was stored on the subjects before the call. It does not name logs that hold none of them, or
	// none that has not arrived here.
	End(ctx context.Context, subjects []Subject) (ID, error)
}

// Page is a stretch of a log.
type Page struct {
	Messages []*Message // ascending; none above Through

	// Through is how far the page reaches: it contains every stored message on the subjects from its beginning up to this sequence. If
	// Through is the requested end, nothing is left to read.
	Through uint64

	// LostBelow is the limit of loss: a client whose position is below this sequence may have lost messages to the stream's limits. A client
	// at or above LostBelow misses nothing but what the page holds.
	LostBelow uint64

	UpTo uint64 // of Newest
}

// Part is some of a feed's subjects, and the log that their messages come from. A log that has replaced another, even one of the same name,
// is another Log.
type Part struct {
	Subjects []Subject
	At       Position // everything published on the subjects above it will be appended
	Log      Log      // nil if nothing is stored, and positions are valid only within the feed's memory

	// Unreadable means that a log holds some of the subjects but cannot be read, so this part has no history.
	Unreadable bool

	// Deaf means that some of the subjects deliver nothing at present. New readers get a gap.
	Deaf bool
}
