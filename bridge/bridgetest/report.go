package bridgetest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// Violation is a broken promise.
type Violation struct {
	Text string
	log  *Log
	at   int // the entry in the log
}

// Violations are the findings of a check.
type Violations []Violation

const (
	reported = 8   // violations that are shown in full
	alike    = 2   // of them with the same beginning
	around   = 4   // entries before and after each
	longest  = 200 // bytes of data that are shown
)

// String returns the first violations, each with the entries around it.
func (v Violations) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d promises broken\n", len(v))
	kinds := map[string]int{}
	shown := 0
	for _, violation := range v {
		kind, _, _ := strings.Cut(violation.Text, ":")
		if kinds[kind]++; kinds[kind] > alike || shown == reported {
			continue
		}
		shown++
		fmt.Fprintf(&text, "%s, entry %d: %s\n", violation.log.Name, violation.at, violation.Text)
		for at := max(0, violation.at-around); at <= min(violation.at+around, len(violation.log.entries)-1); at++ {
			pointer := " "
			if at == violation.at {
				pointer = ">"
			}
			fmt.Fprintf(&text, "  %s %d %s\n", pointer, at, violation.log.entries[at])
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		fmt.Fprintf(&text, "%d times %s\n", kinds[kind], kind)
	}
	return text.String()
}

func (e entry) String() string {
	switch e.kind {
	case entryConnected:
		return fmt.Sprintf("-- connects to %s with %q", e.note, e.id)
	case entryEnded, entryBroken:
		return "-- " + e.note
	default:
		return fmt.Sprintf("%s %s %q", e.event.ID, e.event.Type, shorten(e.event.Data))
	}
}

// Count returns how many violations begin with a text.
func (v Violations) Count(beginning string) (n int) {
	for _, violation := range v {
		if strings.HasPrefix(violation.Text, beginning) {
			n++
		}
	}
	return n
}

// Verify fails the test for every broken promise, and returns them.
func (l *Ledger) Verify(t testing.TB, rules Rules) Violations {
	t.Helper()
	acknowledged, events, connections := l.Counts()
	t.Logf("%d messages acknowledged, %d events seen on %d connections", acknowledged, events, connections)
	broken := l.Check(rules)
	if len(broken) > 0 {
		t.Error(broken)
	}
	return broken
}
