package presence

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrName means that nobody can have the name.
var ErrName = errors.New("not a name")

// CleanName returns a name without the blanks around it. The error wraps ErrName, and says what is wrong.
func CleanName(name string) (string, error) {
	name = strings.TrimSpace(name)
	switch {
	case len(name) > MaxNameBytes:
		return "", fmt.Errorf("%w: it has %d bytes; at most %d are allowed", ErrName, len(name), MaxNameBytes)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "", fmt.Errorf("%w: %.40q holds characters that are not printable", ErrName, name)
	}
	return name, nil
}
