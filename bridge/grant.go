package bridge

import (
	"fmt"
	"slices"
)

// Grant is what a caller may do. The zero value allows nothing.
//
// A denial wins over every permission, also over those of grants joined by With. Whatever overlaps a denied subject is refused, so a filter
// that covers a denied subject cannot be read.
type Grant struct {
	Subscribe []Subject // filters that may be read
	Publish   []Subject // filters that may be published to
	Wildcards bool      // whether filters within Subscribe may be read as such

	DenySubscribe []Subject // filters that may not be read, even if they are allowed
	DenyPublish   []Subject // filters that may not be published to, even if they are allowed

	with []Grant
}

// With returns a grant of what either grant allows and neither denies. Wildcards stays with its own grant: it does not allow filters within
// what only the other allows.
func (g Grant) With(other Grant) Grant {
	g.with = append(slices.Clone(g.with), other)
	return g
}

// CheckSubscribe returns an error if the caller may not read a subject or filter. The error wraps ErrForbidden. It is the same whether or not
// anybody uses the subject, and whether the subject is denied or was never allowed.
func (g Grant) CheckSubscribe(s Subject) error { return g.CheckRoute(Route{}, s) }

// CheckRoute is CheckSubscribe for a subject read on a route. What the route itself grants needs no permission, but denials hold. Wildcards in
// the route's template are the operator's: only wildcards chosen by the caller need Wildcards.
func (g Grant) CheckRoute(route Route, s Subject) error {
	mayWildcards := func(g Grant, s Subject) bool { return g.Wildcards && (route.Grants() || g.canRead(s)) }
	switch {
	case route.Grants() && g.any(s, Grant.deniesReading):
		return fmt.Errorf("%w: this caller is denied %s", ErrForbidden, echo(string(s)))
	case route.Grants():
	case s.Reserved():
		return errReserved(s)
	case !g.any(s, Grant.canRead), g.any(s, Grant.deniesReading):
		return fmt.Errorf("%w: no permission to read %s; send a token that allows it, or ask the operator to open it to anyone with TAILWATER_ANONYMOUS_SUBSCRIBE", ErrForbidden, echo(string(s)))
	}
	if route.wildByCaller(s) && !g.any(s, mayWildcards) {
		return errWildcards(s)
	}
	return nil
}

// CheckPublish returns an error if the caller may not publish to a subject. The error wraps ErrForbidden, or for a filter, to which nobody can
// publish, ErrSubject.
func (g Grant) CheckPublish(s Subject) error {
	switch {
	case s.Wild():
		return errFilter(s)
	case s.Reserved():
		return errReserved(s)
	case !g.any(s, Grant.canWrite), g.any(s, Grant.deniesWriting):
		return fmt.Errorf("%w: no permission to publish to %s; send a token that allows it, or ask the operator to open it to anyone with TAILWATER_ANONYMOUS_PUBLISH", ErrForbidden, echo(string(s)))
	}
	return nil
}

// CheckGrantedPublish is CheckPublish for a subject to which a route itself grants publishing.
func (g Grant) CheckGrantedPublish(s Subject) error {
	switch {
	case s.Wild():
		return errFilter(s)
	case g.any(s, Grant.deniesWriting):
		return fmt.Errorf("%w: this caller is denied %s", ErrForbidden, echo(string(s)))
	}
	return nil
}

// CheckDiscovery returns an error if the caller may not ask which agents there are. Who may publish to none of their subjects learns nothing of
// them. The error wraps ErrForbidden.
func (g Grant) CheckDiscovery(s Subject) error {
	denies := func(f Subject) bool {
		return g.any(f, func(g Grant, f Subject) bool { return covered(g.DenyPublish, f) })
	}
	mayAsk := func(own Grant, all Subject) bool {
		return slices.ContainsFunc(own.Publish, func(f Subject) bool { return f.Overlaps(all) && !denies(f) })
	}
	if g.any(s, Grant.deniesWriting) || !g.any(AgentsRoot, mayAsk) {
		return fmt.Errorf("%w: only callers who may publish to an agent, below agents, may list agents; send a token that allows it, or ask the operator to open an agent to anyone with TAILWATER_ANONYMOUS_PUBLISH", ErrForbidden)
	}
	return nil
}

func errFilter(s Subject) error {
	return fmt.Errorf("%w to publish to: %s is a filter; name one subject, without * and >", ErrSubject, echo(string(s)))
}

func errWildcards(s Subject) error {
	return fmt.Errorf("%w: %s is a filter, and you may not read filters; name one subject, send a token with wildcards, or ask the operator to set TAILWATER_ANONYMOUS_WILDCARDS=true", ErrForbidden, echo(string(s)))
}

func (g Grant) canRead(s Subject) bool       { return covered(g.Subscribe, s) }
func (g Grant) canWrite(s Subject) bool      { return covered(g.Publish, s) }
func (g Grant) deniesReading(s Subject) bool { return overlapped(g.DenySubscribe, s) }
func (g Grant) deniesWriting(s Subject) bool { return overlapped(g.DenyPublish, s) }

// any reports whether ask is true for the grant, or one of those joined to it.
func (g Grant) any(s Subject, ask func(Grant, Subject) bool) bool {
	return ask(g, s) || slices.ContainsFunc(g.with, func(other Grant) bool { return other.any(s, ask) })
}

func covered(by []Subject, s Subject) bool {
	return slices.ContainsFunc(by, func(f Subject) bool { return f.Covers(s) })
}

func overlapped(by []Subject, s Subject) bool {
	return slices.ContainsFunc(by, func(f Subject) bool { return f.Overlaps(s) })
}
