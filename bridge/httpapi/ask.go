package httpapi

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// Runs asks questions. Their answers are messages on a subject of the run, which only the asker reads.
type Runs interface {
	// Filter returns the filter of all runs' subjects.
	Filter() bridge.Subject
	// Subject returns the subject of a caller's run; false if a run cannot have that name.
	Subject(caller bridge.Caller, run string) (bridge.Subject, bool)
	// Ask sends a question, or finds the run of the same question with the same key, and follows the run until done is called. The error
	// wraps bridge.ErrNoResponders, bridge.ErrTooManyRuns or one of Publisher's.
	Ask(ctx context.Context, q bridge.Question) (run bridge.Run, done func(), err error)
	// Follow follows a run until done is called. The error wraps bridge.ErrBusy, bridge.ErrClosed or bridge.ErrRefused.
	Follow(ctx context.Context, subject bridge.Subject, framing bridge.Framing, account bridge.Account) (run bridge.Run, done func(), err error)
	// Settle says that the asker of a run needs no more answers.
	Settle(subject bridge.Subject)
	// Stop asks the worker of a run to stop.
	Stop(ctx context.Context, subject bridge.Subject) error
	// Reply answers a query of the run's worker. The error wraps bridge.ErrNoQuery if nobody waits for that.
	Reply(ctx context.Context, subject bridge.Subject, id string, data []byte, account bridge.Account) error
}

// askTimeout is how long NATS may take to say what a run has so far, and to confirm the question.
const askTimeout = 10 * time.Second

// manner is how a POST that asks is answered.
type manner uint8

const (
	firstMessage manner = iota // by the first answer
	eventStream                // by the run's events
	location                   // by where the run can be read
)

// mannerOf returns how a client wants its answers.
func mannerOf(r *http.Request) manner {
	for preference := range strings.SplitSeq(strings.Join(r.Header.Values("Prefer"), ","), ",") {
		if name, _, _ := strings.Cut(preference, ";"); strings.EqualFold(strings.TrimSpace(name), respondAsync) {
			return location
		}
	}
	// A client that accepts anything wants the answer itself.
	if prefers(r, typeEvents, "text/plain") || prefers(r, typeLines, typeDocument) {
		return eventStream
	}
	return firstMessage
}

// respondAsync is the preference for location (RFC 7240, 4.1).
const respondAsync = "respond-async"

// ask answers POST on a route for questions.
func (a *API) ask(w http.ResponseWriter, r *http.Request, t target) error {
	p, err := a.readPost(r, &t)
	if err != nil {
		return err
	}
	how := mannerOf(r)
	if how == eventStream && !canFlush(w) {
		return errNoFlush
	}
	request, err := readRunRequest(r, p.query)
	if err != nil {
		return err
	}
	if how == firstMessage {
		request.framing = bridge.Framing{Format: bridge.Lines, Run: true}
	}
	if a.isDraining() {
		return errBusy // nothing was asked: the client can ask another bridge
	}
	if err := a.checkRate(w, r, p.caller); err != nil {
		return err
	}
	request.caller, request.resume.Account = p.caller, a.account(r, p.caller)
	held := a.admit(r)
	if held == nil {
		return errBusy
	}
	defer held.release()
	run, done, err := a.question(w, r, p, &request, &t.route)
	if err != nil {
		return err
	}
	held.also(done)
	path := mounted(r) + answersPath + run.Name
	if how == firstMessage {
		if err := a.first(w, r, run, path); err != nil {
			return err
		}
		a.stats.posts.Add(postAccepted)
		return nil
	}
	a.stats.posts.Add(postAccepted) // now, because the stream may last
	if how == location {
		w.Header().Set("Preference-Applied", respondAsync)
		return accepted(w, run, path)
	}
	w.Header().Set("Content-Location", path)
	return a.stream(w, r, run, &request, held)
}

// readRunRequest reads how a run's events are encoded, and where a client that comes again continues.
func readRunRequest(r *http.Request, query url.Values) (request request, err error) {
	if request.framing, err = readFraming(r, query, false); err != nil {
		return request, err
	}
	request.framing.Run = true
	if request.most, err = readMax(query); err != nil {
		return request, err
	}
	request.resume, err = readResume(r, query)
	return request, err
}

// question reads the body, and asks. Its memory is free when NATS has the question.
func (a *API) question(w http.ResponseWriter, r *http.Request, p post, request *request, route *bridge.Route) (run bridge.Run, done func(), err error) {
	body, free, err := a.readBody(w, r, p.caller)
	if err != nil {
		return run, nil, err
	}
	defer free()
	err = a.hand(r.Context(), askTimeout, func(ctx context.Context) (err error) {
		ctx, span := a.toNATS(ctx, "ask", p.subject, p.header, len(body))
		run, done, err = a.config.Runs.Ask(ctx, bridge.Question{
			Subject: p.subject, Caller: p.caller, Account: request.resume.Account, Key: p.key, Header: p.header, Data: body, Framing: request.framing,
			Silence: route.Silence(), Queries: route.Queries(),
		})
		span.End(err)
		return err
	})
	if errors.Is(err, bridge.ErrTooManyRuns) {
		a.exceeded(r, limitRuns, a.limitKey(r, p.caller))
	}
	return run, done, err
}

// stream answers with the events of a run.
func (a *API) stream(w http.ResponseWriter, r *http.Request, run bridge.Run, request *request, held *hold) (err error) {
	from := run.Begin
	if asked := request.resume; !run.IsNew && (len(asked.After) > 0 || asked.Malformed) {
		from.After, from.Malformed = asked.After, asked.Malformed
	}
	if !run.IsNew && run.State.IsOver(from.After) {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	if held.reader, err = a.config.Hub.Read([]bridge.Subject{run.Subject}, request.framing, from); err != nil {
		return a.turnAway(w, r, request.framing)
	}
	held.reader.Limit(request.most)
	a.streamHeaders(w, request.framing)
	a.connect(w, r, request.caller, held, nil)
	return nil
}

// mounted returns the path below which a program serves the API, as with http.StripPrefix; "" for the root.
func mounted(r *http.Request) string {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	prefix, isBelow := strings.CutSuffix(path, sentPath(r.URL))
	if !isBelow || !strings.HasPrefix(prefix, "/") || strings.HasPrefix(prefix, "//") {
		return ""
	}
	return prefix
}
