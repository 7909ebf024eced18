package configs

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/dustin/go-humanize"

	"github.com/tailwater/tailwater/bridge"
)

// Subjects are NATS subjects and filters, none of which includes subjects of NATS itself.
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

// Routes are URL patterns with their subjects; no two patterns match the same paths.
type Routes []bridge.Route

// Decode reads Routes, separated by commas.
func (r *Routes) Decode(value string) error {
	err := decodeList((*[]bridge.Route)(r), value, func(entry string) (bridge.Route, error) {
		route, err := bridge.ParseRoute(entry)
		if err != nil {
			return bridge.Route{}, err
		}
		if route.NamesBucket() || route.Discovers() {
			return route, nil // allowed: it names the bucket, or asks for agents and nothing else
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

// Token is one token of a subject.
type Token string

// Decode reads a Token.
func (t *Token) Decode(value string) error {
	subject, err := bridge.ParseSubject(value)
	switch {
	case err != nil:
		return err
	case strings.Contains(value, ".") || subject.Wild():
		return fmt.Errorf("%q is not one word; write a word without dots and wildcards, like answers", value)
	}
	*t = Token(value)
	return checkReach(value, subject)
}

// ServiceName is the name of a micro service of NATS.
type ServiceName string

// serviceName is what NATS allows (ADR-32).
var serviceName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// agentsName is the service that agents of NATS's agent protocol are: a route may list its instances to callers, and a bridge is none.
const agentsName = "agents"

// Decode reads a ServiceName.
func (n *ServiceName) Decode(value string) error {
	switch {
	case !serviceName.MatchString(value):
		return fmt.Errorf("%q is not a name of a service; write letters, digits, - and _, as in tailwater", value)
	case value == agentsName:
		return fmt.Errorf("%q are those that answer prompts; choose another name, such as tailwater", value)
	}
	*n = ServiceName(value)
	return nil
}

// begins reports whether a subject has the token as its first one. The empty token begins none.
func (t Token) begins(subject bridge.Subject) bool {
	return t != "" && strings.HasPrefix(string(subject)+".", string(t)+".")
}

// Bytes is a size in bytes.
type Bytes int64

// Decode reads a size: a number of bytes, or one with a unit of thousands (KB, MB) or of 1024 (KiB, MiB).
func (b *Bytes) Decode(value string) error {
	size, err := humanize.ParseBytes(value)
	if err != nil || size > math.MaxInt64 {
		return fmt.Errorf("%q is not a size; write a number of bytes, or a size with a unit, such as 256KiB or 1GB", value)
	}
	*b = Bytes(size)
	return nil
}

// String returns the size with a unit.
func (b Bytes) String() string { return humanize.IBytes(uint64(b)) }

// Sync is when streams are flushed to disk: after each message, or each Interval.
type Sync struct {
	Always   bool
	Interval time.Duration // 0 if Always
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

// String returns the text that Decode reads.
func (s Sync) String() string {
	if s.Always {
		return "always"
	}
	return s.Interval.String()
}

// Patience is how long to tolerate something.
type Patience struct {
	Forever bool
	For     time.Duration // unless Forever
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

// String returns the text that Decode reads.
func (p Patience) String() string {
	if p.Forever {
		return "forever"
	}
	return p.For.String()
}

// Over reports whether lasted is longer.
func (p Patience) Over(lasted time.Duration) bool { return !p.Forever && lasted > p.For }

// Domain is the name of a JetStream domain.
type Domain string

// Decode reads a Domain.
func (d *Domain) Decode(value string) error {
	subject, err := bridge.ParseSubject(value)
	if err != nil || strings.ContainsAny(value, ".*>$") {
		return fmt.Errorf("%q is not a JetStream domain; write the domain of the servers' configuration, such as hub", value)
	}
	*d = Domain(subject)
	return nil
}

// StreamName is a valid name of a JetStream stream.
type StreamName string

// maxStreamName is JetStream's limit.
const maxStreamName = 255

// Decode reads a StreamName.
func (n *StreamName) Decode(value string) error {
	bad := func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r) || strings.ContainsRune(`.*>/\`, r)
	}
	if len(value) > maxStreamName || strings.ContainsFunc(value, bad) {
		return fmt.Errorf("%q is not valid as a stream name; write up to %d bytes without blanks, dots, slashes, * and >", value, maxStreamName)
	}
	// With an embedded server the stream is changed to fit the settings, which would remove a bucket's subjects.
	for _, taken := range []string{"KV_", "OBJ_", "$"} {
		if strings.HasPrefix(value, taken) {
			return fmt.Errorf("%q begins with %s, as the streams of buckets and of NATS itself do; choose another name", value, taken)
		}
	}
	*n = StreamName(value)
	return nil
}

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

// Loops is how many event loops write connections.
type Loops int

// loopsAuto chooses what suits the machine.
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

// Number returns the number of loops on this machine. On two processors one loop is faster than two: the second would take
// processor time from NATS and from accepting connections.
func (l Loops) Number() int {
	if l == loopsAuto {
		return max(1, runtime.GOMAXPROCS(0)/2)
	}
	return int(l)
}

// String returns the text that Decode reads.
func (l Loops) String() string {
	if l == loopsAuto {
		return "auto"
	}
	return strconv.Itoa(int(l))
}
