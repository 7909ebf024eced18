package js

import "strings"

// The subjects of a bridge as a micro service of NATS (ADR-32). Whoever may publish below servicePrefix administers bridges. Its first
// character keeps it from callers: no grant reaches subjects that begin with it.
const (
	discoveryPrefix = "$SRV."
	servicePrefix   = "$TAILWATER."
)

// ServiceSubject returns the subject of a request to the bridges of a service.
func ServiceSubject(service, request string) string { return servicePrefix + service + "." + request }

// ServiceFilters returns the filters that cover the subscriptions of a service: those of micro, and its own.
func ServiceFilters(service string) []string {
	return []string{
		discoveryPrefix + "*", discoveryPrefix + "*." + service, discoveryPrefix + "*." + service + ".*", ServiceSubject(service, ">"),
	}
}

// IsOfService reports whether a refusal is of a service: of one of its subscriptions, or of an answer, which goes to an inbox. Nothing else is
// published there: no caller may use subjects that begin so.
func (v Violation) IsOfService() bool {
	if v.Subscribe {
		return strings.HasPrefix(v.Subject, discoveryPrefix) || strings.HasPrefix(v.Subject, servicePrefix)
	}
	return strings.HasPrefix(v.Subject, "_")
}
