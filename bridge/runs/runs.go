// Package runs asks questions, and follows the answers. A run is one question and the messages on its reply subject: an ordinary subject, so
// that its readers are ordinary readers. README.md says how data flows.
package runs

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// NATS carries questions, and the bridge's own messages.
type NATS interface {
	// Ask sends a question. Its error wraps bridge.ErrNoResponders if nobody has heard it.
	Ask(ctx context.Context, subject, reply bridge.Subject, header map[string][]string, data []byte) error
	// Publish returns bridge.ErrConflict if the subject has another last message than the header Nats-Expected-Last-Subject-Sequence says.
	Publish(ctx context.Context, subject bridge.Subject, header map[string][]string, data []byte) (bridge.Receipt, error)
	// IsConnected reports whether there is a connection.
	IsConnected() bool
	// IsStoreGone reports whether streams were there, and all are gone, with JetStream.
	IsStoreGone() bool
}

// Config says what runs need. Every field is needed, but Longest, Each and All.
type Config struct {
	Hub     *bridge.Hub
	Store   bridge.Store
	NATS    NATS
	Answers string        // the first token of reply subjects
	Silence time.Duration // after which a run has failed, if its question does not say
	Longest time.Duration // after which a run that another bridge has asked has failed; 0 for Silence
	Each    int           // runs that one account may have open; 0 for no limit
	All     int           // runs that all accounts may have open; 0 for no limit
	Log     *slog.Logger
}

// Runs follows the open runs that this bridge has asked, or somebody reads here.
type Runs struct {
	config  Config
	alive   context.Context // until Close
	stop    context.CancelFunc
	running sync.WaitGroup
	stats   counters

	mu    sync.Mutex
	open  map[bridge.Subject]*watch
	asked map[bridge.Account]int // and in all:
	all   int
}

// Open returns runs without any.
func Open(config Config) *Runs {
	r := &Runs{config: config, open: map[bridge.Subject]*watch{}, asked: map[bridge.Account]int{}}
	r.alive, r.stop = context.WithCancel(context.Background())
	return r
}

// Close ends the watching, and waits for its end. Runs continue without it.
func (r *Runs) Close() {
	r.stop()
	r.running.Wait()
}

// anonymous is the owner of runs whose askers have no names.
const anonymous = "-"

var encoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// idLength is the length of a run's name: 130 bits in base 32.
const idLength = 26

// Filter returns the filter of all runs' subjects.
func (r *Runs) Filter() bridge.Subject { return bridge.Subject(r.config.Answers + ".>") }

// Subject returns the subject of a caller's run; false if a run cannot have that name.
func (r *Runs) Subject(caller bridge.Caller, run string) (bridge.Subject, bool) {
	return r.subject(caller, run), isName(run)
}

func (r *Runs) subject(caller bridge.Caller, run string) bridge.Subject {
	owner := anonymous
	if !caller.Anonymous() {
		sum := sha256.Sum256([]byte(caller.Name))
		owner = encoding.EncodeToString(sum[:])[:idLength]
	}
	return bridge.Subject(r.config.Answers + "." + owner + "." + run)
}

// isName reports whether a text can be the name of a run.
func isName(text string) bool {
	_, err := encoding.DecodeString(text + "AAAAAA")
	return len(text) == idLength && err == nil
}

// name returns the name of the run of a question: chosen at random, or always the same for a key.
func name(q bridge.Question) string {
	if q.Key == "" {
		return rand.Text()[:idLength]
	}
	sum := sha256.Sum256([]byte(bridge.MessageID(q.Caller, q.Subject, q.Key, "", q.Data)))
	return encoding.EncodeToString(sum[:])[:idLength]
}

// patience is how long Ask and Follow wait until it is known what a run has so far.
const patience = 5 * time.Second

// Follow watches a run until done is called. The state is unknown if NATS does not say in time what there is. The error wraps
// bridge.ErrBusy, bridge.ErrClosed or bridge.ErrRefused.
func (r *Runs) Follow(ctx context.Context, subject bridge.Subject, framing bridge.Framing, account bridge.Account) (run bridge.Run, done func(), err error) {
	return r.follow(ctx, subject, framing, account, max(r.config.Longest, r.config.Silence), r.awaitAll)
}

