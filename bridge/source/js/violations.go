package js

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
)

// violations are what NATS has refused on one link. NATS reports a refusal in an error that belongs to no call, and answers the ping
// behind it all the same, so a round trip alone proves nothing. A refusal is of one direction. It counts only for requests that were
// made before it came: permissions can change under a connection.
type violations struct {
	change Signal

	mu        sync.Mutex
	last      error             // the last that was noted
	count     uint64            // of all
	limited   uint64            // of those that were for too many subscriptions
	subscribe map[string]uint64 // the number of the last refusal of a subject
	publish   map[string]uint64
}

// maxViolations bounds what is remembered of each direction: callers choose the subjects.
const maxViolations = 1000

func (v *violations) start() {
	v.subscribe, v.publish = map[string]uint64{}, map[string]uint64{}
}

// Violation is an error of NATS that speaks of subjects.
type Violation struct {
	Subject   string // "" if the error names none
	Subscribe bool   // else it is of publishing
}

var violation = regexp.MustCompile(`(Subscription|Publish) to ("(?:[^"\\]|\\.)*")`)

// ParseViolation reads the subject and direction from an error.
func ParseViolation(err error) Violation {
	if errors.Is(err, nats.ErrMaxSubscriptionsExceeded) {
		return Violation{Subscribe: true}
	}
	match := violation.FindStringSubmatch(err.Error())
	if match == nil {
		return Violation{}
	}
	found := Violation{Subject: match[2], Subscribe: match[1] == "Subscription"}
	if plain, err := strconv.Unquote(match[2]); err == nil {
		found.Subject = plain
	}
	return found
}

func isViolation(err error) bool {
	return errors.Is(err, nats.ErrPermissionViolation) || errors.Is(err, nats.ErrMaxSubscriptionsExceeded)
}

// note records a violation.
func (v *violations) note(err error) {
	defer v.change.Send()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.last = err
	v.count++
	if errors.Is(err, nats.ErrMaxSubscriptionsExceeded) {
		v.limited++
		return
	}
	found := ParseViolation(err)
	of := v.publish
	if found.Subscribe {
		of = v.subscribe
	}
	if found.Subject == "" {
		return
	}
	if len(of) >= maxViolations {
		clear(of)
	}
	of[found.Subject] = v.count
}

func (v *violations) isLast(err error) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.last == err
}

// Violations returns a channel that is closed at the next violation.
func (v *violations) Violations() <-chan struct{} { return v.change.Wait() }

// Moment is when something was asked of NATS on a link.
type Moment struct {
	*Link
	count uint64
}

// Now returns the present moment.
func (l *Link) Now() Moment {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Moment{l, l.count}
}

// Ever is the moment at which a link began.
func (l *Link) Ever() Moment { return Moment{l, 0} }

// PublishRefused reports whether publishing to a subject was refused since.
func (m Moment) PublishRefused(subject string) bool {
	m.violations.mu.Lock()
	defer m.violations.mu.Unlock()
	return m.publish[subject] > m.count
}

// SubscribeRefused reports whether a subscription to a subject was refused since.
func (m Moment) SubscribeRefused(subject string) bool {
	m.violations.mu.Lock()
	defer m.violations.mu.Unlock()
	return m.subscribe[subject] > m.count
}

// Limited returns how often NATS has refused a subscription because there were too many.
func (v *violations) Limited() uint64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.limited
}

// IsStalling reports whether the answers are refused without which a consumer with flow control stops.
func (v *violations) IsStalling() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for subject := range v.publish {
		if strings.HasPrefix(subject, FlowControlBegin) {
			return true
		}
	}
	return false
}
