package auth

// JSON that carries rights is read strictly (RFC 7515, 4; RFC 7519, 4): a name that an object has twice means one thing to one decoder
// and another to the next. encoding/json takes the last, and for a field of a struct any name that differs in case alone.

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
)

// errTwice: a JSON text is ambiguous.
var errTwice = errors.New("has a name twice in one object, so that it could mean either")

// checkParts checks that the header and the claims of a token are JSON objects that mean one thing alone. The signature is not
// looked at.
func checkParts(token string) error {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return jwt.ErrTokenMalformed
	}
	for _, part := range parts[:2] {
		text, err := base64.RawURLEncoding.Strict().DecodeString(part)
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

// hasTwice reports whether an object in a valid JSON text has a name twice. Names are the same that key gives the same text for.
func hasTwice(text []byte, key func(string) string) bool {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // a number may be larger than a float64
	var open []*level
	for {
		token, err := decoder.Token()
		if err != nil {
			return false // the end: the text is valid
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

// level is an object or a list whose end has not been read.
type level struct {
	names   map[string]bool // that the object has; nil for a list
	isValue bool            // the next token begins the value of a name
}

// repeats takes a token of the level, and reports whether that is a name which the object has already.
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
