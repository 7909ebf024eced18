package configs

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/dustin/go-humanize"

	"github.com/tailwater/tailwater/bridge"
)

// Subjects are NATS subjects and filters, none of which reaches what belongs to NATS itself.
type Subjects []bridge.Subject

// Decode reads Subjects, separated by commas.
func (s *Subjects) Decode(value string) error {
	return decodeList((*[]bridge.Subject)(s), value, func(entry string) (bridge.Subject, error) {
		subject, err := bridge.ParseSubject(entry)
		if err != nil {
			return "", err
		}
		return subject, checkReach(entry, subject)
	})
}

// Routes are URL patterns with the subjects they stand for; no two of them fit the same paths.
type Routes []bridge.Route

// Decode reads Routes, separated by commas.
func (r *Routes) Decode(value string) error {
	err := decodeList((*[]bridge.Route)(r), value, func(entry string) (bridge.Route, error) {
		route, err := bridge.ParseRoute(entry)
		if err != nil {
			return bridge.Route{}, err
		}
		if route.NamesBucket() {
			return route, nil // it is meant: it names the bucket
		}
		return route, checkReach(entry, route.Filter())
	})
	if err != nil {
		return err
	}
	return bridge.CheckRoutes(*r)
}

func checkReach(entry string, subject bridge.Subject) error {
	if subject.Reserved() {
		return fmt.Errorf("%q matches subjects of NATS itself ($…, _INBOX) or everything; start it with a word of your own, like chat.>", entry)
	}
	return nil
}

// Bytes is a size in bytes.
type Bytes int64

// maxBytes is the most that a NATS server keeps for one client before it cuts it off, unless told otherwise: a larger
// message could never be delivered.
const maxBytes Bytes = 64 << 20

// Decode reads a size: a number of bytes, or one with a unit of thousands (KB, MB) or of 1024 (KiB, MiB).
func (b *Bytes) Decode(value string) error {
	size, err := humanize.ParseBytes(value)
	if err != nil {
		return fmt.Errorf("%q is not a size; write a number of bytes, or a unit as in 256KiB or 1MB", value)
	}
	if size < 1 || size > uint64(maxBytes) {
		return fmt.Errorf("%q is out of range; write a size from 1 byte to 64MiB", value)
	}
	*b = Bytes(size)
	return nil
}

// String gives the size with a unit.
func (b Bytes) String() string { return humanize.IBytes(uint64(b)) }

// Sync is when streams are flushed to disk: with each message, or each Interval.
type Sync struct {
	Always   bool
	Interval time.Duration // 0 where Always
}

// Decode reads the word always or a duration.
func (s *Sync) Decode(value string) error {
	if value == "always" {
		*s = Sync{Always: true}
		return nil
	}
	interval, err := time.ParseDuration(value)
	switch {
	case err != nil:
		return fmt.Errorf("%q is neither a duration, such as 1s, nor always", value)
	case interval <= 0:
		return errors.New("the interval must be more than 0; write always to flush each message")
	}
	*s = Sync{Interval: interval}
	return nil
}

// String gives what Decode reads.
func (s Sync) String() string {
	if s.Always {
		return "always"
	}
	return s.Interval.String()
}

// Distinct are Subjects of which no two can stand for the same subject: a stream takes no others.
type Distinct []bridge.Subject

// Decode reads Distinct, separated by commas.
func (d *Distinct) Decode(value string) error {
	var subjects Subjects
	if err := subjects.Decode(value); err != nil {
		return err
	}
	var found []error
	for i, s := range subjects {
		for _, other := range subjects[:i] {
			if s.Overlaps(other) {
				found = append(found, fmt.Errorf("%q and %q overlap, which a stream does not take; keep one of them, or one filter that covers both", other, s))
			}
		}
	}
	if len(found) > 0 {
		return errors.Join(found...)
	}
	*d = Distinct(subjects)
	return nil
}

// Patience is how long something is put up with.
type Patience struct {
	Forever bool
	For     time.Duration // where not Forever
}

// Decode reads the word forever or a duration.
func (p *Patience) Decode(value string) error {
	if value == "forever" {
		*p = Patience{Forever: true}
		return nil
	}
	limit, err := time.ParseDuration(value)
	if err != nil || limit < 0 {
		return fmt.Errorf("%q is neither a duration, such as 30s, nor forever", value)
	}
	*p = Patience{For: limit}
	return nil
}

