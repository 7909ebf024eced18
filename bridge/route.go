package bridge

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Route maps URL paths to subjects. `/chat/{room}=chat.{room}` gives each chat room its own path: a placeholder `{name}` stands for one path
// segment and one token, a last `{name...}` for the rest of the path. A route only renames: permissions are those of /events/, except for what
// Grants says.
//
// `/inbox=user.{claim.sub}.inbox` takes a token of the subject from the caller's own claims, so that callers cannot choose it. With `POST `
// before the path, its subjects may be written as well as read.
//
// `ASK /ask/{model}=llm.{model}` asks: what is posted there is a question to whoever answers on the subject. Nothing can be read there. Options
// may follow, each after a blank: see Silence and Queries.
type Route struct {
	text     string
	writable bool      // the text began with `POST `
	asks     bool      // the text began with `ASK `
	options  options   // of a route that asks
	segments []element // of the path, in order
	tokens   []element // of the subject, in order
}

// element is one segment of a pattern or one token of a template: a literal, or a placeholder.
type element struct {
	literal string
	name    string // of the placeholder, without braces and dots
	claim   string // the claim that supplies the token of a template's placeholder
	rest    bool   // {name...}: the rest of the path
}

// Events is the built-in route: `/events/chat.room1` or `/events/chat/room1` for the subject chat.room1.
var Events = Route{
	text:     "/events/{subject...}={subject}",
	segments: []element{{literal: "events"}, {name: "subject", rest: true}},
	tokens:   []element{{name: "subject", rest: true}},
}

// ownPaths are the first segments that no route of the settings may take.
var ownPaths = []string{"events", "presence", "session", "inspect", "clock", "web", "client.js", "answers", "examples"}

var (
	placeholderForm = regexp.MustCompile(`^\{([a-z][a-z0-9_]*)(\.\.\.)?\}$`)
	literalForm     = regexp.MustCompile(`^[A-Za-z0-9_~-][A-Za-z0-9._~-]*$`)
	claimForm       = regexp.MustCompile(`^\{claim\.([A-Za-z][A-Za-z0-9_-]*)\}$`)
	templateTokens  = regexp.MustCompile(`(?:[^.{]|\{[^}]*\}?)+|\.`)
)

// ParseRoute parses a route of the settings: `/path/{name}=subject.{name}`. The error wraps ErrRoute.
func ParseRoute(text string) (Route, error) {
	rule, writable := strings.CutPrefix(text, "POST ")
	rule, asks := strings.CutPrefix(rule, "ASK ")
	pattern, template, found := strings.Cut(rule, "=")
	switch {
	case !found:
		return Route{}, fmt.Errorf("%w: %q has no =; write it as /chat/{room}=chat.{room}", ErrRoute, text)
	case writable && asks:
		return Route{}, fmt.Errorf("%w: %q begins with POST and with ASK; use ASK alone", ErrRoute, text)
	}
	route := Route{text: text, writable: writable, asks: asks}
	names, err := route.parsePattern(pattern)
	if err == nil && asks {
		var options string
		template, options, _ = strings.Cut(template, " ")
		route.options, err = parseOptions(options)
	}
	if err == nil {
		err = route.parseTemplate(template, names)
	}
	if err != nil {
		return Route{}, fmt.Errorf("%w: %q: %w", ErrRoute, text, err)
	}
	return route, nil
}

// parsePattern sets the segments and returns the placeholders by name.
func (r *Route) parsePattern(pattern string) (map[string]element, error) {
	path, rooted := strings.CutPrefix(pattern, "/")
	if !rooted {
		return nil, errors.New("the path must begin with a slash")
	}
	names := map[string]element{}
	for i, segment := range strings.Split(path, "/") {
		if n := len(r.segments); n > 0 && r.segments[n-1].rest {
			return nil, fmt.Errorf("{%s...} takes the rest of the path: nothing may follow it", r.segments[n-1].name)
		}
		match := placeholderForm.FindStringSubmatch(segment)
		switch {
		case match != nil && i == 0:
			return nil, errors.New("the first segment of the path must be a word, not a placeholder")
		case match != nil:
			e := element{name: match[1], rest: match[2] != ""}
			if _, twice := names[e.name]; twice {
				return nil, fmt.Errorf("the path has {%s} twice", e.name)
			}
			names[e.name] = e
			r.segments = append(r.segments, e)
		case !literalForm.MatchString(segment):
			return nil, fmt.Errorf("the path segment %q is neither a plain word (letters, digits, . _ ~ -) nor a {placeholder}", segment)
		case i == 0 && slices.Contains(ownPaths, segment):
			return nil, fmt.Errorf("paths below /%s are Tailwater's own; choose another first segment", segment)
		default:
			r.segments = append(r.segments, element{literal: segment})
		}
	}
	return names, nil
}

