package bridgetest

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
)

// Secrets detects leaks: the tests of a package plant their secrets in it, and pass it every log, metric and error. At the end TestMain
// asks for the verdict. The zero value is ready.
type Secrets struct {
	mu     sync.Mutex
	traces []string // pieces of secrets, each of which counts as a leak
	recent []byte   // the newest output
	leaks  []string
}

const (
	// traceLength is how much of a secret counts as a leak: a log may hold its beginning or its end alone.
	traceLength = 16
	// remember is how much output is kept, in bytes. Secrets that the server makes, such as a ticket, can be planted only when they are
	// known. By then they may already have leaked.
	remember = 1 << 20
	// mostLeaks is how many leaks are reported: one leak usually means more.
	mostLeaks = 10
)

// Plant adds secrets. Of a token, each segment between dots is a secret.
func (s *Secrets) Plant(secrets ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, secret := range secrets {
		for segment := range strings.SplitSeq(secret, ".") {
			for _, trace := range []string{segment[:min(len(segment), traceLength)], segment[max(0, len(segment)-traceLength):]} {
				if trace != "" && !slices.Contains(s.traces, trace) {
					s.traces = append(s.traces, trace)
					s.look(string(s.recent), trace)
				}
			}
		}
	}
}

// Overhear looks for secrets in an output: an answer, an error, metrics.
func (s *Secrets) Overhear(said string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.look(said, s.traces...)
	s.recent = append(append(s.recent, said...), '\n')
	if older := len(s.recent) - remember; older > remember {
		s.recent = append(s.recent[:0], s.recent[older:]...)
	}
}

func (s *Secrets) look(said string, traces ...string) {
	for _, trace := range traces {
		if at := strings.Index(said, trace); at >= 0 && len(s.leaks) < mostLeaks {
			s.leaks = append(s.leaks, fmt.Sprintf("%q in %q", trace, said[max(0, at-200):min(len(said), at+200)]))
		}
	}
}

// Write is Overhear for one line of a log.
func (s *Secrets) Write(line []byte) (int, error) {
	s.Overhear(string(line))
	return len(line), nil
}

// Log returns a handler that passes records on to another, and checks them, also those below its level.
func (s *Secrets) Log(log slog.Handler) slog.Handler {
	return slog.NewMultiHandler(log, slog.NewTextHandler(s, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Verdict returns the exit code of the tests, given their own code, and writes the leaks to w.
func (s *Secrets) Verdict(code int, w io.Writer) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, leak := range s.leaks {
		fmt.Fprintln(w, "a secret has leaked:", leak)
	}
	if len(s.leaks) > 0 {
		return max(code, 1)
	}
	return code
}

// Exit ends the tests of a package with the verdict.
func (s *Secrets) Exit(code int) { os.Exit(s.Verdict(code, os.Stderr)) }
