package main

import (
	"io"
	"log/slog"

	"github.com/tailwater/tailwater/configs"
)

// newLog gives the log that the settings ask for.
func newLog(settings configs.Log, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: settings.Level}
	if settings.Format == "text" || settings.Format == "" && isTerminal(w) {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}
