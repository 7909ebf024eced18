package source_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source"
)

// Subjects move between the streams of Tailwater's own as the settings ask, and no stored message is lost.
func TestSubjectsAreKeptApart(t *testing.T) {
	t.Parallel()
	dial := embedded(t)
	js := streamsOf(t, dial)
	const main, apart = "TAILWATER", "TAILWATER_ANSWERS"
	stored := 0
	for _, step := range []struct {
		name, token string
		subjects    string
		main, apart string // what they hold
	}{
		{"an earlier version", "-", "chat.> answers.>", "answers.> chat.>", ""},
		{"apart", "answers", "chat.> answers.>", "chat.>", "answers.>"},
		{"another token", "runs", "chat.> answers.> runs.*.x", "answers.> chat.>", "runs.*.x"},
		{"no token", "", "chat.> answers.>", "answers.> chat.>", apart},
		{"apart again", "answers", "chat.> answers.>", "chat.>", "answers.>"},
		{"not kept", "answers", "chat.>", "chat.>", apart},
		{"nothing else", "answers", "answers.>", main, "answers.>"},
		{"exchanged", "chat", "chat.> answers.>", "answers.>", "chat.>"},
	} {
		keep := managed()
		keep.Subjects = nil
		for subject := range strings.FieldsSeq(step.subjects) {
			keep.Subjects = append(keep.Subjects, bridge.Subject(subject))
		}
		if step.token != "-" {
			keep.Apart = source.Apart{Token: step.token, Stream: apart, MaxBytes: 2 << 20}
		}
		table := keeping(t, dial, keep, quiet)
		if problem, _ := table.HistoryProblem(); problem != "" {
			t.Errorf("%s: %s", step.name, problem)
		}
		if got := strings.Join(slices.Sorted(slices.Values(configOf(t, js, main).Subjects)), " "); got != step.main {
			t.Errorf("%s: %s holds %q, want %q", step.name, main, got, step.main)
		}
		if step.apart != "" {
			c := configOf(t, js, apart)
			if got := strings.Join(c.Subjects, " "); got != step.apart || c.MaxBytes != 2<<20 || c.MaxAge != keep.MaxAge {
				t.Errorf("%s: %s holds %q of %d bytes for %v, want %q", step.name, apart, got, c.MaxBytes, c.MaxAge, step.apart)
			}
		}
		for subject := range strings.FieldsSeq(step.subjects) {
			if _, err := js.Publish(within(t, patience), strings.NewReplacer(">", "a", "*", "a").Replace(subject), nil); err != nil {
				t.Errorf("%s: publish on %s: %v", step.name, subject, err)
			}
			stored++
		}
	}
	for _, name := range []string{main, apart} {
		s, err := js.Stream(within(t, patience), name)
		if err != nil {
			t.Fatal(err)
		}
		stored -= int(s.CachedInfo().State.Msgs)
	}
	if stored != 0 {
		t.Errorf("%d stored messages are gone", stored)
	}
}
