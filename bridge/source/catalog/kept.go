package catalog

import (
	"context"
	"errors"
	"fmt"
)

// HistoryProblem returns what is wrong with the stream of Tailwater's own, as it is known now, and what to do: "" for
// nothing. What is published on its subjects may not be kept then.
func (t *Table) HistoryProblem() (problem, remedy string) {
	found, _ := t.kept()
	return found.problem, found.remedy
}

// AwaitHistory waits until JetStream has said whether the stream of Tailwater's own can be as the settings ask. The error
// says why it cannot, and what to do; it wraps the context's where JetStream did not answer in time.
func (t *Table) AwaitHistory(ctx context.Context) error {
	var found own
	err := t.until(ctx, func() (known bool) {
		found, known = t.kept()
		return known
	})
	if err == nil && found.missing {
		err = fmt.Errorf("%w: %s; %s", ErrNotKept, found.problem, found.remedy)
	}
	return err
}

// ErrNotKept means that there cannot be a stream as TAILWATER_HISTORY asks.
var ErrNotKept = errors.New("TAILWATER_HISTORY cannot be kept")

// kept returns what there is to say of the stream of Tailwater's own, if that is known.
func (t *Table) kept() (own, bool) {
	if len(t.keep.Subjects) == 0 {
		return own{}, true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.now == nil:
		return own{}, false
	case t.now.absence.why != "":
		return t.keep.absent(t.now.absence), true
	default:
		return t.own, t.own.settled
	}
}

// absent says that there is no JetStream for the stream.
func (h History) absent(a absence) own {
	remedy := a.remedy
	switch {
	case remedy != "":
	case h.Manage:
		remedy = "enable JetStream for the bridge's account in the file of TAILWATER_EMBED_CONFIG, or set TAILWATER_HISTORY to nothing"
	default:
		remedy = "enable JetStream for the bridge's account, or set TAILWATER_HISTORY to nothing"
	}
	return own{problem: a.why + ", so that nothing is kept", remedy: remedy, missing: true}
}
