package bridge

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Route maps URL paths to subjects. `/chat/{room}=chat.{room}` gives each chat room a path of its own: a placeholder
// `{name}` stands for one path segment and one token, a last `{name...}` for the rest of the path. A route only
// renames: who may read or write its subjects is decided as for /events/, but for what Grants says.
//
// `/inbox=user.{claim.sub}.inbox` takes a token of the subject from the caller's own claims, so that no caller chooses it.
// With `POST ` before it, what it names may be written as well as read.
type Route struct {
	text     string
	writable bool        // it began with `POST `
	segments []routePart // of the path, in order
	tokens   []routePart // of the subject, in order
}

// routePart is one segment of a pattern or one token of a template: a literal, or a placeholder.
type routePart struct {
	literal string
	name    string // of the placeholder, without braces and dots
	claim   string // the claim that a placeholder of the template takes its token from
	rest    bool   // {name...}: all that remains of the path
}

// Events is the route that is always there: `/events/chat.room1` or `/events/chat/room1` for the subject chat.room1.
var Events = Route{
	text:     "/events/{subject...}={subject}",
	segments: []routePart{{literal: "events"}, {name: "subject", rest: true}},
	tokens:   []routePart{{name: "subject", rest: true}},
}

// ownPaths are the first segments that no route of the settings may take.
var ownPaths = []string{"events", "presence", "session", "inspect", "clock", "web", "client.js"}

var (
	placeholderForm = regexp.MustCompile(`^\{([a-z][a-z0-9_]*)(\.\.\.)?\}$`)
	literalForm     = regexp.MustCompile(`^[A-Za-z0-9_~-][A-Za-z0-9._~-]*$`)
	claimForm       = regexp.MustCompile(`^\{claim\.([A-Za-z][A-Za-z0-9_-]*)\}$`)
	templateTokens  = regexp.MustCompile(`(?:[^.{]|\{[^}]*\}?)+|\.`)
)

// ParseRoute reads a route as it stands in the settings: `/path/{name}=subject.{name}`. The error wraps ErrRoute.
func ParseRoute(text string) (Route, error) {
	rule, writable := strings.CutPrefix(text, "POST ")
	pattern, template, found := strings.Cut(rule, "=")
	if !found {
		return Route{}, fmt.Errorf("%w: %q has no =; write it as /chat/{room}=chat.{room}", ErrRoute, text)
	}
	route := Route{text: text, writable: writable}
	names, err := route.parsePattern(pattern)
	if err == nil {
		err = route.parseTemplate(template, names)
	}
	if err != nil {
		return Route{}, fmt.Errorf("%w: %q: %w", ErrRoute, text, err)
	}
	return route, nil
}

// parsePattern fills in the segments and gives the placeholders by name.
func (r *Route) parsePattern(pattern string) (map[string]routePart, error) {
	path, rooted := strings.CutPrefix(pattern, "/")
	if !rooted {
		return nil, errors.New("the path must begin with a slash")
	}
	names := map[string]routePart{}
	for i, segment := range strings.Split(path, "/") {
		if n := len(r.segments); n > 0 && r.segments[n-1].rest {
			return nil, fmt.Errorf("{%s...} takes the rest of the path: nothing may follow it", r.segments[n-1].name)
		}
		match := placeholderForm.FindStringSubmatch(segment)
		switch {
		case match != nil && i == 0:
			return nil, errors.New("the first segment of the path must be a word, not a placeholder")
		case match != nil:
			part := routePart{name: match[1], rest: match[2] != ""}
			if _, twice := names[part.name]; twice {
				return nil, fmt.Errorf("the path has {%s} twice", part.name)
			}
			names[part.name] = part
			r.segments = append(r.segments, part)
		case !literalForm.MatchString(segment):
			return nil, fmt.Errorf("the path segment %q is neither a plain word (letters, digits, . _ ~ -) nor a {placeholder}", segment)
		case i == 0 && slices.Contains(ownPaths, segment):
			return nil, fmt.Errorf("paths below /%s are Tailwater's own; choose another first segment", segment)
		default:
			r.segments = append(r.segments, routePart{literal: segment})
		}
	}
	return names, nil
}

