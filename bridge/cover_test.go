package bridge_test

import (
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge"
)

// Subjects from NATS may have characters that the grammar of Subject refuses.
func TestMatches(t *testing.T) {
	for _, test := range []struct {
		filter   bridge.Subject
		concrete string
		want     bool
	}{
		{"a.*", "a.b\x01\xff", true},
		{"a.>", "a." + strings.Repeat("b.", 40) + "c", true},
		{"a.b", "a.B", false},
		{"a", "ab", false},
		{"chat", "chatroom", false},
	} {
		if got := test.filter.Matches(test.concrete); got != test.want {
			t.Errorf("%q matches %q: %v, want %v", test.filter, test.concrete, got, test.want)
		}
	}
}

// standsFor is the meaning of a filter, written from its definition: from the back, by recursion.
func standsFor(filter, subject []string) bool {
	switch {
	case len(filter) == 1 && filter[0] == ">":
		return len(subject) > 0
	case len(filter) == 0 || len(subject) == 0:
		return len(filter) == len(subject)
	}
	same := filter[0] == "*" || filter[0] == subject[0]
	return same && standsFor(filter[1:], subject[1:])
}

// sequences returns all sequences of 1 to n words.
func sequences(n int, words ...string) [][]string {
	var all [][]string
	longest := [][]string{nil}
	for range n {
		var next [][]string
		for _, start := range longest {
			for _, word := range words {
				next = append(next, append(start[:len(start):len(start)], word))
			}
		}
		all, longest = append(all, next...), next
	}
	return all
}

// checkCovers holds Covers against the truth: whether every subject for which g stands is one for which f stands. The
// subjects are one token deeper than the filters, and c stands in neither.
func checkCovers(t *testing.T, f, g []string, subjects [][]string) {
	t.Helper()
	want := true
	for _, s := range subjects {
		in, out := standsFor(g, s), standsFor(f, s)
		if got := join(g).Matches(strings.Join(s, ".")); got != in {
			t.Fatalf("%q matches %q: %v", join(g), s, got)
		}
		want = want && (out || !in)
	}
	if got := join(f).Covers(join(g)); got != want {
		t.Fatalf("%q covers %q: %v, want %v", join(f), join(g), got, want)
	}
}

func join(tokens []string) bridge.Subject { return bridge.Subject(strings.Join(tokens, ".")) }

func TestCoversIsInclusion(t *testing.T) {
	subjects := sequences(4, "a", "b", "c")
	filters := sequences(3, "a", "b", "*", ">")
	for _, f := range filters {
		for _, g := range filters {
			if isFilter(f) && isFilter(g) {
				checkCovers(t, f, g, subjects)
			}
		}
	}
}

func isFilter(tokens []string) bool {
	_, err := bridge.ParseSubject(string(join(tokens)))
	return err == nil
}
