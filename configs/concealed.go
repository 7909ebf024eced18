package configs

import (
	"fmt"
	"log/slog"
)

// concealed is a text of which printing shows another one. The zero value is no text.
type concealed struct {
	// Pointers, because fmt does not call the methods of a value in an unexported field.
	text, shown *string
}

func conceal(text, shown string) concealed { return concealed{&text, &shown} }

// IsZero reports whether there is no text.
func (c concealed) IsZero() bool { return c.text == nil }

// Reveal returns the text. Do not print it.
func (c concealed) Reveal() string {
	if c.text == nil {
		return ""
	}
	return *c.text
}

// String returns what may be shown.
func (c concealed) String() string {
	if c.shown == nil {
		return ""
	}
	return *c.shown
}

// GoString implements %#v: String, quoted.
func (c concealed) GoString() string { return fmt.Sprintf("%q", c.String()) }

// LogValue implements slog.LogValuer, with String.
func (c concealed) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalText implements encoding.TextMarshaler, with String.
func (c concealed) MarshalText() ([]byte, error) { return []byte(c.String()), nil }
