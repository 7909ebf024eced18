package bridge

import (
	"fmt"
	"net/url"
	"strings"
)

// SubjectFromPath gives the subject that the escaped path segments name: `chat/room1` and `chat.room1` are one subject.
// `*` and a last `>` (`%3E`) are wildcards.
//
// It takes the path as it was sent, not as a URL parser decoded it, because an encoded slash or dot would otherwise
// become a separator behind the back of whoever checked the path before (a proxy with rules by prefix).
// The error wraps ErrSubject.
func SubjectFromPath(escaped string) (Subject, error) {
	joined, err := joinSegments(escaped, false)
	if err != nil {
		return "", err
	}
	return ParseSubject(joined)
}

// joinSegments joins the tokens of escaped path segments by dots. slashes lets an encoded slash stand for a slash inside of a
// token; it separates nothing.
func joinSegments(escaped string, slashes bool) (string, error) {
	var joined strings.Builder
	for rest, more := escaped, true; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		decoded, err := decodeSegment(segment, slashes)
		if err != nil {
			return "", err
		}
		if joined.Len() > 0 {
			joined.WriteByte('.')
		}
		joined.WriteString(decoded)
	}
	return joined.String(), nil
}

// decodeSegment undoes the percent-encoding of one path segment and refuses what the encoding might hide.
func decodeSegment(segment string, slashes bool) (string, error) {
	decoded, err := url.PathUnescape(segment)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: %.512q is not percent-encoded as RFC 3986 has it", ErrSubject, segment)
	case decoded == "":
		return "", fmt.Errorf("%w: the path has an empty segment; write one slash or dot between tokens, none at the ends", ErrSubject)
	case strings.Contains(decoded, "/") && !slashes:
		return "", fmt.Errorf("%w: %.512q holds an encoded slash, which is not taken here; to name a subject with a slash in a token, use /events?subject=", ErrSubject, segment)
	case strings.Count(decoded, ".") != strings.Count(segment, "."):
		return "", fmt.Errorf("%w: %.512q holds an encoded dot; write it plainly, it separates tokens", ErrSubject, segment)
	}
	return decoded, nil
}