// parseTemplate fills in the tokens.
func (r *Route) parseTemplate(template string, names map[string]routePart) error {
	used := map[string]bool{}
	for _, token := range templateTokens.FindAllString(template, -1) {
		name, isPlaceholder := strings.CutPrefix(token, "{")
		name, closed := strings.CutSuffix(name, "}")
		switch part, known := names[name]; {
		case token == ".":
		case !strings.ContainsAny(token, "{}"):
			r.tokens = append(r.tokens, routePart{literal: token})
		case claimForm.MatchString(token):
			r.tokens = append(r.tokens, routePart{claim: claimForm.FindStringSubmatch(token)[1]})
		case strings.HasPrefix(token, "{claim.") && closed:
			return fmt.Errorf("%q in the subject: the name of a claim has letters, digits, _ and -, as in {claim.sub}", token)
		case !isPlaceholder || !closed || strings.ContainsAny(name, "{}"):
			return fmt.Errorf("%q in the subject: a placeholder must be a whole token", token)
		case strings.HasSuffix(name, "..."):
			return fmt.Errorf("write {%s} in the subject, without dots: only the path says that it takes the rest", strings.TrimSuffix(name, "..."))
		case !known:
			return fmt.Errorf("the subject uses {%s}, which the path does not have", name)
		case used[name]:
			return fmt.Errorf("the subject has {%s} twice", name)
		default:
			used[name] = true
			r.tokens = append(r.tokens, part)
		}
	}
	for name := range names {
		if !used[name] {
			return fmt.Errorf("the subject does not use {%s}, so many paths would be one subject", name)
		}
	}
	for _, part := range r.tokens[:max(len(r.tokens)-1, 0)] {
		if part.rest {
			return fmt.Errorf("{%s...} takes the rest of the path: it must be the last token of the subject", part.name)
		}
	}
	// What the template can reach must be a subject; this finds empty tokens and bad characters as well.
	if _, err := ParseSubject(r.fill(template)); err != nil {
		return err
	}
	if r.writable && Subject(template).Wild() {
		return errors.New("POST is for single subjects, and nothing can be published to a filter; write no * and > into it")
	}
	if r.writable && !r.NeedsClaims() {
		return errors.New("POST is for routes with a claim, as in POST /outbox=user.{claim.sub}.outbox; elsewhere everyone would be allowed to write")
	}
	if r.tokens[0].literal == bucketPrefix && !r.NamesBucket() {
		return errors.New("a route to the key-value store must name one bucket, and then its keys, as in /config/{key...}=$KV.config.{key}")
	}
	return nil
}

// fill puts wildcards in the place of the template's placeholders.
func (r *Route) fill(template string) string {
	for _, part := range r.tokens {
		switch {
		case part.claim != "":
			template = strings.ReplaceAll(template, "{claim."+part.claim+"}", "*")
		case part.name != "":
			wildcard := "*"
			if part.rest {
				wildcard = ">"
			}
			template = strings.ReplaceAll(template, "{"+part.name+"}", wildcard)
		}
	}
	return template
}

// Filter is the narrowest filter that covers every subject the route can resolve to.
func (r Route) Filter() Subject {
	_, template, _ := strings.Cut(r.text, "=")
	return Subject(r.fill(template))
}

// bucketPrefix begins the subjects under which the keys of a bucket are stored: $KV.<bucket>.<key> (ADR-8).
const bucketPrefix = "$KV"

// Grants reports whether the route is itself the permission to read what it resolves to: the keys of one bucket of NATS's
// key-value store, which nobody can name otherwise, or subjects that the caller's claims name.
func (r Route) Grants() bool { return r.NamesBucket() || r.NeedsClaims() }

// GrantsPublish reports whether it is the permission to write that, too.
func (r Route) GrantsPublish() bool { return r.writable }

// NamesBucket tells a route to the keys of one bucket, which must stand in the template as it is.
func (r Route) NamesBucket() bool {
	return len(r.tokens) > 2 && r.tokens[0].literal == bucketPrefix && r.tokens[1].literal != "" && !Subject(r.tokens[1].literal).Wild()
}

// IsEvents reports whether the route is Events.
func (r Route) IsEvents() bool { return r.text == Events.text }

// String gives the route as it was written.
func (r Route) String() string { return r.text }

// NeedsClaims reports whether a part of the subject comes from the caller's claims.
func (r Route) NeedsClaims() bool {
	return slices.ContainsFunc(r.tokens, func(part routePart) bool { return part.claim != "" })
}

// Resolve gives the subject that an escaped URL path names on this route, and whether the route's pattern fits the path
// at all. The error wraps ErrSubject. Where the route needs claims, Claim has to fill them in.
func (r Route) Resolve(escapedPath string) (subject Subject, fits bool, err error) {
	values, fits := r.match(escapedPath)
	if !fits {
		return "", false, nil
	}
	tokens := make([]string, 0, len(r.tokens))
	for _, part := range r.tokens {
		token := part.literal
		switch {
		case part.claim != "":
			token = claimBlank
		case part.name != "":
			if token, err = part.value(values[part.name], r.takesSlashes(part)); err != nil {
				return "", true, err
			}
		}
		tokens = append(tokens, token)
	}
	subject, err = parseSubject(strings.Join(tokens, "."), r.limits())
	return subject, true, err
}

