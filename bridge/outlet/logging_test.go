package outlet

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

// The lines that wait when the log ends are written.
func TestWaitingLinesAreWritten(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	log, end := startLogging(slog.New(slog.NewTextHandler(&text, nil)))
	for range logBuffer {
		log.Info("a line")
	}
	end()
	if lines := strings.Count(text.String(), "\n"); lines != logBuffer {
		t.Errorf("%d lines of %d are written", lines, logBuffer)
	}
}
