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
	return g.checkWildcards(s)
}

func (g Grant) checkWildcards(s Subject) error {
	if s.Wild() && !g.Wildcards {
		return fmt.Errorf("%w: %q is a filter, and filters may not be read here; name one subject, or the operator sets TAILWATER_ANONYMOUS_WILDCARDS=true", ErrForbidden, s)
	}
	return nil
}

// CheckSubscribeBy is CheckSubscribe for a subject that was reached by a route. Where the route Grants, only wildcards
// need the caller's own permission. The zero Route stands for none.
func (g Grant) CheckSubscribeBy(route Route, s Subject) error {
	if route.Grants() && route.Filter().Covers(s) {
		return g.checkWildcards(s)
	}
	return g.CheckSubscribe(s)
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

// CheckPublishBy is CheckPublish for a subject that was reached by a route. A route that Grants is for reading only. The
// zero Route stands for none.
func (g Grant) CheckPublishBy(route Route, s Subject) error {
	if route.Grants() && !s.Wild() {
		return fmt.Errorf("%w: %q can only be read here; write the key with a NATS client", ErrForbidden, s)
	}
	return g.CheckPublish(s)
}

// errReserved refuses what no grant opens, whatever a setting says: $JS.API alone would give away every stream.
func errReserved(s Subject) error {
	return fmt.Errorf("%w: %q reaches subjects of NATS itself ($…, _INBOX), which are open to nobody; name a subject of your own", ErrForbidden, s)
}

func allows(granted []Subject, s Subject) bool {
	return slices.ContainsFunc(granted, func(g Subject) bool { return g.Covers(s) })
}
