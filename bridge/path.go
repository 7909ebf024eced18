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
	var joined strings.Builder
	for rest, more := escaped, true; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		decoded, err := decodeSegment(segment)
		if err != nil {
			return "", err
		}
		if joined.Len() > 0 {
			joined.WriteByte('.')
		}
		joined.WriteString(decoded)
	}
	return ParseSubject(joined.String())
}

// decodeSegment undoes the percent-encoding of one path segment and refuses what the encoding might hide.
func decodeSegment(segment string) (string, error) {
	decoded, err := url.PathUnescape(segment)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: %q is not percent-encoded as RFC 3986 has it", ErrSubject, segment)
	case decoded == "":
		return "", fmt.Errorf("%w: the path has an empty segment; write one slash or dot between tokens, none at the ends", ErrSubject)
	case strings.Contains(decoded, "/"):
		return "", fmt.Errorf("%w: %q holds an encoded slash; a token cannot hold one", ErrSubject, segment)
	case strings.Count(decoded, ".") != strings.Count(segment, "."):
		return "", fmt.Errorf("%w: %q holds an encoded dot; write it plainly, it separates tokens", ErrSubject, segment)
	}
	return decoded, nil
}
