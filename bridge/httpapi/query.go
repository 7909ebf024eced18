package httpapi

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/dustin/go-humanize"

	"github.com/tailwater/tailwater/bridge"
)

// parameters are the names that a query may have, with the number of wrong letters up to which another name counts as a typo. Names that
// differ only in capitals, - and _ always do.
var parameters = map[string]int{
	"subject": 1, "since": 1, "lastEventId": 2, "format": 1, "event": 1, "payload": 1, "poll": 1, "limit": 1, "until": 1, "presence": 1,
	"name":   0, // short, and a word of many
	"max":    0, // too short: min and map differ in one letter
	"ticket": 0, // ticker differs in one letter; a request without its ticket is refused anyway
}

// spellings are the parameters, sorted by name.
var spellings = func() (all []spelling) {
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		all = append(all, spelling{name, fold(name), parameters[name]})
	}
	return all
}()

// spelling is how a parameter may be misspelt.
type spelling struct {
	name, folded string
	wrong        int
}

// maxNames is how many different names a query may have: each is compared with those of the parameters. maxParameters is how many names and
// values it may have in all.
const maxNames, maxParameters = 64, 1024

// checkSize refuses a query that is made to be costly.
func checkSize(raw string) error {
	if count := strings.Count(raw, "&") + 1; count > maxParameters {
		return fmt.Errorf("%w: it has %d parameters; at most %d are allowed", errQuery, count, maxParameters)
	}
	return nil
}

// parseQuery parses a request's query, and refuses tokens in it. Unknown parameters, such as a cache buster, are ignored unless they look
// like typos of known ones.
func parseQuery(r *http.Request) (url.Values, error) {
	if err := checkSize(r.URL.RawQuery); err != nil {
		return nil, err
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("%w: %w; escape everything but letters and digits, as encodeURIComponent does", errQuery, err)
	}
	if len(query) > maxNames {
		return nil, fmt.Errorf("%w: its parameters have %d different names; at most %d are allowed", errQuery, len(query), maxNames)
	}
	if err := refuseTokens(query); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if meant := slipOf(name); meant != "" {
			return nil, fmt.Errorf("%w: there is no parameter %q; did you mean %s?", errQuery, name, meant)
		}
	}
	return query, nil
}

// maxSlip is the length of the longest name that can be a typo.
const maxSlip = 20

// slipOf returns the parameter that a name is probably meant to be; "" if none.
func slipOf(name string) string {
	if _, known := parameters[name]; known || name == "" || len(name) > maxSlip {
		return ""
	}
	folded := fold(name)
	for _, parameter := range spellings {
		meant := parameter.folded
		if folded == meant {
			return parameter.name
		}
		if parameter.wrong == 0 || folded == "" || folded[0] != meant[0] || len(meant) < 5 && len(folded) == len(meant) {
			continue // in a short name only an extra or a missing letter is a typo: pool is a word
		}
		distance := levenshtein.Distance(folded, meant, nil)
		if distance <= parameter.wrong || distance == 2 && sameLetters(folded, meant) {
			return parameter.name
		}
	}
	return ""
}

var separators = strings.NewReplacer("-", "", "_", "", "[", "", "]", "")

// fold removes the differences that are common in spelling.
func fold(name string) string { return separators.Replace(strings.ToLower(name)) }

// sameLetters reports whether two words have the same letters, in any order.
func sameLetters(a, b string) bool {
	sorted := func(s string) []byte { return slices.Sorted(slices.Values([]byte(s))) }
	return slices.Equal(sorted(a), sorted(b))
}

// query reads the query of a request. Below /events the path or the query names the subjects, not both. On other routes Tailwater ignores the
// parameter subject.
func (t target) query(r *http.Request) (url.Values, error) {
	query, err := parseQuery(r)
	if err != nil {
		return nil, err
	}
	if t.named && query.Has("subject") {
		return nil, fmt.Errorf("%w: the path names the subject already; omit subject=, or name all subjects as in /events?subject=chat.a&subject=chat.b", errQuery)
	}
	return query, nil
}