// follow is Follow with another silence than that of runs whose question is not known, and another wait.
func (r *Runs) follow(ctx context.Context, subject bridge.Subject, framing bridge.Framing, account bridge.Account, silence time.Duration, wait await) (run bridge.Run, done func(), err error) {
	w, err := r.join(subject, framing, account, silence)
	if err != nil {
		return bridge.Run{}, nil, fmt.Errorf("follow %s: %w", subject, err)
	}
	if run.IsKnown, err = wait(ctx, w, account); err != nil {
		r.leave(w)
		return bridge.Run{}, nil, fmt.Errorf("follow %s: %w", subject, err)
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
	return run, sync.OnceFunc(func() { r.leave(w) }), nil
}

// await waits until a run is known.
type await func(context.Context, *watch, bridge.Account) (isKnown bool, err error)

// awaitAll reports whether everything is known that was stored of the run before the call: another bridge may have asked it just now, or this
// one be reading what it has missed. Only a run that seems to be none needs that. The error is bridge.ErrRefused.
func (r *Runs) awaitAll(ctx context.Context, w *watch, account bridge.Account) (isKnown bool, err error) {
	ctx, cancel := r.patiently(ctx)
	defer cancel()
	if isKnown, err = r.awaitRead(ctx, w, nil); err != nil || !isKnown {
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

// awaitKnown reports whether everything is known that has arrived of the run so far. The error is bridge.ErrRefused.
func (r *Runs) awaitKnown(ctx context.Context, w *watch, _ bridge.Account) (bool, error) {
	ctx, cancel := r.patiently(ctx)
	defer cancel()
	return r.awaitRead(ctx, w, nil)
}

// patiently bounds a wait. Without a connection there is none.
func (r *Runs) patiently(ctx context.Context) (context.Context, context.CancelFunc) {
	wait := patience
	if !r.config.NATS.IsConnected() {
		wait = 0
	}
	return context.WithTimeout(ctx, wait)
}

// awaitRead reports whether everything was read that the run had when the watch began, and everything up to an end.
func (r *Runs) awaitRead(ctx context.Context, w *watch, end bridge.ID) (bool, error) {
	for {
		seen, change := w.watched()
		var more <-chan struct{}
		select {
		case <-w.known:
			if !seen.lacksBegin() && seen.reaches(end) {
				return true, nil
			}
		default:
			more = w.known
		}
		if seen.refusal != nil {
			return false, seen.refusal
		}
		select {
		case <-more:
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
	run, done, err = r.follow(ctx, r.subject(q.Caller, name), q.Framing, q.Account, cmp.Or(q.Silence, r.config.Silence), r.awaitKnown) // the stream refuses a question that was asked
	run.Name = name
	if err == nil && !run.IsKnown {
		err = bridge.ErrUnavailable
	}
	if err == nil {
		err = r.askOnce(ctx, q, &run)
	}
	if err != nil {
		if done != nil {
			done()
		}
		return run, nil, fmt.Errorf("ask %s: %w", q.Subject, err)
	}
	return run, done, nil
}

// askOnce asks, unless it was asked before.
func (r *Runs) askOnce(ctx context.Context, q bridge.Question, run *bridge.Run) error {
	if !run.State.IsEmpty() {
		return nil
	}
	isMine, err := r.claim(run.Subject, q.Account)
	if err != nil || !isMine {
		return err
	}
	preface := map[string][]string{bridge.HeaderRun: {bridge.RunAsked}, headerExpected: {strconv.FormatUint(run.State.At.Seq, 10)}}
	if q.Queries {
		preface[bridge.HeaderRunQueries] = []string{"yes"}
	}
	receipt, err := r.config.NATS.Publish(ctx, run.Subject, preface, []byte(q.Subject))
	if err != nil {
		r.unclaim(run.Subject)
		if errors.Is(err, bridge.ErrConflict) { // another bridge has asked it
			return nil
		}
		return err
	}
	r.begun(run.Subject)
	if receipt.Position.Epoch != "" {
		run.Begin.After = bridge.ID{receipt.Position}
	}
	err = r.config.NATS.Ask(ctx, q.Subject, run.Subject, q.Header, q.Data)
	if isUnsent(err) {
		r.stats.unheard.Add(1)
		return errors.Join(err, r.release(ctx, q, run))
	}
	if err == nil {
		run.IsNew = true
		r.stats.asked.Add(1)
	}
	return err
}

// isUnsent reports whether an error means that nobody has heard the question.
func isUnsent(err error) bool {
	return errors.Is(err, bridge.ErrNoResponders) || errors.Is(err, bridge.ErrRefused) || errors.Is(err, bridge.ErrTooLarge)
}

// release says to all bridges that the question may be asked again.
func (r *Runs) release(ctx context.Context, q bridge.Question, run *bridge.Run) error {
	defer r.unclaim(run.Subject)
	if _, err := r.config.NATS.Publish(ctx, run.Subject, map[string][]string{bridge.HeaderRun: {bridge.RunReleased}}, []byte(q.Subject)); err != nil {
		return err
	}
	r.awaitRelease(ctx, run)
	return nil
}

// Settle says that the asker of a run needs no more answers. The run is not open any more, and nobody waits for its end.
func (r *Runs) Settle(subject bridge.Subject) { r.unclaim(subject) }

// awaitRelease waits until this bridge knows that the question may be asked again: it has read what it has published since.
func (r *Runs) awaitRelease(ctx context.Context, run *bridge.Run) {
	r.mu.Lock()
	w := r.open[run.Subject]
	r.mu.Unlock()
	for {
		seen, change := w.watched()
		if state := seen.state; state.Kind == bridge.RunPaused && state.Messages > run.State.Messages+1 {
			return
		}
		select {
		case <-change:
		case <-ctx.Done():
			return
		}
	}
}

// headerExpected makes a stream refuse a message if its subject has another last message.
const headerExpected = "Nats-Expected-Last-Subject-Sequence"

// Stop asks the worker of a run to stop.
func (r *Runs) Stop(ctx context.Context, subject bridge.Subject) error {
	if _, err := r.config.NATS.Publish(ctx, subject+".stop", nil, nil); err != nil {
		return err
	}
	r.stats.stopped.Add(1)
	return nil
}
