package httpapi

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// The two media types of an event stream, and that of who is there.
const (
	typeEvents   = "text/event-stream"
	typeLines    = "application/x-ndjson"
	typeDocument = "application/json"
)

// preference is what an Accept header says about one media type: the weight of the closest matching range (RFC 9110, 12.5.1), and how
// closely it matches.
type preference struct {
	weight    float64 // 0 if no range matches
	closeness int     // 0 for none, 1 for */*, 2 for text/*, 3 for the type itself
}

// acceptsLines reports whether a client prefers newline-delimited JSON to server-sent events. A client that accepts neither gets events:
// it may send the same header with every request.
func acceptsLines(r *http.Request) bool { return prefers(r, typeLines, typeEvents) }

// maxAccept is the size of the longest Accept header that has an effect, in bytes. Browsers send some two hundred.
const maxAccept = 1 << 10

// prefers reports whether a client prefers the first of two media types.
func prefers(r *http.Request, one, other string) bool {
	header := strings.Join(r.Header.Values("Accept"), ",")
	if len(header) > maxAccept {
		return false
	}
	var first, second preference
	for item := range strings.SplitSeq(header, ",") { // no range that matters has a comma in quotes
		media, parameters, err := mime.ParseMediaType(item)
		if err != nil {
			continue
		}
		weight := 1.0
		if q, has := parameters["q"]; has {
			if weight, err = strconv.ParseFloat(q, 64); err != nil || !(weight >= 0 && weight <= 1) {
				continue
			}
		}
		first.consider(media, one, weight)
		second.consider(media, other, weight)
	}
	if first.weight == second.weight {
		return first.weight > 0 && first.closeness > second.closeness
	}
	return first.weight > second.weight
}

// consider applies a range of the header to a media type.
func (p *preference) consider(media, of string, weight float64) {
	closeness := 0
	kind, _, _ := strings.Cut(of, "/")
	switch media {
	case of:
		closeness = 3
	case kind + "/*":
		closeness = 2
	case "*/*":
		closeness = 1
	}
	switch {
	case closeness == 0 || closeness < p.closeness:
	case closeness > p.closeness:
		*p = preference{weight, closeness}
	default:
		p.weight = max(p.weight, weight)
	}
}
