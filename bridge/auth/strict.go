package auth

// JSON that carries rights is read strictly (RFC 7515, 4; RFC 7519, 4). If an object has a name twice, decoders disagree about its
// value. encoding/json uses the last, and for the fields of a struct it ignores case.

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/golang-jwt/jwt/v5"
)

// errTwice means that an object has a name twice.
var errTwice = errors.New("has a name twice in one object")

// decode decodes a JSON text whose names are exact, and unique within an object.
func decode(text []byte, into any, options ...json.Options) error {
	err := json.Unmarshal(text, into, options...)
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return errTwice
	}
	return err
}

// checkSegments checks that the header and the claims of a token are JSON objects without repeated names. It does not check the
// signature.
func checkSegments(token string) error {
	segments := strings.Split(token, ".")
	if len(segments) != 3 {
		return jwt.ErrTokenMalformed
	}
	for _, segment := range segments[:2] {
		text, err := base64.RawURLEncoding.Strict().DecodeString(segment)
		if err != nil {
			return jwt.ErrTokenMalformed
		}
		var object map[string]jsontext.Value
		switch err := decode(text, &object); {
		case errors.Is(err, errTwice):
			return errTwice
		case err != nil || object == nil:
			return jwt.ErrTokenMalformed
		}
	}
	return nil
}