// String returns what Decode reads.
func (p Patience) String() string {
	if p.Forever {
		return "forever"
	}
	return p.For.String()
}

// Over reports whether something has lasted longer.
func (p Patience) Over(lasted time.Duration) bool { return !p.Forever && lasted > p.For }

// Domain is the name of a JetStream domain.
type Domain string

// Decode reads a Domain.
func (d *Domain) Decode(value string) error {
	subject, err := bridge.ParseSubject(value)
	if err != nil || strings.ContainsAny(value, ".*>$") {
		return fmt.Errorf("%q is no JetStream domain; write the word that the servers' configuration has as domain, such as hub", value)
	}
	*d = Domain(subject)
	return nil
}

// StreamName is a name that JetStream takes for a stream.
type StreamName string

// maxStreamName is what JetStream allows.
const maxStreamName = 255

// Decode reads a StreamName.
func (n *StreamName) Decode(value string) error {
	bad := func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r) || strings.ContainsRune(`.*>/\`, r)
	}
	if len(value) > maxStreamName || strings.ContainsFunc(value, bad) {
		return fmt.Errorf("%q is no name for a stream; write up to %d bytes without blanks, dots, slashes, * and >", value, maxStreamName)
	}
	// With an embedded server the stream is brought to the settings, which would take a bucket its subjects.
	for _, taken := range []string{"KV_", "OBJ_", "$"} {
		if strings.HasPrefix(value, taken) {
			return fmt.Errorf("%q begins with %s, as the streams of buckets and of NATS itself do; choose another name", value, taken)
		}
	}
	*n = StreamName(value)
	return nil
}

// Age is a duration, or 0 for no limit.
type Age time.Duration

// Decode reads an Age.
func (a *Age) Decode(value string) error {
	d, err := time.ParseDuration(value)
	switch {
	case err != nil:
		return fmt.Errorf("%q is not a duration; write a number with a unit, such as 24h, or 0s for no limit", value)
	case d < 0 || d > 0 && d < minAge:
		return fmt.Errorf("%v is out of range; write at least %v, or 0s for no limit", d, minAge)
	}
	*a = Age(d)
	return nil
}

// minAge is the least that JetStream takes.
const minAge = 100 * time.Millisecond

// String gives what Decode reads.
func (a Age) String() string { return time.Duration(a).String() }

// Size is a number of bytes, or 0 for no limit.
type Size int64

// Decode reads a Size, as Bytes does.
func (s *Size) Decode(value string) error {
	size, err := humanize.ParseBytes(value)
	if err != nil || size > math.MaxInt64 {
		return fmt.Errorf("%q is not a size; write a number of bytes, or a unit as in 1GiB or 500MB; 0 for no limit", value)
	}
	*s = Size(size)
	return nil
}

// String gives the size with a unit.
func (s Size) String() string { return humanize.IBytes(uint64(s)) }

// Count is a number, or 0 for no limit.
type Count int64

// Decode reads a Count.
func (c *Count) Decode(value string) error {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 0 {
		return fmt.Errorf("%q is not a number; write 1 or more, or 0 for no limit", value)
	}
	*c = Count(n)
	return nil
}

// Storage is where a stream is kept.
type Storage string

// Decode reads a Storage.
func (s *Storage) Decode(value string) error {
	if value != "file" && value != "memory" {
		return fmt.Errorf("%q is no storage; write file or memory", value)
	}
	*s = Storage(value)
	return nil
}

// Loops is how many event loops write connections.
type Loops int

// loopsAuto stands for what suits the machine.
const loopsAuto Loops = -1

// Decode reads Loops.
func (l *Loops) Decode(value string) error {
	if value == "auto" {
		*l = loopsAuto
		return nil
	}
	n, err := strconv.ParseUint(value, 10, 8)
	if err != nil {
		return fmt.Errorf("%q is not a number of event loops; write auto, 0 for none, or up to 255", value)
	}
	*l = Loops(n)
	return nil
}

// Number gives how many there are to be on this machine. On two processors one loop is faster than two: the second takes
// its time from NATS and from the acceptance of connections.
func (l Loops) Number() int {
	if l == loopsAuto {
		return max(1, runtime.GOMAXPROCS(0)/2)
	}
	return int(l)
}

// String gives what Decode reads.
func (l Loops) String() string {
	if l == loopsAuto {
		return "auto"
	}
	return strconv.Itoa(int(l))
}
