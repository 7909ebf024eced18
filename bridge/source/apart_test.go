package source_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source"
)

// Subjects move between the streams of Tailwater's own as the settings ask, and no stored message is lost.
func TestSubjectsAreKeptApart(t *testing.T) {
	t.Parallel()
	dial := embedded(t)
	js := manager(t, dial)
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
		stored -= int(infoOf(t, js, name).State.Msgs)
	}
	if stored != 0 {
		t.Errorf("%d stored messages are gone", stored)
	}
}

// A stream of the user that has the name by chance is left alone: the first stream keeps all subjects, and a warning says so.
func TestStreamOfAnotherIsLeftAlone(t *testing.T) {
	t.Parallel()
	dial := embedded(t)
	js := manager(t, dial)
	const apart = "TAILWATER_ANSWERS"
	createStream(t, js, jetstream.StreamConfig{Name: apart, Subjects: []string{"faq.>"}})
	keep := managed()
	keep.Subjects = []bridge.Subject{"chat.>", "answers.>"}
	keep.Apart = source.Apart{Token: "answers", Stream: apart, MaxBytes: 2 << 20, Shrinks: true}
	problem, remedy := keeping(t, dial, keep, quiet).HistoryProblem()
	if !strings.Contains(problem, "Tailwater has not made it; the stream TAILWATER keeps its subjects, too") || !strings.Contains(remedy, "TAILWATER_HISTORY_STREAM") {
		t.Errorf("%q, %q", problem, remedy)
	}
	if got := configOf(t, js, apart); !slices.Equal(got.Subjects, []string{"faq.>"}) || got.MaxBytes != -1 {
		t.Errorf("it was changed: %+v", got)
	}
	if got := configOf(t, js, "TAILWATER").Subjects; len(got) != 2 {
		t.Errorf("TAILWATER holds %q", got)
	}
}
