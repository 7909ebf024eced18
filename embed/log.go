package embed

import (
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
)

// logger passes nats-server's log on. Its notices, on the start and each recovered stream, are of level debug here.
type logger struct {
	log      *slog.Logger
	firstErr atomic.Pointer[string]
	broken   atomic.Pointer[string] // the first write error of a store; nil if there was none
}

func (l *logger) Noticef(format string, v ...any) { l.log.Debug(text(format, v)) }
func (l *logger) Debugf(format string, v ...any)  { l.log.Debug(text(format, v)) }
func (l *logger) Tracef(format string, v ...any)  { l.log.Debug(text(format, v)) }
func (l *logger) Warnf(format string, v ...any)   { l.log.Warn(text(format, v)) }

// writeError is part of the format that nats-server logs when the store of a stream, a consumer or a cluster meets an error that
// it will not recover from. nats-server's own health check reports only some of these errors, and none if descriptors have run out.
const writeError = "ritical write error"

func (l *logger) Errorf(format string, v ...any) {
	message := text(format, v)
	if strings.Contains(format, writeError) {
		l.broken.CompareAndSwap(nil, &message)
	}
	l.log.Error(message)
}

func (l *logger) Fatalf(format string, v ...any) {
	message := text(format, v)
	if !l.firstErr.CompareAndSwap(nil, &message) {
		l.log.Error(message)
	}
}

// fatal returns the first fatal message, which Start returns instead of logging it.
func (l *logger) fatal() string {
	if message := l.firstErr.Load(); message != nil {
		return *message
	}
	return ""
}

// started makes the logger log whatever is fatal from now on.
func (l *logger) started() { l.firstErr.Store(new(string)) }

func text(format string, v []any) string { return fmt.Sprintf(format, v...) }