// limits returns what the route's subjects may measure.
func (r Route) limits() limits {
	if r.NamesBucket() {
		return ofKeys
	}
	return ordinary
}

// takesSlashes tells whether an encoded slash in the text of a placeholder stands for a slash in a token: in the last part
// of a path to a bucket, whose keys have slashes that are no separators. Elsewhere it is refused, because proxies in front
// may read it as one.
func (r Route) takesSlashes(part routePart) bool {
	return r.NamesBucket() && r.segments[len(r.segments)-1] == part
}

// wildByCaller reports whether a subject of the route is a filter because the caller wrote a wildcard into the path, rather
// than the operator into the template. The zero Route has no template.
func (r Route) wildByCaller(s Subject) bool {
	for i, token := range strings.Split(string(s), ".") {
		isOperators := i < len(r.tokens) && r.tokens[i].literal != ""
		if Subject(token).Wild() && !isOperators {
			return true
		}
	}
	return false
}

// claimBlank stands for a claim until Claim fills it in.
const claimBlank = "claim"

// Claim puts the caller's claims into a subject that Resolve gave. The error wraps ErrToken where the caller is anonymous,
// and ErrForbidden where a claim is missing or is no single token of a subject.
func (r Route) Claim(resolved Subject, caller Caller) (Subject, error) {
	if !r.NeedsClaims() {
		return resolved, nil
	}
	if caller.Anonymous() {
		return "", fmt.Errorf("%w: what is here depends on who asks; send a token, as Authorization: Bearer", ErrToken)
	}
	// Only the last token of the template can stand for several, so those before it keep their places.
	tokens := strings.Split(string(resolved), ".")
	for i, part := range r.tokens {
		if part.claim == "" {
			continue
		}
		value, has := caller.Claims[part.claim]
		if !has {
			return "", fmt.Errorf("%w: the token has no claim %q that is a string, which a subject here is made of", ErrForbidden, part.claim)
		}
		if err := checkClaim(value); err != nil {
			return "", fmt.Errorf("%w: the token's claim %q %w, so no subject can be made of it", ErrForbidden, part.claim, err)
		}
		tokens[i] = value
	}
	subject, err := parseSubject(strings.Join(tokens, "."), r.limits())
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: the token's claims make no subject: they are too long", ErrForbidden)
	case subject.Reserved() && !r.NamesBucket():
		return "", errReserved(subject)
	}
	return subject, nil
}

// checkClaim refuses what would be more than one token, or stand for any.
func checkClaim(value string) error {
	switch {
	case strings.Contains(value, "."):
		return errors.New("holds a dot")
	case value == "*" || value == ">":
		return errors.New("is a wildcard")
	}
	return checkToken(value, true, ordinary)
}

// match gives the escaped text that each placeholder stands for.
func (r Route) match(escapedPath string) (map[string]string, bool) {
	values := map[string]string{}
	rest, more := strings.CutPrefix(escapedPath, "/")
	for _, part := range r.segments {
		if !more {
			return nil, false
		}
		if part.rest {
			values[part.name] = rest
			return values, true
		}
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		if part.name != "" {
			values[part.name] = segment
		} else if segment != part.literal {
			return nil, false
		}
	}
	return values, !more
}

// value gives the token or tokens that a placeholder's escaped text stands for.
func (p routePart) value(escaped string, slashes bool) (string, error) {
	if p.rest {
		return joinSegments(escaped, slashes)
	}
	token, err := decodeSegment(escaped, slashes)
	if err == nil && (token == ">" || strings.Contains(token, ".")) {
		err = fmt.Errorf("%w: %q stands for one token, so it can neither be > nor hold a dot", ErrSubject, token)
	}
	return token, err
}

// CheckRoutes finds routes that could never be reached because another has the same shape. The error wraps ErrRoute
// and names each.
func CheckRoutes(routes []Route) error {
	var problems []error
	for i, route := range routes {
		for _, other := range routes[:i] {
			if compareRoutes(route, other) == 0 {
				problems = append(problems, fmt.Errorf("%w: %q and %q fit the same paths; keep one", ErrRoute, other, route))
			}
		}
	}
	return errors.Join(problems...)
}

// SortRoutes orders routes so that the first that fits a path is the most specific: word before placeholder before
// rest, segment by segment from the left.
func SortRoutes(routes []Route) {
	slices.SortStableFunc(routes, compareRoutes)
}

func compareRoutes(a, b Route) int {
	return slices.CompareFunc(a.segments, b.segments, func(x, y routePart) int {
		if c := x.rank() - y.rank(); c != 0 {
			return c
		}
		return strings.Compare(x.literal, y.literal)
	})
}

func (p routePart) rank() int {
	switch {
	case p.rest:
		return 2
	case p.name != "":
		return 1
	}
	return 0
}
