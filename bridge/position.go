package bridge

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxIDBytes is how long an event id may be: browsers send it back in a request header.
const maxIDBytes = 64

// Position is a place in the flow of messages, and what an event id spells: `<epoch>-<seq>-<time>`.
//
// The epoch names one life of the sequence: of a stream, or, where no stream holds a subject, of this process. Sequences
// of different epochs cannot be compared. The time is when the message was stored or arrived; it tells age, and catches
// a store that was rolled back and uses its sequences again.
type Position struct {
	Epoch string
	Seq   uint64
	Time  int64 // nanoseconds since 1970 UTC; 0 where it is not known
}

// String gives the event id: letters, digits and dashes only, which every browser stores and sends back unchanged.
func (p Position) String() string { return string(p.append(nil)) }

func (p Position) append(dst []byte) []byte {
	dst = append(dst, p.Epoch...)
	dst = append(dst, '-')
	dst = strconv.AppendUint(dst, p.Seq, 10)
	if p.Time != 0 {
		dst = append(dst, '-')
		dst = strconv.AppendInt(dst, p.Time, 36)
	}
	return dst
}

// when gives the time of the position in UTC, or the zero time where it is not known.
func (p Position) when() time.Time {
	if p.Time == 0 {
		return time.Time{}
	}
	return time.Unix(0, p.Time).UTC()
}

// ParseID reads an event id; the time may be absent. The error wraps ErrID. An id grants nothing: it is a place, not a
// permission.
func ParseID(id string) (Position, error) {
	if len(id) > maxIDBytes {
		return Position{}, fmt.Errorf("%w: it has %d bytes; at most %d are possible", ErrID, len(id), maxIDBytes)
	}
	epoch, rest, _ := strings.Cut(id, "-")
	seqText, timeText, hasTime := strings.Cut(rest, "-")
	p := Position{Epoch: epoch}
	var err error
	if p.Seq, err = strconv.ParseUint(seqText, 10, 64); err == nil && hasTime {
		p.Time, err = strconv.ParseInt(timeText, 36, 64)
	}
	// Only what String would write is an id; this refuses signs, leading zeros and capitals in one stroke.
	if err != nil || p.Time < 0 || p.String() != id || !isEpoch(epoch) {
		return Position{}, fmt.Errorf("%w: %q; take it from the id of an event, as it is", ErrID, id)
	}
	return p, nil
}

func isEpoch(s string) bool {
	for _, c := range []byte(s) {
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z') {
			return false
		}
	}
	return s != ""
}
