package bridge

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Size limits of a subject. NATS itself would accept more, which browsers do not need, and the memory of every open subject grows with its
// length.
const (
	MaxSubjectBytes = 512
	MaxTokenBytes   = 128
	MaxTokens       = 16
)

// MaxKeyBytes limits the subject of a key in a bucket, and each of its tokens. NATS accepts keys as long as a protocol line: by default its
// servers allow 4,096 bytes, and close the connection of a client that sends a longer line. The limit leaves room for the rest of the line.
const MaxKeyBytes = 4096 - 32

// limits are the size limits of a subject.
type limits struct{ bytes, tokenBytes, tokens int }

var (
	ordinary = limits{MaxSubjectBytes, MaxTokenBytes, MaxTokens}
	ofKeys   = limits{MaxKeyBytes, MaxKeyBytes, MaxKeyBytes}
)

// Subject is a checked NATS subject: tokens joined by dots. A token is printable UTF-8 without blanks, dots and wildcards. A subject may be a
// filter: `*` stands for one token, a last `>` for one or more.
//
// The zero value is not a subject. Outside text becomes a Subject only through ParseSubject.
type Subject string

// ParseSubject checks s against the grammar of Subject. The error wraps ErrSubject and names the invalid token.
func ParseSubject(s string) (Subject, error) { return parseSubject(s, ordinary) }

// parseSubject is ParseSubject with other limits.
func parseSubject(s string, most limits) (Subject, error) {
	if s == "" {
		return "", fmt.Errorf("%w: it is empty; write a subject such as chat.room1", ErrSubject)
	}
	if len(s) > most.bytes {
		return "", fmt.Errorf("%w: it has %d bytes; at most %d are allowed", ErrSubject, len(s), most.bytes)
	}
	if n := strings.Count(s, ".") + 1; n > most.tokens {
		return "", fmt.Errorf("%w: it has %d tokens; at most %d are allowed", ErrSubject, n, most.tokens)
	}
	number := 0
	for rest, more := s, true; more; {
		var token string
		token, rest, more = strings.Cut(rest, ".")
		number++
		if err := checkToken(token, !more, most); err != nil {
			return "", fmt.Errorf("%w: token %d %w: %s", ErrSubject, number, err, echo(s))
		}
	}
	return Subject(s), nil
}

// maxEcho is how many characters of a caller's text an error repeats, so that the reason stays visible.
const maxEcho = 40

// echo returns text in quotes for an error, cut to maxEcho characters.
func echo(text string) string {
	if runes := []rune(text); len(runes) > maxEcho {
		text = string(runes[:maxEcho]) + "…"
	}
	return strconv.Quote(text)
}

// checkToken returns what is wrong with one token; last says that nothing follows it.
func checkToken(token string, last bool, most limits) error {
	switch {
	case token == "":
		return fmt.Errorf("is empty; write one dot or slash between tokens, none at the ends")
	case len(token) > most.tokenBytes:
		return fmt.Errorf("has %d bytes; at most %d are allowed", len(token), most.tokenBytes)
	case token == "*", token == ">" && last:
		return nil
	case token == ">":
		return fmt.Errorf("is >, which may only be the last")
	case !utf8.ValidString(token):
		return fmt.Errorf("is not UTF-8")
	}
	for _, r := range token {
		switch {
		case r == '*' || r == '>':
			return fmt.Errorf("mixes the wildcard %c with other characters; a wildcard is a whole token", r)
		case unicode.IsSpace(r):
			return fmt.Errorf("holds a blank (%U)", r)
		case !isPrintable(r):
			return fmt.Errorf("holds %U, which is not printable", r)
		}
	}
	return nil
}

// The joiners are invisible, but Persian, the Indic scripts and many emoji need them.
const (
	zeroWidthNonJoiner = '\u200c'
	zeroWidthJoiner    = '\u200d'
)

func isPrintable(r rune) bool {
	return unicode.IsPrint(r) || r == zeroWidthNonJoiner || r == zeroWidthJoiner
}

// Wild reports whether s is a filter: whether it holds a wildcard.
func (s Subject) Wild() bool {
	// The grammar allows these characters only as whole tokens.
	return strings.ContainsAny(string(s), "*>")
}

// Covers reports whether s includes every subject that other includes.
func (s Subject) Covers(other Subject) bool { return s.Matches(string(other)) }

// Matches reports whether s includes a concrete subject from NATS, whose tokens may have characters that the grammar of Subject refuses.
func (s Subject) Matches(concrete string) bool {
	filter, other := string(s), concrete
	for {
		f, filterRest, filterMore := strings.Cut(filter, ".")
		o, otherRest, otherMore := strings.Cut(other, ".")
		switch {
		case f == ">":
			return true
		case o == ">" || f != "*" && f != o:
			return false
		case !filterMore || !otherMore:
			return filterMore == otherMore
		}
		filter, other = filterRest, otherRest
	}
}

// Overlaps reports whether both include some subject.
func (s Subject) Overlaps(other Subject) bool {
	a, b := string(s), string(other)
	for {
		x, aRest, aMore := strings.Cut(a, ".")
		y, bRest, bMore := strings.Cut(b, ".")
		switch {
		case x == ">" || y == ">":
			return true
		case x != "*" && y != "*" && x != y:
			return false
		case !aMore || !bMore:
			return aMore == bMore
		}
		a, b = aRest, bRest
	}
}

// FirstMatch returns the first of the filters that includes a concrete subject; empty if none does. If several of them deliver one message, only
// the first one's copy is used.
func FirstMatch(filters []Subject, concrete string) Subject {
	for _, f := range filters {
		if f.Matches(concrete) {
			return f
		}
	}
	return ""
}

// Reserved reports whether s includes subjects of NATS itself: those that begin with `$` (`$SYS`, `$JS`, `$KV`) or `_` (`_INBOX` and the reply
// subjects of clusters), as does a filter with a wildcard in the first token. No Grant opens such a subject. The keys of a bucket can be read
// only by a Route that Grants.
func (s Subject) Reserved() bool {
	first, _, _ := strings.Cut(string(s), ".")
	return first == "*" || first == ">" || strings.HasPrefix(first, "$") || strings.HasPrefix(first, "_")
}

// Reduce returns the smallest set of filters, sorted, that includes the same subjects as subjects: without duplicates and without filters that
// another one covers.
func Reduce(subjects []Subject) []Subject {
	sorted := slices.Compact(slices.Sorted(slices.Values(subjects)))
	kept := make([]Subject, 0, len(sorted))
	for _, s := range sorted {
		covered := slices.ContainsFunc(sorted, func(other Subject) bool { return other != s && other.Covers(s) })
		if !covered {
			kept = append(kept, s)
		}
	}
	return kept
}

func joined(subjects []Subject) string {
	var all strings.Builder
	for _, s := range subjects {
		all.WriteString(string(s))
		all.WriteByte(' ')
	}
	return all.String()
}
