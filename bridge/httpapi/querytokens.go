package httpapi

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
)

// tokenNames are parameters that always hold a token (RFC 6750, 2.3; OpenID Connect), as fold spells them.
var tokenNames = []string{"accesstoken", "idtoken", "refreshtoken"}

// jwtLike matches text that looks like a token in compact form (RFC 7515, 3.1; RFC 7516, 3.1): a JSON object in base64url, which may begin
// with a blank, a dot, and another part.
var jwtLike = regexp.MustCompile(`(^|[^A-Za-z0-9_-])(eyJ|eyA|ewo|ew0|ewk)[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]*\.`)

// refuseTokens refuses a token in the query, although RFC 6750 allows it: URLs are written to logs and histories, and the token there can be
// stolen and used. The error repeats nothing of the query.
func refuseTokens(query url.Values) error {
	for name, values := range query {
		if slices.Contains(tokenNames, fold(name)) || jwtLike.MatchString(name) || slices.ContainsFunc(values, jwtLike.MatchString) {
			return fmt.Errorf("%w: it holds a token, and URLs are written to logs and histories; send the token as Authorization: Bearer, or exchange it at POST /session for a ticket for the URL", errQuery)
		}
	}
	return nil
}
