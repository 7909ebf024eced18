package configs

import (
	"errors"
	"fmt"
	"time"

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
		return route, checkReach(entry, route.Filter())
	})
	if err != nil {
		return err
	}
	return bridge.CheckRoutes(*r)
}

func checkReach(entry string, subject bridge.Subject) error {
	if subject.Reserved() {
		return fmt.Errorf("%q reaches subjects of NATS itself ($…, _INBOX) or everything; begin it with a word of your own, like chat.>", entry)
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
