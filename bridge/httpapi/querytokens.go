package httpapi

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// tokenNames are parameters that always hold a token (RFC 6750, 2.3; OpenID Connect), as fold spells them.
var tokenNames = []string{"accesstoken", "idtoken", "refreshtoken"}

// objectBegins are how a JSON object begins in base64url: with a brace, and a quote or a blank.
var objectBegins = []string{"eyJ", "eyA", "ewo", "ew0", "ewk"}

// leastHeader is the size of the shortest header of a token, in base64url.
const leastHeader = 9

// holdsToken reports whether a text holds what looks like a token in compact form (RFC 7515, 3.1; RFC 7516, 3.1): a JSON object in base64url,
// a dot, and another part. It reads the text twice at most: regexp would take milliseconds for a long one.
func holdsToken(text string) bool {
	for text != "" {
		rest := strings.TrimLeftFunc(text, isBase64)
		if header := text[:len(text)-len(rest)]; len(header) >= leastHeader && slices.Contains(objectBegins, header[:3]) {
			if claims, isPart := strings.CutPrefix(rest, "."); isPart && strings.HasPrefix(strings.TrimLeftFunc(claims, isBase64), ".") {
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
