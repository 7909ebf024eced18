package httpapi

import (
	"fmt"
	"strings"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// maxSince is the size of the longest value of since, in bytes: an id of many positions.
const maxSince = 1 << 10

// parseSince parses where a connection without a position begins. Times are rounded down to a second, so that clients that connect together
// ask for the same.
func parseSince(text string, now time.Time) (bridge.Since, error) {
	switch text {
	case "", "new":
		return bridge.Since{}, nil
	case "all":
		return bridge.Since{Kind: bridge.SinceAll}, nil
	case "last":
		return bridge.Since{Kind: bridge.SinceLast}, nil
	}
	unknown := fmt.Errorf("%w: since=%.80s; use new, all, last, a duration such as 10m, a time such as 2006-01-02T15:04:05Z, or the id of an event", errQuery, text)
	if len(text) > maxSince {
		return bridge.Since{}, unknown
	}
	if ago, err := time.ParseDuration(text); err == nil {
		if ago <= 0 {
			return bridge.Since{}, fmt.Errorf("%w: since=%.80s: a duration says how far back to begin, so it must be more than 0", errQuery, text)
		}
		return bridge.Since{Kind: bridge.SinceTime, Time: now.Add(-ago).Truncate(time.Second)}, nil
	}
	// In a query, an unescaped plus, as before the zone, becomes a blank.
	if at, err := time.Parse(time.RFC3339, strings.ReplaceAll(text, " ", "+")); err == nil {
		if !inRange(at) {
			return bridge.Since{}, fmt.Errorf("%w: since=%s: the year is out of range", errQuery, text)
		}
		return bridge.Since{Kind: bridge.SinceTime, Time: at.Truncate(time.Second)}, nil
	}
	if id, err := bridge.ParseID(text); err == nil {
		return bridge.Since{Kind: bridge.SinceID, ID: id}, nil
	}
	return bridge.Since{}, unknown
}

// inRange reports whether a time can be expressed in nanoseconds since 1970, as streams do.
func inRange(t time.Time) bool { return t.Year() >= 1970 && t.Year() < 2262 }
