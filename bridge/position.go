package bridge

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	// maxPositionBytes is the longest part of an id for one log: browsers send the whole id in a request header.
	maxPositionBytes = 64
	// MaxLogs is how many logs one feed may read from.
	MaxLogs = 8
)

// Position is a point in one log. An event id spells it `<epoch>-<seq>-<time>`.
//
// The epoch names one life of a sequence: of a stream, or, if no stream holds a subject, of this process. Sequences of different epochs cannot
// be compared. See Epoch. The time is when the message was stored or arrived. It shows the message's age, and reveals a store that was
// restored from a backup and uses its sequences again.
type Position struct {
	Epoch string
	Seq   uint64
	Time  int64 // nanoseconds since 1970 UTC; 0 if unknown
}

// String returns the event id. It has only letters, digits and dashes, which every browser stores and sends back unchanged.
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

// when returns the time of the position in UTC, or the zero time if unknown.
func (p Position) when() time.Time {
	if p.Time == 0 {
		return time.Time{}
	}
	return time.Unix(0, p.Time).UTC()
}

// ID is an event id: a connection's position in each log that it reads. Almost always there is one.
type ID []Position

// String returns the id as it is sent: positions joined by dots.
func (id ID) String() string { return string(id.append(nil)) }

func (id ID) append(dst []byte) []byte {
	for i, p := range id {
		if i > 0 {
			dst = append(dst, '.')
		}
		dst = p.append(dst)
	}
	return dst
}

// in returns the position in the log of that epoch.
func (id ID) in(epoch string) (Position, bool) {
	for _, p := range id {
		if p.Epoch == epoch {
			return p, true
		}
	}
	return Position{}, false
}

// ParseID parses an event id; the times may be absent. The error wraps ErrID. An id is a position, not a permission.
func ParseID(text string) (ID, error) {
	if strings.Count(text, ".") >= MaxLogs {
		return nil, fmt.Errorf("%w: it has more than %d parts", ErrID, MaxLogs)
	}
	var id ID
	for part := range strings.SplitSeq(text, ".") {
		p, err := parsePosition(part)
		if err != nil {
			return nil, err
		}
		if _, double := id.in(p.Epoch); double {
			return nil, fmt.Errorf("%w: it names one log twice; use the id of an event unchanged", ErrID)
		}
		id = append(id, p)
	}
	return id, nil
}

func parsePosition(text string) (Position, error) {
	if len(text) > maxPositionBytes {
		return Position{}, fmt.Errorf("%w: one part has %d bytes; at most %d are possible", ErrID, len(text), maxPositionBytes)
	}
	epoch, rest, _ := strings.Cut(text, "-")
	seqText, timeText, hasTime := strings.Cut(rest, "-")
	p := Position{Epoch: epoch}
	var err error
	if p.Seq, err = strconv.ParseUint(seqText, 10, 64); err == nil && hasTime {
		p.Time, err = strconv.ParseInt(timeText, 36, 64)
	}
	// Only a text that String writes is an id. This refuses signs, leading zeros and capitals.
	if err != nil || p.Time < 0 || p.String() != text || !isEpoch(epoch) {
		return Position{}, fmt.Errorf("%w: %q; use the id of an event unchanged", ErrID, text)
	}
	return p, nil
}

// epochName is how many characters of an epoch identify its log; the others identify the life.
const epochName = 6

// Epoch names one life of a stream: six characters for its name, six for its creation time. So a stream that was deleted and created again is
// recognized.
func Epoch(stream string, created time.Time) string {
	return shortHash(stream) + shortHash(strconv.FormatInt(created.UnixNano(), 10))
}

func shortHash(s string) string {
	const digits = 36 * 36 * 36 * 36 * 36 * 36
	sum := sha256.Sum256([]byte(s))
	return fmt.Sprintf("%06s", strconv.FormatUint(binary.BigEndian.Uint64(sum[:])%digits, 36))
}

// sameLog reports whether two epochs are lives of one stream.
func sameLog(a, b string) bool {
	return len(a) == 2*epochName && len(b) == len(a) && a[:epochName] == b[:epochName]
}

func isEpoch(s string) bool {
	for _, c := range []byte(s) {
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z') {
			return false
		}
	}
	return s != ""
}
