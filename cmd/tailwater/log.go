package main

import (
	"io"
	"log/slog"

	"github.com/tailwater/tailwater/configs"
)

// withUnit writes a duration with its unit, also in JSON, which would otherwise have nanoseconds.
func withUnit(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

// newLog returns the log that the settings describe.
func newLog(settings configs.Log, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: settings.Level, ReplaceAttr: withUnit}
	if settings.Format == "text" || settings.Format == "" && isTerminal(w) {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}
