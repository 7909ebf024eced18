package bridge

import (
	"fmt"
	"net/url"
	"strings"
)

// joinSegments joins the tokens of escaped path segments with dots. If slashes is true, an encoded slash stands for a slash inside a token,
// not for a separator.
//
// The segments must be as they were sent, not decoded by a URL parser. Otherwise an encoded slash or dot could become a separator unseen by
// whoever checked the path before (a proxy with rules by prefix). The error wraps ErrSubject.
func joinSegments(escaped string, slashes bool) (string, error) {
	tokens := strings.Split(escaped, "/")
	for i, segment := range tokens {
		decoded, err := decodeSegment(segment, slashes)
		if err != nil {
			return "", err
		}
		tokens[i] = decoded
	}
	return strings.Join(tokens, "."), nil
}

// decodeSegment decodes one path segment, and refuses what the encoding might hide.
func decodeSegment(segment string, slashes bool) (string, error) {
	decoded, err := url.PathUnescape(segment)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: %.512q has invalid percent-encoding (RFC 3986)", ErrSubject, segment)
	case decoded == "":
		return "", fmt.Errorf("%w: the path has an empty segment; write one slash or dot between tokens, none at the ends", ErrSubject)
	case strings.Contains(decoded, "/") && !slashes:
		return "", fmt.Errorf("%w: %.512q holds an encoded slash, which is not accepted here; to name a subject with a slash in a token, use /events?subject=", ErrSubject, segment)
	case strings.Count(decoded, ".") != strings.Count(segment, "."):
		return "", fmt.Errorf("%w: %.512q holds an encoded dot; write a plain dot to separate tokens", ErrSubject, segment)
	}
	return decoded, nil
}
