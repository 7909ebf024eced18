package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tailwater/tailwater/bridge"
)

// HistoryProblem returns what is known to be wrong with Tailwater's own streams, and what to do; "" if nothing is. With a problem,
// messages on their subjects may not be kept.
func (t *Table) HistoryProblem() (problem, remedy string) {
	found, _ := t.kept()
	return found.problem, found.remedy
}

// AwaitHistory waits until it is known whether Tailwater's own streams can be as the settings ask. The error contains the reason
// and the remedy; it wraps the context's error if JetStream did not answer in time.
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

// kept returns the state of Tailwater's own streams, if known: that of the worst of them.
func (t *Table) kept() (worst own, known bool) {
	if len(t.config.History.Subjects) == 0 {
		return own{}, true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.now == nil:
		return own{}, false
	case t.now.absence.why != "":
		return t.config.History.absent(t.now.absence), true
	}
	known = true
	for i, state := range t.own {
		known = known && state.settled
		if state.settled && state.problem == "" && t.isGone(t.keep[i]) {
			state.problem = "the stream " + t.keep[i].Stream + " was deleted, so that its subjects are not kept"
			state.remedy = "restart the bridge, which makes it again, or set TAILWATER_HISTORY to what shall be kept"
		}
		if worst.problem == "" || state.missing && !worst.missing {
			worst = state
		}
	}
	return worst, known
}

// isGone reports whether a stream that was made is missing, and no other holds its subjects. The lock must be held.
func (t *Table) isGone(keep History) bool {
	if keep.Look || t.now.Get(keep.Stream) != nil || len(t.now.silent)+len(t.now.hidden) > 0 {
		return false
	}
	return slices.ContainsFunc(keep.Subjects, func(subject bridge.Subject) bool { return t.now.covering(subject) == nil })
}

// absent returns the state if there is no JetStream.
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
