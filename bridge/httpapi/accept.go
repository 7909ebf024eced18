package httpapi

import (
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// The two media types of an event stream.
const (
	typeEvents = "text/event-stream"
	typeLines  = "application/x-ndjson"
)

// preference is what an Accept header says of one media type: the weight of the range that fits it most closely (RFC 9110,
// 12.5.1), and how closely it fits.
type preference struct {
	weight    float64 // 0 where no range fits
	closeness int     // 0 for none, 1 for */*, 2 for text/*, 3 for the type itself
}

// acceptsLines tells whether a client prefers newline-delimited JSON to server-sent events. Where it wants neither, it
// gets events: the header may be one that it sends with everything.
func acceptsLines(r *http.Request) bool {
	var events, lines preference
	for _, part := range splitAccept(r.Header.Values("Accept")) {
		media, parameters, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		weight := 1.0
		if q, has := parameters["q"]; has {
			if weight, err = strconv.ParseFloat(q, 64); err != nil || !(weight >= 0 && weight <= 1) {
				continue
			}
		}
		events.consider(media, typeEvents, weight)
		lines.consider(media, typeLines, weight)
	}
	if lines.weight == events.weight {
		return lines.weight > 0 && lines.closeness > events.closeness
	}
	return lines.weight > events.weight
}

// acceptsEvents reports whether a client names server-sent events among what it accepts, as EventSource does.
func acceptsEvents(r *http.Request) bool {
	return slices.ContainsFunc(splitAccept(r.Header.Values("Accept")), func(part string) bool {
		media, _, err := mime.ParseMediaType(part)
		return err == nil && media == typeEvents
	})
}

// consider takes a range of the header into account for a media type.
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

// splitAccept splits at the commas that do not stand in quotes.
func splitAccept(headers []string) []string {
	quoted, escaped := false, false
	return strings.FieldsFunc(strings.Join(headers, ","), func(c rune) bool {
		switch {
		case escaped:
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		}
		return c == ',' && !quoted
	})
}
