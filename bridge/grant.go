package bridge

import (
	"fmt"
	"slices"
)

// Grant is what a caller may do. The zero value allows nothing.
type Grant struct {
	Subscribe []Subject // what may be read
	Publish   []Subject // what may be written
	Wildcards bool      // whether filters may be read, within Subscribe
}

// CheckSubscribe tells whether the caller may read a subject or filter. The error wraps ErrForbidden, and reads the same
// whether or not anybody uses the subject.
func (g Grant) CheckSubscribe(s Subject) error {
	switch {
	case s.Reserved():
		return errReserved(s)
	case !allows(g.Subscribe, s):
		return fmt.Errorf("%w: %q may not be read without a permission that covers it; the operator can open subjects to everyone with TAILWATER_ANONYMOUS_SUBSCRIBE", ErrForbidden, s)
	}
	return g.CheckWildcards(s)
}

// CheckWildcards tells whether the caller may read a filter, where what it stands for is granted otherwise. The error
// wraps ErrForbidden.
func (g Grant) CheckWildcards(s Subject) error {
	if s.Wild() && !g.Wildcards {
		return fmt.Errorf("%w: %q is a filter, and filters may not be read here; name one subject, or the operator sets TAILWATER_ANONYMOUS_WILDCARDS=true", ErrForbidden, s)
	}
	return nil
}

// CheckPublish tells whether the caller may write a subject. The error wraps ErrForbidden, or ErrSubject for a filter,
// which nobody can publish to.
func (g Grant) CheckPublish(s Subject) error {
	switch {
	case s.Wild():
		return fmt.Errorf("%w to publish to: %q is a filter; name one subject, without * and >", ErrSubject, s)
	case s.Reserved():
		return errReserved(s)
	case !allows(g.Publish, s):
		return fmt.Errorf("%w: %q may not be written without a permission that covers it; the operator can open subjects to everyone with TAILWATER_ANONYMOUS_PUBLISH", ErrForbidden, s)
	}
	return nil
}

// errReserved refuses what no grant opens, whatever a setting says: $JS.API alone would give away every stream.
func errReserved(s Subject) error {
	return fmt.Errorf("%w: %q reaches subjects of NATS itself ($…, _INBOX), which are open to nobody; name a subject of your own", ErrForbidden, s)
}

func allows(granted []Subject, s Subject) bool {
	return slices.ContainsFunc(granted, func(g Subject) bool { return g.Covers(s) })
}
