package auth

// JSON that carries rights is read strictly (RFC 7515, 4; RFC 7519, 4). If an object has a name twice, decoders disagree about its
// value. encoding/json uses the last, and for the fields of a struct it ignores case.

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
)

// errTwice means that an object has a name twice.
var errTwice = errors.New("has a name twice in one object")

// checkSegments checks that the header and the claims of a token are JSON objects without repeated names. It does not check the
// signature.
func checkSegments(token string) error {
	segments := strings.Split(token, ".")
	if len(segments) != 3 {
		return jwt.ErrTokenMalformed
	}
	for _, segment := range segments[:2] {
		text, err := base64.RawURLEncoding.Strict().DecodeString(segment)
		if err != nil || !utf8.Valid(text) || !isObject(text) {
			return jwt.ErrTokenMalformed
		}
		if hasTwice(text, func(name string) string { return name }) {
			return errTwice
		}
	}
	return nil
}

func isObject(text []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{")) && json.Valid(text)
}

// hasTwice reports whether an object in a valid JSON text has a name twice. Two names are equal if key returns the same for both.
func hasTwice(text []byte, key func(string) string) bool {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // a number may be larger than a float64
	var open []*level
	for {
		token, err := decoder.Token()
		if err != nil {
			return false // the end of the text, which is valid
		}
		if end, isDelim := token.(json.Delim); isDelim && (end == '}' || end == ']') {
			open = open[:len(open)-1]
			continue
		}
		if len(open) > 0 && open[len(open)-1].repeats(token, key) {
			return true
		}
		switch token {
		case json.Delim('{'):
			open = append(open, &level{names: map[string]bool{}})
		case json.Delim('['):
			open = append(open, &level{})
		}
	}
}

// level is an object or a list whose end was not read yet.
type level struct {
	names   map[string]bool // of the object so far; nil for a list
	isValue bool            // the next token is the value of a name
}

// repeats reads a token of the level, and reports whether the token is a name that the object has already.
func (l *level) repeats(token json.Token, key func(string) string) bool {
	if l.names == nil {
		return false
	}
	l.isValue = !l.isValue
	if !l.isValue {
		return false
	}
	name := key(token.(string))
	has := l.names[name]
	l.names[name] = true
	return has
}
