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

// parameters are the names that a query may have, with how many letters of a name can be wrong so that it is still taken
// for a slip. Names that differ in nothing but capitals, - and _ always are.
var parameters = map[string]int{
	"subject": 1, "since": 1, "lastEventId": 2, "format": 1, "event": 1, "payload": 1, "poll": 1, "limit": 1, "presence": 1,
	"name":   0, // short, and a word of many
	"max":    0, // too short: it is one letter from min and map
	"ticket": 0, // one letter from ticker; a request without its ticket is refused anyway
}

// parseQuery reads a request's query, and refuses a token in it. Parameters that are not known are somebody else's, such as a
// cache buster, unless they are slips of those that are.
func parseQuery(r *http.Request) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("%w: %w; escape what is no letter or digit, as encodeURIComponent does", errQuery, err)
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

// maxSlip is how long a name can be that is looked at.
const maxSlip = 20

// slipOf returns the parameter that a name is a slip of, "" where it is none.
func slipOf(name string) string {
	if _, known := parameters[name]; known || name == "" || len(name) > maxSlip {
		return ""
	}
	folded := fold(name)
	for _, parameter := range slices.Sorted(maps.Keys(parameters)) {
		meant := fold(parameter)
		if folded == meant {
			return parameter
		}
		wrong := parameters[parameter]
		if wrong == 0 || folded == "" || folded[0] != meant[0] || len(meant) < 5 && len(folded) == len(meant) {
			continue // of a short name only a letter too many or too few is a slip: pool is a word of its own
		}
		distance := levenshtein.Distance(folded, meant, nil)
		if distance <= wrong || distance == 2 && sameLetters(folded, meant) {
			return parameter
		}
	}
	return ""
}

// fold removes what names are often spelled with or without.
func fold(name string) string {
	return strings.NewReplacer("-", "", "_", "", "[", "", "]", "").Replace(strings.ToLower(name))
}

// sameLetters reports whether two words have the same letters, in whatever order.
func sameLetters(a, b string) bool {
	sorted := func(s string) []byte { return slices.Sorted(slices.Values([]byte(s))) }
	return slices.Equal(sorted(a), sorted(b))
}

// query reads the query of a request. Below /events the path or the query names the subjects, not both. On other routes
// subject is no parameter of Tailwater's.
func (t target) query(r *http.Request) (url.Values, error) {
	query, err := parseQuery(r)
	if err != nil {
		return nil, err
	}
	if t.named && query.Has("subject") {
		return nil, fmt.Errorf("%w: the path names the subject already; leave subject= out, or name all subjects as in /events?subject=chat.a&subject=chat.b", errQuery)
	}
	return query, nil
}

// readFraming reads how messages are to be encoded.
func readFraming(r *http.Request, query url.Values, many bool) (bridge.Framing, error) {
	var framing bridge.Framing
	payload := query.Get("payload")
	switch format := query.Get("format"); {
	case format != "" && format != "raw" && format != "json":
		return framing, fmt.Errorf("%w: there is no format %.20q; use raw or json", errQuery, format)
	case acceptsLines(r) && format == "raw":
		return framing, fmt.Errorf("%w: format=raw cannot be had as application/x-ndjson; use json, or accept text/event-stream", errQuery)
	case payload != "" && payload != "json":
		return framing, fmt.Errorf("%w: payload=%.20s means nothing; use payload=json, or leave it out for strings", errQuery, payload)
	case payload != "" && format == "raw":
		return framing, fmt.Errorf("%w: payload=json is for format=json; with format=raw the payload is as it was published", errQuery)
	case acceptsLines(r):
		framing.Format = bridge.Lines
	case format == "json", payload != "", format == "" && many:
		framing.Format = bridge.JSON
	}
	framing.JSONPayloads = payload != ""
	switch event := query.Get("event"); event {
	case "":
	case "subject":
		framing.SubjectEvents = true
	default:
		return framing, fmt.Errorf("%w: event=%.20s means nothing; use event=subject to name events after their subjects", errQuery, event)
	}
	return framing, nil
}

// readMax reads how many bytes the event of a message may have, 0 for any number.
func readMax(query url.Values) (int, error) {
	text := query.Get("max")
	if text == "" {
		return 0, nil
	}
	size, err := humanize.ParseBytes(text)
	if err != nil || size == 0 {
		return 0, fmt.Errorf("%w: max=%.20s; write the bytes that an event may have, as in max=64KiB", errQuery, text)
	}
	return int(min(size, math.MaxInt)), nil
}
