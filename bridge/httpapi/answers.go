package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/tailwater/tailwater/bridge"
)

// answersPath begins the paths of runs.
const answersPath = "/answers/"

// errNoRun means that the caller has no such run. Whether another caller has it, nobody learns.
var errNoRun = errors.New("you have no such run, or its answers are no longer stored; ask again")

// explain returns the reason why a subject may not be used: if it is kept for answers, that. It is the same for every such subject.
func (a *API) explain(err error, subject bridge.Subject) error {
	if a.config.Runs == nil || !errors.Is(err, bridge.ErrForbidden) || subject.Reserved() || !a.config.Runs.Filter().Overlaps(subject) {
		return err
	}
	return fmt.Errorf("%w: subjects like %.60q are kept for the answers to questions, which only their askers read, at %s<run>; the operator can set TAILWATER_ANSWERS to another word, or to nothing", bridge.ErrForbidden, subject, answersPath)
}

// answersTarget returns the run that a path names.
func (a *API) answersTarget(path string) (t target, found bool) {
	run, found := strings.CutPrefix(path, answersPath)
	return target{run: run, isRun: true}, found && a.config.Runs != nil
}

// runQuery reads the query of a request for a run.
func runQuery(r *http.Request) (url.Values, error) {
	query, err := parseQuery(r)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"subject", "poll", "limit", "until", "presence"} {
		if query.Has(name) {
			return nil, fmt.Errorf("%w: %s has no meaning for a run", errQuery, name)
		}
	}
	if since := query.Get("since"); since != "" && since != "all" {
		return nil, fmt.Errorf("%w: a run is read from its beginning; to continue after an event use lastEventId=", errQuery)
	}
	return query, nil
}

// readRun answers GET with the events of a run.
func (a *API) readRun(w http.ResponseWriter, r *http.Request, t target) error {
	query, err := runQuery(r)
	if err != nil {
		return err
	}
	request, err := readRunRequest(r, query)
	if err != nil {
		return err
	}
	caller, subject, err := a.runOf(r, query, t)
	if errors.Is(err, bridge.ErrNoVerdict) {
		return a.turnAway(w, r, request.framing)
	}
	if err != nil {
		return err
	}
	request.caller, request.resume.Account = caller, a.account(r, caller)
	held := a.admit(r)
	if held == nil {
		return a.turnAway(w, r, request.framing)
	}
	defer held.release()
	run, done, err := a.follow(r.Context(), subject, request.framing, request.resume.Account)
	switch {
	case errors.Is(err, bridge.ErrRefused), errors.Is(err, errNoRun):
		return err
	case err != nil:
		return a.turnAway(w, r, request.framing)
	}
	held.also(done)
	return a.stream(w, r, run, &request, held)
}

// runOf returns the sender of a request, and the subject of the run that it names.
func (a *API) runOf(r *http.Request, query url.Values, t target) (bridge.Caller, bridge.Subject, error) {
	caller, err := a.caller(r, query)
	if err != nil {
		return caller, "", err
	}
	subject, is := a.config.Runs.Subject(caller, t.run)
	if !is {
		return caller, "", errNoRun
	}
	return caller, subject, nil
}

// follow follows a run that exists, and whose state is known. The error wraps bridge.ErrRefused if that cannot be known until NATS allows more.
func (a *API) follow(ctx context.Context, subject bridge.Subject, framing bridge.Framing, account bridge.Account) (bridge.Run, func(), error) {
	end, ok := a.begin()
	if !ok {
		return bridge.Run{}, nil, errBusy
	}
	defer end()
	run, done, err := a.config.Runs.Follow(ctx, subject, framing, account)
	switch {
	case err != nil:
		return run, nil, err
	case !run.IsKnown:
		err = bridge.ErrUnavailable
	case run.State.IsEmpty() && run.Unreadable != nil:
		err = fmt.Errorf("read the answers of a run: %w", run.Unreadable)
	case run.State.IsEmpty():
		err = errNoRun
	}
	if err != nil {
		done()
	}
	return run, done, err
}

// stopRun answers DELETE: the worker of the run is asked to stop.
func (a *API) stopRun(w http.ResponseWriter, r *http.Request, t target) error {
	query, err := runQuery(r)
	if err != nil {
		return err
	}
	caller, subject, err := a.runOf(r, query, t)
	if err != nil {
		return err
	}
	if err := a.checkRate(w, r, caller); err != nil {
		return err
	}
	run, done, err := a.follow(r.Context(), subject, bridge.Framing{}, a.account(r, caller))
	if err != nil {
		return err
	}
	defer done()
	if run.State.Kind.IsEnd() {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	if err := a.hand(r.Context(), publishTimeout, func(ctx context.Context) error { return a.config.Runs.Stop(ctx, subject) }); err != nil {
		return err
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}
