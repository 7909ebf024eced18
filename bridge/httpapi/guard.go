package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
)

// Guard serves next, and handles its panics: each is logged with its stack, counted, and answered with a problem. If the answer has begun, the
// connection is cut, so that the client does not mistake the beginning for the whole.
//
// http.ErrAbortHandler is not a bug, and is passed on.
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

// watchedWriter records whether anything of an answer was written.
type watchedWriter struct {
	http.ResponseWriter
	begun bool
}

// Unwrap implements the interface of http.ResponseController.
func (w *watchedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter. An informational status does not begin the answer.
func (w *watchedWriter) WriteHeader(status int) {
	w.begun = w.begun || status >= http.StatusOK
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *watchedWriter) Write(data []byte) (int, error) {
	w.begun = true
	return w.ResponseWriter.Write(data)
}

// errNoFlush is a fault of the program around the bridge, which finds it in the log: the client's answer says no more than that there is one.
var errNoFlush = errors.New("middleware hides the http.ResponseWriter of net/http from the bridge, which therefore cannot send events; give the middleware's writer the method Unwrap (see http.ResponseController)")

// canFlush reports whether what is written can be sent at once.
func canFlush(w http.ResponseWriter) bool {
	for {
		switch outer := w.(type) {
		case http.Flusher, interface{ FlushError() error }:
			return true
		case interface{ Unwrap() http.ResponseWriter }:
			w = outer.Unwrap()
		default:
			return false
		}
	}
}

// below returns the writer of net/http: http.MaxBytesReader needs it to have the connection closed.
func below(w http.ResponseWriter) http.ResponseWriter {
	if watched, ok := w.(*watchedWriter); ok {
		return watched.ResponseWriter
	}
	return w
}
