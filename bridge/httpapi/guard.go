package httpapi

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
)

// Guard serves next, and sees to its panics: each is logged with its stack, counted, and answered with a problem. Where
// the answer has begun already, its connection is cut, so that nobody takes what was written for the whole.
//
// http.ErrAbortHandler is no fault, and is passed on.
func (a *API) Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		watched := &watchedWriter{ResponseWriter: w}
		defer func() {
			if cause := recover(); cause != nil {
				a.panicked(watched, r, cause)
			}
		}()
		next.ServeHTTP(watched, r)
	})
}

func (a *API) panicked(w *watchedWriter, r *http.Request, cause any) {
	if cause == http.ErrAbortHandler {
		panic(cause)
	}
	a.stats.panics.Add(1)
	stack := debug.Stack()
	a.panics.Do(func() {
		a.config.Log.Error("a handler panicked; please report it, with the stack", "method", r.Method, "path", r.URL.Path, "panic", fmt.Sprint(cause), "stack", string(stack))
	})
	if w.begun {
		panic(http.ErrAbortHandler)
	}
	w.Header().Del("Content-Length")
	a.stats.refuse(r.Method, http.StatusInternalServerError)
	writeJSON(w, http.StatusInternalServerError, "application/problem+json", errInternal)
}

// watchedWriter knows whether anything of an answer was written.
type watchedWriter struct {
	http.ResponseWriter
	begun bool
}

// Unwrap is for http.ResponseController.
func (w *watchedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter. An informational status begins no answer.
func (w *watchedWriter) WriteHeader(status int) {
	w.begun = w.begun || status >= http.StatusOK
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *watchedWriter) Write(data []byte) (int, error) {
	w.begun = true
	return w.ResponseWriter.Write(data)
}

// FlushError is for http.ResponseController.
func (w *watchedWriter) FlushError() error {
	w.begun = true
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack implements http.Hijacker, as far as the writer below does.
func (w *watchedWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(w.ResponseWriter).Hijack()
	w.begun = w.begun || err == nil
	return conn, buffered, err
}

// below returns the writer that net/http has made: http.MaxBytesReader tells it that the connection is to be closed.
func below(w http.ResponseWriter) http.ResponseWriter {
	if watched, ok := w.(*watchedWriter); ok {
		return watched.ResponseWriter
	}
	return w
}
