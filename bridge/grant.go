package bridge

import (
	"fmt"
	"slices"
)

// Grant is what a caller may do. The zero value allows nothing.
//
// A denial beats every permission, those of the grants joined by With as well: what it overlaps cannot be reached, so a
// filter that covers a denied subject cannot be read either.
type Grant struct {
	Subscribe []Subject // what may be read
	Publish   []Subject // what may be written
	Wildcards bool      // whether filters may be read, within Subscribe

	DenySubscribe []Subject // what may not be read, whatever else is allowed
	DenyPublish   []Subject // what may not be written, whatever else is allowed

	with []Grant
}

// With gives what both grants allow together, and neither denies. Wildcards stays with its own grant: it opens no filters
// within what only the other allows.
func (g Grant) With(other Grant) Grant {
	g.with = append(slices.Clone(g.with), other)
	return g
}

// CheckSubscribe tells whether the caller may read a subject or filter. The error wraps ErrForbidden, and reads the same
// whether or not anybody uses the subject, and whether it is denied or was never allowed.
func (g Grant) CheckSubscribe(s Subject) error { return g.CheckRoute(Route{}, s) }

// CheckRoute is CheckSubscribe for what a caller reads on a route. What the route itself grants needs no permission, but
// denials hold. Wildcards that the route's template holds are the operator's: only those that the caller chose need
// Wildcards.
func (g Grant) CheckRoute(route Route, s Subject) error {
	mayWildcards := func(g Grant, s Subject) bool { return g.Wildcards && (route.Grants() || g.canRead(s)) }
	switch {
	case route.Grants() && g.any(s, Grant.deniesReading):
		return fmt.Errorf("%w: %s is closed to this caller", ErrForbidden, echo(string(s)))
	case route.Grants():
	case s.Reserved():
		return errReserved(s)
	case !g.any(s, Grant.canRead), g.any(s, Grant.deniesReading):
		return fmt.Errorf("%w: %s may not be read without a permission that covers it; send a token that allows it, or the operator can open subjects to everyone with TAILWATER_ANONYMOUS_SUBSCRIBE", ErrForbidden, echo(string(s)))
	}
	if route.wildByCaller(s) && !g.any(s, mayWildcards) {
		return errWildcards(s)
	}
	return nil
}

// CheckPublish tells whether the caller may write a subject. The error wraps ErrForbidden, or ErrSubject for a filter,
// which nobody can publish to.
func (g Grant) CheckPublish(s Subject) error {
	switch {
	case s.Wild():
		return errFilter(s)
	case s.Reserved():
		return errReserved(s)
	case !g.any(s, Grant.canWrite), g.any(s, Grant.deniesWriting):
		return fmt.Errorf("%w: %s may not be written without a permission that covers it; send a token that allows it, or the operator can open subjects to everyone with TAILWATER_ANONYMOUS_PUBLISH", ErrForbidden, echo(string(s)))
	}
	return nil
}

// CheckGrantedPublish tells whether the caller may write what a route itself grants. The errors are as of CheckPublish.
func (g Grant) CheckGrantedPublish(s Subject) error {
	switch {
	case s.Wild():
		return errFilter(s)
	case g.any(s, Grant.deniesWriting):
		return fmt.Errorf("%w: %s is closed to this caller", ErrForbidden, echo(string(s)))
	}
	return nil
}

func errFilter(s Subject) error {
	return fmt.Errorf("%w to publish to: %s is a filter; name one subject, without * and >", ErrSubject, echo(string(s)))
}

func errWildcards(s Subject) error {
	return fmt.Errorf("%w: %s is a filter, and filters may not be read here; name one subject, or send a token with wildcards, or the operator sets TAILWATER_ANONYMOUS_WILDCARDS=true", ErrForbidden, echo(string(s)))
}

// errReserved refuses what no grant opens, whatever a setting says: $JS.API alone would give away every stream.
func errReserved(s Subject) error {
	return fmt.Errorf("%w: %s matches subjects of NATS itself ($…, _INBOX), which are open to nobody; name a subject of your own", ErrForbidden, echo(string(s)))
}

func (g Grant) canRead(s Subject) bool       { return covered(g.Subscribe, s) }
func (g Grant) canWrite(s Subject) bool      { return covered(g.Publish, s) }
func (g Grant) deniesReading(s Subject) bool { return overlapped(g.DenySubscribe, s) }
func (g Grant) deniesWriting(s Subject) bool { return overlapped(g.DenyPublish, s) }

// any asks the grant, then those that were joined to it, until one says yes.
func (g Grant) any(s Subject, ask func(Grant, Subject) bool) bool {
	return ask(g, s) || slices.ContainsFunc(g.with, func(other Grant) bool { return other.any(s, ask) })
}

func covered(by []Subject, s Subject) bool {
	return slices.ContainsFunc(by, func(f Subject) bool { return f.Covers(s) })
}

func overlapped(by []Subject, s Subject) bool {
	return slices.ContainsFunc(by, func(f Subject) bool { return f.Overlaps(s) })
}
