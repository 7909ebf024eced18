package js

import (
	"errors"
	"regexp"
	"strconv"
	"sync"

	"github.com/nats-io/nats.go"
)

// violations are the refusals of NATS on one link. NATS reports a refusal by an error that belongs to no call, and answers the
// ping after it as usual, so a round trip alone proves nothing. A refusal is for one direction. It counts only for requests made
// before it: permissions can change during a connection.
type violations struct {
	change Signal

	mu        sync.Mutex
	last      error             // the last error recorded
	count     uint64            // of all refusals
	limited   uint64            // of those for too many subscriptions
	subscribe map[string]uint64 // by subject: the number of its last refusal
	publish   map[string]uint64
}

// maxViolations limits the subjects remembered for each direction, because callers choose the subjects.
const maxViolations = 1000

// Violation is a refusal of NATS.
type Violation struct {
	Subject   string // "" if the error names no subject
	Subscribe bool   // false for publishing
}

// IsLimit reports whether there were too many subscriptions. The error does not say which one was refused.
func (v Violation) IsLimit() bool { return v == Violation{Subscribe: true} }

var violation = regexp.MustCompile(`(Subscription|Publish) to ("(?:[^"\\]|\\.)*")`)

// ParseViolation reads the subject and direction from an error. It reports false if the error is no refusal.
func ParseViolation(err error) (found Violation, isOne bool) {
	if errors.Is(err, nats.ErrMaxSubscriptionsExceeded) {
		return Violation{Subscribe: true}, true
	}
	if match := violation.FindStringSubmatch(err.Error()); match != nil {
		found = Violation{Subject: match[2], Subscribe: match[1] == "Subscription"}
		if plain, err := strconv.Unquote(match[2]); err == nil {
			found.Subject = plain
		}
	}
	return found, errors.Is(err, nats.ErrPermissionViolation)
}

// note records a refusal.
func (v *violations) note(err error) {
	defer v.change.Send()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.last = err
	v.count++
	found, _ := ParseViolation(err)
	of := v.publish
	if found.Subscribe {
		of = v.subscribe
	}
	switch {
	case found.IsLimit():
		v.limited++
	case found.Subject != "":
		if len(of) >= maxViolations {
			clear(of)
		}
		of[found.Subject] = v.count
	}
}

func (v *violations) isLast(err error) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.last == err
}

// Violations returns a channel that is closed at the next refusal.
func (v *violations) Violations() <-chan struct{} { return v.change.Wait() }

// Moment is a time on a link, to tell earlier refusals from later ones.
type Moment struct {
	*Link
	count, limit uint64 // refusals by then; those for too many subscriptions
}

// Now returns the present moment.
func (l *Link) Now() Moment {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Moment{l, l.count, l.limited}
}

// Ever returns the moment at which a link began.
func (l *Link) Ever() Moment { return Moment{Link: l} }

// PublishRefused reports whether publishing to a subject was refused since m.
func (m Moment) PublishRefused(subject string) bool {
	m.violations.mu.Lock()
	defer m.violations.mu.Unlock()
	return m.publish[subject] > m.count
}

// SubscribeRefused reports whether a subscription to a subject was refused since m.
func (m Moment) SubscribeRefused(subject string) bool {
	m.violations.mu.Lock()
	defer m.violations.mu.Unlock()
	return m.subscribe[subject] > m.count
}

// LimitReached reports whether a subscription was refused since m because there were too many.
func (m Moment) LimitReached() bool { return m.Limited() != m.limit }

// Limited returns how many subscriptions NATS has refused because there were too many.
func (v *violations) Limited() uint64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.limited
}
