package runs

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// watch reads a run as a client would, to know how far it is, and ends it if nobody answers.
type watch struct {
	subject bridge.Subject
	silence time.Duration // after which the run has failed
	cancel  context.CancelFunc

	// Guarded by the lock of Runs.
	users   int
	isAsked bool           // by this bridge, and not ended
	account bridge.Account // that has asked
	isOver  bool           // its reader has ended

	mu     sync.Mutex
	seen   view
	change chan struct{} // closed when that changes
}

// view is what a watch has read, and what keeps it from reading more.
type view struct {
	state        bridge.RunState
	refusal      error // see bridge.Reader.Refusal
	isUnreadable bool  // what is stored of the run cannot be read
	isBegun      bool  // this bridge has published the run's first message
	isKnown      bool  // everything was read that the run had when the watch began, or its end
}

// lacksBegin reports whether a run has begun whose first message has not arrived yet: it is stored before it is delivered.
func (v view) lacksBegin() bool { return v.isBegun && v.state.IsEmpty() }

// reaches reports whether everything up to a position was read.
func (v view) reaches(end bridge.ID) bool {
	return !slices.ContainsFunc(end, func(at bridge.Position) bool { return at.Epoch != v.state.At.Epoch || at.Seq > v.state.At.Seq })
}

// watched returns what was read, and a channel that is closed when it changes.
func (w *watch) watched() (view, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen, w.change
}

// note records what was read, and reports whether the state is new.
func (w *watch) note(seen view) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	was := w.seen
	seen.isBegun, seen.isKnown = was.isBegun, seen.isKnown || was.isKnown
	if seen == was {
		return false
	}
	w.seen = seen
	close(w.change)
	w.change = make(chan struct{})
	return seen.state != was.state
}

// begun records that this bridge has published the first message of a run.
func (w *watch) begun() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen.isBegun = true
}

// join returns the watch of a run, with one more user. The silence counts if the watch is new.
func (r *Runs) join(subject bridge.Subject, framing bridge.Framing, account bridge.Account, silence time.Duration) (*watch, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w := r.open[subject]; w != nil {
		w.users++
		return w, nil
	}
	if r.alive.Err() != nil {
		return nil, bridge.ErrClosed
	}
	framing.Run = true
	reader, err := r.config.Hub.Read([]bridge.Subject{subject}, framing, bridge.Resume{Since: bridge.Since{Kind: bridge.SinceAll}, Account: account})
	if err != nil {
		return nil, err
	}
	w := &watch{subject: subject, silence: silence, change: make(chan struct{}), users: 1}
	ctx, cancel := context.WithCancel(r.alive)
	w.cancel = cancel
	r.open[subject] = w
	r.running.Go(func() { r.tend(ctx, w, reader) })
	return w, nil
}

// leave takes a user from a watch. A run that this bridge has asked is watched until its end.
func (r *Runs) leave(w *watch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w.users--
	r.drop(w)
}

// drop forgets a watch that nobody needs. The lock must be held.
func (r *Runs) drop(w *watch) {
	if w.users == 0 && !w.isAsked && r.open[w.subject] == w {
		delete(r.open, w.subject)
		w.cancel()
	}
}

// claim makes this bridge the asker of a run; false if it is already, or if the run is over. The error is bridge.ErrTooManyRuns, or
// bridge.ErrBusy if all accounts together have too many.
func (r *Runs) claim(w *watch, account bridge.Account) (isMine bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case w.isAsked || w.isOver:
		return false, nil
	case r.config.Each > 0 && r.asked[account] >= r.config.Each:
		return false, bridge.ErrTooManyRuns
	case r.config.All > 0 && r.stats.Open >= r.config.All:
		return false, bridge.ErrBusy
	}
	w.isAsked, w.account = true, account
	r.asked[account]++
	r.stats.Open++
	return true, nil
}

// unclaim undoes claim.
func (r *Runs) unclaim(w *watch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unask(w)
}

// unask ends the asker's part in a run, and reports whether this bridge had one. The lock must be held.
func (r *Runs) unask(w *watch) bool {
	was := w.isAsked
	if w.isAsked {
		w.isAsked = false
		r.stats.Open--
		if r.asked[w.account]--; r.asked[w.account] == 0 {
			delete(r.asked, w.account)
		}
	}
	r.drop(w)
	return was
}

// readBytes is how much is read of a run at once.
const readBytes = 256 << 10

// tend reads a run until it ends, or nobody needs the watch.
func (r *Runs) tend(ctx context.Context, w *watch, reader *bridge.Reader) {
	defer reader.Close()
	more := bridge.NewSignal()
	silence := time.NewTimer(w.silence)
	defer silence.Stop()
	refused := 0 // ends in a row, without news of the run
	for {
		frames := reader.Next(nil, readBytes, more)
		state := reader.Run()
		isKnown := reader.Synced() || reader.Ended()
		if w.note(view{state: state, refusal: reader.Refusal(), isUnreadable: reader.IsUnreadable(), isKnown: isKnown}) {
			refused = 0
			silence.Reset(w.silence)
		}
		if reader.Ended() {
			r.end(w, state)
			return
		}
		if len(frames) > 0 {
			continue
		}
		select {
		case <-more:
		case <-silence.C:
			if !r.tellSilence(ctx, w, state) {
				refused = 0
			} else if refused++; refused > 1 {
				r.giveUp(w)
			}
			silence.Reset(w.silence)
		case <-ctx.Done():
			return
		}
	}
}

// end is called when a run has ended.
func (r *Runs) end(w *watch, state bridge.RunState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w.isOver = true
	switch {
	case !r.unask(w):
	case state.Kind == bridge.RunEnds:
		r.stats.Ended++
	default:
		r.stats.Failed++
	}
}

// tellSilence ends a run that nobody answers, for its readers on all bridges, each of which may do so. A run that does not exist is not ended:
// otherwise a client could write by reading. Nor is one whose stream has an answer that has not arrived here, or has lost the last message of the
// run: the stream refuses the end.
func (r *Runs) tellSilence(ctx context.Context, w *watch, state bridge.RunState) (isRefused bool) {
	if state.IsEmpty() || !r.config.NATS.IsConnected() {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	receipt, err := r.config.NATS.Publish(ctx, w.subject, map[string][]string{
		bridge.HeaderRun:              {bridge.RunSilent},
		bridge.HeaderServiceError:     {"no answer for " + w.silence.String()},
		bridge.HeaderServiceErrorCode: {"504"},
		headerExpected:                {strconv.FormatUint(state.At.Seq, 10)},
		bridge.HeaderMessageID:        {"tailwater-silence." + string(w.subject[strings.LastIndexByte(string(w.subject), '.')+1:])},
	}, nil)
	switch {
	case errors.Is(err, bridge.ErrConflict), receipt.Duplicate: // it may have been ended, and the end removed
		return true
	case err == nil:
		r.count(&r.stats.Silent)
	case !errors.Is(ctx.Err(), context.Canceled):
		r.config.Log.Warn("cannot end a run that nobody answers; it is tried again", "error", err)
	}
	return false
}

// giveUp ends the asker's part in a run whose messages the stream has removed: nothing can end it, and it would count for its asker for ever.
func (r *Runs) giveUp(w *watch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.unask(w) {
		r.stats.Failed++
	}
}

// headerExpected makes a stream refuse a message if its subject has another last message.
const headerExpected = "Nats-Expected-Last-Subject-Sequence"