// readFraming reads how messages are encoded.
func readFraming(r *http.Request, query url.Values, many bool) (bridge.Framing, error) {
	var framing bridge.Framing
	payload := query.Get("payload")
	switch format := query.Get("format"); {
	case format != "" && format != "raw" && format != "json" && format != "datastar":
		return framing, fmt.Errorf("%w: %.20q is not a format; use raw, json or datastar", errQuery, format)
	case acceptsLines(r) && format != "" && format != "json":
		return framing, fmt.Errorf("%w: format=%s is not available as application/x-ndjson; use json, or accept text/event-stream", errQuery, format)
	case payload != "" && payload != "json":
		return framing, fmt.Errorf("%w: payload=%.20s is unknown; use payload=json, or omit it for strings", errQuery, payload)
	case payload != "" && format != "" && format != "json":
		return framing, fmt.Errorf("%w: payload=json is for format=json; with format=%s the payload is never changed", errQuery, format)
	case format == "datastar" && query.Has("event"):
		return framing, fmt.Errorf("%w: with format=datastar the events have Datastar's names; omit event=", errQuery)
	case acceptsLines(r):
		framing.Format = bridge.Lines
	case format == "datastar":
		framing.Format = bridge.Datastar
	case format == "json", payload != "", format == "" && many:
		framing.Format = bridge.JSON
	}
	framing.JSONPayloads = payload != ""
	switch event := query.Get("event"); event {
	case "":
	case "subject":
		framing.SubjectEvents = true
	default:
		return framing, fmt.Errorf("%w: event=%.20s is unknown; use event=subject to name events after their subjects", errQuery, event)
	}
	return framing, nil
}

// readMax reads how many bytes a message's event may have; 0 for no limit.
func readMax(query url.Values) (int, error) {
	text := query.Get("max")
	if text == "" {
		return 0, nil
	}
	size, _ := humanize.ParseBytes(text) // 0 for what is no size
	if size == 0 {
		return 0, fmt.Errorf("%w: max=%.20s; write the bytes that an event may have, as in max=64KiB", errQuery, text)
	}
	return int(min(size, math.MaxInt)), nil
}

// sentPath returns a path as it was sent. EscapedPath does not if the path holds a character that should have been escaped, such as > or é:
// it then escapes the decoded path again, in which an encoded slash has become a plain one.
func sentPath(u *url.URL) string {
	if decoded, err := url.PathUnescape(u.RawPath); u.RawPath != "" && err == nil && decoded == u.Path {
		return u.RawPath
	}
	return u.EscapedPath()
}

// mayBeMany reports whether a connection can carry more than one subject.
func mayBeMany(subjects []bridge.Subject) bool {
	return len(subjects) > 1 || slices.ContainsFunc(subjects, bridge.Subject.Wild)
}

// tokenNames are parameters that always hold a token (RFC 6750, 2.3; OpenID Connect), as fold spells them.
var tokenNames = []string{"accesstoken", "idtoken", "refreshtoken"}

// objectBegins are how a JSON object begins in base64url: with a brace, and a quote or a blank.
var objectBegins = []string{"eyJ", "eyA", "ewo", "ew0", "ewk"}

// leastHeader is the size of the shortest header of a token, in base64url.
const leastHeader = 9

// refuseTokens refuses a token in the query, although RFC 6750 allows it: URLs are written to logs and histories, and the token there can be
// stolen and used. The error repeats nothing of the query.
func refuseTokens(query url.Values) error {
	for name, values := range query {
		if slices.Contains(tokenNames, fold(name)) || holdsToken(name) || slices.ContainsFunc(values, holdsToken) {
			return fmt.Errorf("%w: it holds a token, and URLs are written to logs and histories; send the token as Authorization: Bearer, or exchange it at POST /session for a ticket for the URL", errQuery)
		}
	}
	return nil
}

// holdsToken reports whether a text holds what looks like a token in compact form (RFC 7515, 3.1; RFC 7516, 3.1): a JSON object in base64url,
// a dot, and another segment. It reads the text twice at most: regexp would take milliseconds for a long one.
func holdsToken(text string) bool {
	for text != "" {
		rest := strings.TrimLeftFunc(text, isBase64)
		if header := text[:len(text)-len(rest)]; len(header) >= leastHeader && slices.Contains(objectBegins, header[:3]) {
			if claims, hasDot := strings.CutPrefix(rest, "."); hasDot && strings.HasPrefix(strings.TrimLeftFunc(claims, isBase64), ".") {
				return true
			}
		}
		if rest == "" {
			return false
		}
		text = rest[1:]
	}
	return false
}

func isBase64(r rune) bool {
	return r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_'
}