// parseTemplate sets the tokens.
func (r *Route) parseTemplate(template string, names map[string]element) error {
	used, isWild := map[string]bool{}, Subject(template).Wild()
	for _, token := range templateTokens.FindAllString(template, -1) {
		name, isPlaceholder := strings.CutPrefix(token, "{")
		name, closed := strings.CutSuffix(name, "}")
		switch e, known := names[name]; {
		case token == ".":
		case !strings.ContainsAny(token, "{}"):
			r.tokens = append(r.tokens, element{literal: token})
		case claimForm.MatchString(token):
			r.tokens = append(r.tokens, element{claim: claimForm.FindStringSubmatch(token)[1]})
		case strings.HasPrefix(token, "{claim.") && closed:
			return fmt.Errorf("%q in the subject: the name of a claim has letters, digits, _ and -, as in {claim.sub}", token)
		case !isPlaceholder || !closed || strings.ContainsAny(name, "{}"):
			return fmt.Errorf("%q in the subject: a placeholder must be a whole token", token)
		case strings.HasSuffix(name, "..."):
			return fmt.Errorf("write {%s} in the subject, without dots: only the path has the dots", strings.TrimSuffix(name, "..."))
		case !known:
			return fmt.Errorf("the subject uses {%s}, which the path does not have", name)
		case used[name]:
			return fmt.Errorf("the subject has {%s} twice", name)
		default:
			used[name] = true
			r.tokens = append(r.tokens, e)
		}
	}
	for name := range names {
		if !used[name] {
			return fmt.Errorf("the subject does not use {%s}, so many paths would name one subject", name)
		}
	}
	for _, e := range r.tokens[:max(len(r.tokens)-1, 0)] {
		if e.rest {
			return fmt.Errorf("{%s...} takes the rest of the path: it must be the last token of the subject", e.name)
		}
	}
	// With any names in the place of placeholders, it must be a subject. A claim is one token.
	if _, err := ParseSubject(strings.ReplaceAll(template, "{claim.", "{")); err != nil {
		return err
	}
	if r.writable && isWild {
		return errors.New("POST is for single subjects, and nothing can be published to a filter; remove * and >")
	}
	if r.writable && !r.NeedsClaims() {
		return errors.New("POST is for routes with a claim, as in POST /outbox=user.{claim.sub}.outbox; otherwise anyone could write")
	}
	if r.asks && isWild {
		return errors.New("ASK is for single subjects, and no question can be sent to a filter; remove * and >")
	}
	if r.asks && r.tokens[0].literal == bucketPrefix {
		return errors.New("nobody answers in the key-value store; remove ASK, or name another subject")
	}
	if r.tokens[0].literal == bucketPrefix && !r.NamesBucket() {
		return errors.New("a route to the key-value store must name one bucket, and then its keys, as in /config/{key...}=$KV.config.{key}")
	}
	return nil
}

// Filter returns the narrowest filter that covers every subject of the route.
func (r Route) Filter() Subject {
	tokens := make([]string, len(r.tokens))
	for i, e := range r.tokens {
		switch tokens[i] = e.literal; {
		case e.rest:
			tokens[i] = ">"
		case e.literal == "":
			tokens[i] = "*"
		}
	}
	return Subject(strings.Join(tokens, "."))
}

// bucketPrefix begins the subjects of a bucket's keys: $KV.<bucket>.<key> (ADR-8).
const bucketPrefix = "$KV"

// Grants reports whether the route itself is a permission to read its subjects: the keys of one bucket of NATS's key-value store, which no grant
// can name, or subjects that the caller's claims name.
func (r Route) Grants() bool { return !r.asks && (r.NamesBucket() || r.NeedsClaims()) }

// GrantsPublish reports whether the route is a permission to publish to its subjects, or to ask there.
func (r Route) GrantsPublish() bool { return r.writable || r.asks && r.NeedsClaims() }

// Asks reports whether the route is for questions.
func (r Route) Asks() bool { return r.asks }

// NamesBucket reports whether the route leads to the keys of one bucket, which the template must name literally.
func (r Route) NamesBucket() bool {
	return len(r.tokens) > 2 && r.tokens[0].literal == bucketPrefix && r.tokens[1].literal != "" && !Subject(r.tokens[1].literal).Wild()
}

// IsEvents reports whether the route is Events.
func (r Route) IsEvents() bool { return r.text == Events.text }

// String returns the text of the route.
func (r Route) String() string { return r.text }

// NeedsClaims reports whether a token of the subject comes from the caller's claims.
func (r Route) NeedsClaims() bool {
	return slices.ContainsFunc(r.tokens, func(e element) bool { return e.claim != "" })
}

