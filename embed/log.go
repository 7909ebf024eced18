package embed

import (
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
)

// logger passes nats-server's log on. Its notices describe its start and every stream it recovers: detail, here.
type logger struct {
	log      *slog.Logger
	firstErr atomic.Pointer[string]
	broken   atomic.Pointer[string] // the first write error of a store; nil while there was none
}

func (l *logger) Noticef(format string, v ...any) { l.log.Debug(text(format, v)) }
func (l *logger) Debugf(format string, v ...any)  { l.log.Debug(text(format, v)) }
func (l *logger) Tracef(format string, v ...any)  { l.log.Debug(text(format, v)) }
func (l *logger) Warnf(format string, v ...any)   { l.log.Warn(text(format, v)) }

// writeError is in the format of what is logged when a store meets an error that it will not recover from: of a stream, a
// consumer or a cluster. nats-server's check of its own health tells of some of these only, and of none while there are no
// descriptors left.
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

// fatal gives the first fatal message, which Start returns instead of logging it.
func (l *logger) fatal() string {
	if message := l.firstErr.Load(); message != nil {
		return *message
	}
	return ""
}

// started ends that: whatever is fatal from now on is logged.
func (l *logger) started() { l.firstErr.Store(new(string)) }

func text(format string, v []any) string { return fmt.Sprintf(format, v...) }
