package runs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// How a question is asked, once, and its run followed.

// patience is how long Ask and Follow wait until it is known what a run has so far.
const patience = 5 * time.Second

// Follow watches a run until done is called. The state is unknown if NATS does not say in time what there is. The error wraps
// bridge.ErrBusy, bridge.ErrClosed or bridge.ErrRefused.
func (r *Runs) Follow(ctx context.Context, subject bridge.Subject, framing bridge.Framing, account bridge.Account) (run bridge.Run, done func(), err error) {
	run, w, err := r.follow(ctx, subject, framing, account, max(r.config.Longest, r.config.Silence), true)
	if err != nil {
		return run, nil, err
	}
	return run, sync.OnceFunc(func() { r.leave(w) }), nil
}

// follow joins the watch of a run. A silence is that of the question, if this is known. See await for all.
func (r *Runs) follow(ctx context.Context, subject bridge.Subject, framing bridge.Framing, account bridge.Account, silence time.Duration, all bool) (run bridge.Run, w *watch, err error) {
	w, err = r.join(subject, framing, account, silence)
	if err != nil {
		return run, nil, fmt.Errorf("follow %s: %w", subject, err)
	}
	if run.IsKnown, err = r.await(ctx, w, account, all); err != nil {
		r.leave(w)
		return run, nil, fmt.Errorf("follow %s: %w", subject, err)
	}
	seen, _ := w.watched()
	run.Subject, run.State = subject, seen.state
	switch {
	case !seen.isUnreadable:
	case r.config.NATS.IsStoreGone():
		run.Unreadable = bridge.ErrUnavailable
	default:
		run.Unreadable = bridge.ErrRefused
	}
	run.Begin = bridge.Resume{Since: bridge.Since{Kind: bridge.SinceAll}, Account: account}
	return run, w, nil
}

// await reports whether everything is known that has arrived of the run so far; or all that was stored of it before the call: another bridge may
// have asked it just now, or this one be reading what it has missed. Only a run that seems to be none needs that. The error is bridge.ErrRefused.
func (r *Runs) await(ctx context.Context, w *watch, account bridge.Account, all bool) (isKnown bool, err error) {
	wait := patience
	if !r.config.NATS.IsConnected() {
		wait = 0
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if isKnown, err = r.awaitRead(ctx, w, nil); err != nil || !isKnown || !all {
		return isKnown, err
	}
	if seen, _ := w.watched(); !seen.state.IsEmpty() || seen.isUnreadable {
		return true, nil
	}
	stored, err := r.config.Hub.Extent(ctx, r.config.Store, []bridge.Subject{w.subject}, account)
	if err != nil {
		return false, nil // unknown: the store does not answer in time
	}
	if stored.LastSeq == 0 {
		return true, nil
	}
	return r.awaitRead(ctx, w, stored.Last)
}

// awaitRead reports whether everything was read that the run had when the watch began, and everything up to an end.
func (r *Runs) awaitRead(ctx context.Context, w *watch, end bridge.ID) (bool, error) {
	for {
		seen, change := w.watched()
		switch {
		case seen.isKnown && !seen.lacksBegin() && seen.reaches(end):
			return true, nil
		case seen.refusal != nil:
			return false, seen.refusal
		}
		select {
		case <-change:
		case <-ctx.Done():
			return false, nil
		}
	}
}

// Ask asks a question, or finds the run of the same question, and follows it until done is called. The error wraps bridge.ErrTooManyRuns,
// bridge.ErrBusy, bridge.ErrNoResponders or what NATS returns.
func (r *Runs) Ask(ctx context.Context, q bridge.Question) (run bridge.Run, done func(), err error) {
	name := name(q)
	run, w, err := r.follow(ctx, r.subject(q.Caller, name), q.Framing, q.Account, cmp.Or(q.Silence, r.config.Silence), false) // the stream refuses a question that was asked
	if err == nil {
		run.Name = name
		if err = r.askOnce(ctx, q, &run, w); err == nil {
			return run, sync.OnceFunc(func() { r.leave(w) }), nil
		}
		r.leave(w)
	}
	return run, nil, fmt.Errorf("ask %s: %w", q.Subject, err)
}

// askOnce asks, unless it was asked before.
func (r *Runs) askOnce(ctx context.Context, q bridge.Question, run *bridge.Run, w *watch) error {
	switch {
	case !run.IsKnown:
		return bridge.ErrUnavailable
	case !run.State.IsEmpty():
		return nil
	}
	isMine, err := r.claim(w, q.Account)
	if err != nil || !isMine {
		return err
	}
	preface := map[string][]string{bridge.HeaderRun: {bridge.RunAsked}, headerExpected: {strconv.FormatUint(run.State.At.Seq, 10)}}
	if q.Queries {
		preface[bridge.HeaderRunQueries] = []string{"yes"}
	}
	receipt, err := r.config.NATS.Publish(ctx, run.Subject, preface, []byte(q.Subject))
	if err != nil {
		r.unclaim(w)
		if errors.Is(err, bridge.ErrConflict) { // another bridge has asked it
			return nil
		}
		return err
	}
	w.begun()
	if receipt.Position.Epoch != "" {
		run.Begin.After = bridge.ID{receipt.Position}
	}
	err = r.config.NATS.Ask(ctx, q.Subject, run.Subject, q.Header, q.Data)
	if isUnsent(err) {
		r.count(&r.stats.Unheard)
		return errors.Join(err, r.release(ctx, q, run, w))
	}
	if err == nil {
		run.IsNew = true
		r.count(&r.stats.Asked)
	}
	return err
}

// isUnsent reports whether an error means that nobody has heard the question.
func isUnsent(err error) bool {
	return errors.Is(err, bridge.ErrNoResponders) || errors.Is(err, bridge.ErrRefused) || errors.Is(err, bridge.ErrTooLarge)
}

// release says to all bridges that the question may be asked again.
func (r *Runs) release(ctx context.Context, q bridge.Question, run *bridge.Run, w *watch) error {
	defer r.unclaim(w)
	if _, err := r.config.NATS.Publish(ctx, run.Subject, map[string][]string{bridge.HeaderRun: {bridge.RunReleased}}, []byte(q.Subject)); err != nil {
		return err
	}
	for { // until this bridge knows it: it has read what it has published since
		seen, change := w.watched()
		if state := seen.state; state.Kind == bridge.RunPaused && state.Messages > run.State.Messages+1 {
			return nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return nil
		}
	}
}

// Settle says that the asker of a run needs no more answers. The run is not open any more, and nobody waits for its end.
func (r *Runs) Settle(subject bridge.Subject) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w := r.open[subject]; w != nil {
		r.unask(w)
	}
}

// Stop asks the worker of a run to stop.
func (r *Runs) Stop(ctx context.Context, subject bridge.Subject) error {
	if _, err := r.config.NATS.Publish(ctx, subject+".stop", nil, nil); err != nil {
		return err
	}
	r.count(&r.stats.Stopped)
	return nil
}