// Resolve returns the subject of an escaped URL path on this route, and whether the path fits the route's pattern at all. The error wraps
// ErrSubject. If the route needs claims, call Claim with the result.
func (r Route) Resolve(escapedPath string) (subject Subject, fits bool, err error) {
	values, fits := r.match(escapedPath)
	if !fits {
		return "", false, nil
	}
	tokens := make([]string, 0, len(r.tokens))
	for _, e := range r.tokens {
		token := e.literal
		switch {
		case e.claim != "":
			token = claimBlank
		case e.name != "":
			if token, err = e.value(values[e.name], r.takesSlashes(e)); err != nil {
				return "", true, err
			}
		}
		tokens = append(tokens, token)
	}
	subject, err = parseSubject(strings.Join(tokens, "."), r.limits())
	return subject, true, err
}

// limits returns the size limits of the route's subjects.
func (r Route) limits() limits {
	if r.NamesBucket() {
		return ofKeys
	}
	return ordinary
}

// takesSlashes reports whether an encoded slash in a placeholder stands for a slash in a token. It does in the last segment of a path to a bucket,
// whose keys may contain slashes. Elsewhere it is refused, because proxies may read it as a separator.
func (r Route) takesSlashes(e element) bool {
	return r.NamesBucket() && r.segments[len(r.segments)-1] == e
}

// wildByCaller reports whether a subject of the route is a filter because of a wildcard in the caller's path, and not one in the operator's
// template. The zero Route has no template.
func (r Route) wildByCaller(s Subject) bool {
	for i, token := range strings.Split(string(s), ".") {
		isOperators := i < len(r.tokens) && r.tokens[i].literal != ""
		if Subject(token).Wild() && !isOperators {
			return true
		}
	}
	return false
}

// claimBlank stands for a claim until Claim replaces it.
const claimBlank = "claim"

// Claim puts the caller's claims into a subject that Resolve returned. The error wraps ErrToken if the caller is anonymous, and ErrForbidden if
// a claim is missing or is not a single valid token of a subject.
func (r Route) Claim(resolved Subject, caller Caller) (Subject, error) {
	if !r.NeedsClaims() {
		return resolved, nil
	}
	if caller.Anonymous() {
		return "", fmt.Errorf("%w: this path depends on the caller; send a token, as Authorization: Bearer", ErrToken)
	}
	// Only the last token of the template can stand for several, so earlier tokens keep their places.
	tokens := strings.Split(string(resolved), ".")
	for i, e := range r.tokens {
		if e.claim == "" {
			continue
		}
		value, has := caller.Claims[e.claim]
		if !has {
			return "", fmt.Errorf("%w: the token has no claim %q that is a string, but the subject needs it", ErrForbidden, e.claim)
		}
		if err := checkClaim(value); err != nil {
			return "", fmt.Errorf("%w: the token's claim %q %w, so it cannot be part of a subject", ErrForbidden, e.claim, err)
		}
		tokens[i] = value
	}
	subject, err := parseSubject(strings.Join(tokens, "."), r.limits())
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: the token's claims are too long for a subject", ErrForbidden)
	case subject.Reserved() && !r.NamesBucket():
		return "", errReserved(subject)
	}
	return subject, nil
}

// checkClaim refuses a claim that would be several tokens, or a wildcard.
func checkClaim(value string) error {
	switch {
	case strings.Contains(value, "."):
		return errors.New("holds a dot")
	case value == "*" || value == ">":
		return errors.New("is a wildcard")
	}
	return checkToken(value, true, ordinary)
}

// match returns the escaped text of each placeholder.
func (r Route) match(escapedPath string) (map[string]string, bool) {
	values := map[string]string{}
	rest, more := strings.CutPrefix(escapedPath, "/")
	for _, e := range r.segments {
		if !more {
			return nil, false
		}
		if e.rest {
			values[e.name] = rest
			return values, true
		}
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		if e.name != "" {
			values[e.name] = segment
		} else if segment != e.literal {
			return nil, false
		}
	}
	return values, !more
}

// value returns the token or tokens of a placeholder's escaped text.
func (e element) value(escaped string, slashes bool) (string, error) {
	if e.rest {
		return joinSegments(escaped, slashes)
	}
	token, err := decodeSegment(escaped, slashes)
	if err == nil && (token == ">" || strings.Contains(token, ".")) {
		err = fmt.Errorf("%w: %q is one token, so it can neither be > nor contain a dot", ErrSubject, token)
	}
	return token, err
}

// CheckRoutes finds routes that could never be reached because another has the same shape. The error wraps ErrRoute and names them.
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

// SortRoutes orders routes so that the first match of a path is the most specific: word before placeholder before rest, segment by segment from
// the left.
func SortRoutes(routes []Route) {
	slices.SortStableFunc(routes, compareRoutes)
}

func compareRoutes(a, b Route) int {
	return slices.CompareFunc(a.segments, b.segments, func(x, y element) int {
		if c := x.rank() - y.rank(); c != 0 {
			return c
		}
		return strings.Compare(x.literal, y.literal)
	})
}

func (e element) rank() int {
	switch {
	case e.rest:
		return 2
	case e.name != "":
		return 1
	}
	return 0
}
