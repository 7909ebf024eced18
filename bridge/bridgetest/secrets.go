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

// Secrets finds what nobody may be told: the tests of a package plant their secrets in it, and let it overhear every log, metric
// and error that there is. TestMain asks it for a verdict. The zero value is ready.
type Secrets struct {
	mu     sync.Mutex
	traces []string // any of which gives a secret away
	recent []byte   // what was said last
	leaks  []string
}

const (
	// traceLength is how much of a secret gives it away: a log may hold its beginning, or its end, and not the rest.
	traceLength = 16
	// remember is how much of what was said is kept, in bytes. What a server makes up itself, such as a ticket, can be planted only
	// once it is known, and may have been told by then.
	remember = 1 << 20
	// mostLeaks is how many are written down: where one secret is told, others are as well.
	mostLeaks = 10
)

// Plant takes note of secrets. The parts of a token, which dots separate, are secrets each.
func (s *Secrets) Plant(secrets ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, secret := range secrets {
		for part := range strings.SplitSeq(secret, ".") {
			for _, trace := range []string{part[:min(len(part), traceLength)], part[max(0, len(part)-traceLength):]} {
				if trace != "" && !slices.Contains(s.traces, trace) {
					s.traces = append(s.traces, trace)
					s.look(string(s.recent), trace)
				}
			}
		}
	}
}

// Overhear looks for secrets in what somebody could read: an answer, an error, metrics.
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

// Log gives a handler that overhears what is logged to another, and what is below its level as well.
func (s *Secrets) Log(log slog.Handler) slog.Handler {
	return slog.NewMultiHandler(log, slog.NewTextHandler(s, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Verdict gives the exit code of the tests, which was code so far, and writes down what was told.
func (s *Secrets) Verdict(code int, w io.Writer) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, leak := range s.leaks {
		fmt.Fprintln(w, "a secret was told:", leak)
	}
	if len(s.leaks) > 0 {
		return max(code, 1)
	}
	return code
}

// Exit ends the tests of a package with the verdict.
func (s *Secrets) Exit(code int) { os.Exit(s.Verdict(code, os.Stderr)) }
