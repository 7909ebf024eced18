package js

import (
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"
)

// Callers choose the subjects that are refused; what is remembered of them is bounded.
func TestRefusedSubjectsAreForgotten(t *testing.T) {
	for _, direction := range []string{"Subscription", "Publish"} {
		link := newLink()
		for i := range 3_000 {
			link.note(fmt.Errorf("%w: Permissions Violation for %s to \"u.%d\"", nats.ErrPermissionViolation, direction, i))
		}
		if got := max(len(link.subscribe), len(link.publish)); got < 1 || got > 1000 {
			t.Errorf("%s: %d are remembered", direction, got)
		}
	}
}
