package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// subscribe answers GET.
func (a *API) subscribe(w http.ResponseWriter, r *http.Request, t target) error {
	request, err := a.readRequest(r, &t)
	if errors.Is(err, bridge.ErrNoVerdict) && !request.isOnce() {
		return a.turnAway(w, r, request.framing) // a temporary condition; any status but 200 would be final
	}
	if err != nil {
		return err
	}
	held := a.admit(r)
	if held == nil {
		if request.isOnce() {
			return errBusy
		}
		return a.turnAway(w, r, request.framing)
	}
	defer held.release()
	if request.isOnce() {
		if request.isDocument {
			return a.memberList(w, r, &t, &request)
		}
		return a.poll(w, r, t, request)
	}
	a.awaitEnd(r.Context(), t, &request)
	if held.reader, err = a.config.Hub.Read(t.reading(request.members), request.framing, request.resume); err != nil {
		// The account waits for too much already, or the hub is closed because the bridge stops. A client must not take either for the end of
		// the stream.
		return a.turnAway(w, r, request.framing)
	}
	held.reader.Limit(request.most)
	a.streamHeaders(w, request.framing)
	a.awaitBeginning(r, held.reader, &request)
	leave := a.join(&t, &request)
	a.connect(w, r, request.caller, held, leave)
	return nil
}

// awaitEnd finds where the replay ends that a connection asks for. If the store does not say so in time, it ends where what has arrived ends.
func (a *API) awaitEnd(ctx context.Context, t target, request *request) {
	if t.members || len(request.resume.After) > 0 || !request.resume.Since.IsStored() || !a.config.Publisher.IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, beginPatience)
	defer cancel()
	_ = a.findEnd(ctx, t, request) // as above
}

// beginPatience is how long headers wait for NATS.
const beginPatience = 2 * time.Second

// awaitBeginning holds back the headers of a connection until it is known where it begins, if NATS says so in time: a client that has them
// misses nothing that is published from then on. While NATS is away, and for a client that brings its position, there is nothing to wait for.
func (a *API) awaitBeginning(r *http.Request, reader *bridge.Reader, request *request) {
	if len(request.resume.After) > 0 || !a.config.Publisher.IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), beginPatience)
	defer cancel()
	reader.Await(ctx)
}

// connect hands a connection to the outlet. When the connection ends, so does what it holds, and leave is called unless it is nil.
func (a *API) connect(w http.ResponseWriter, r *http.Request, caller bridge.Caller, held *hold, leave func(isDead bool)) {
	reader, end := held.reader, held.end
	*held = hold{}
	lifetime := bridge.Lifetime{Caller: caller.Name, Address: a.client(r), Until: caller.Until, Ended: func(bool) { end() }}
	if leave != nil {
		lifetime.Ended = func(isDead bool) {
			leave(isDead)
			end()
		}
	}
	if a.config.Auth != nil && !caller.Anonymous() {
		name, token, auth := caller.Name, caller.Token, a.config.Auth // so that the rest can be collected
		lifetime.Revoked = func() bool { return auth.Revoked(bridge.Caller{Name: name, Token: token}) }
	}
	a.config.Outlet.Serve(w, r, reader, lifetime)
}

// Headers of HEAD: the position after everything that is stored on the subjects, and the sequences of the oldest and the newest message.
const (
	headerLastID   = "Tailwater-Last-Id"
	headerFirstSeq = "Tailwater-First-Seq"
	headerLastSeq  = "Tailwater-Last-Seq"
)

// head answers like GET, without events, and adds what is stored.
func (a *API) head(w http.ResponseWriter, r *http.Request, t target) error {
	request, err := a.readRequest(r, &t)
	if err != nil {
		return err
	}
	held := a.admit(r)
	if held == nil {
		return errBusy
	}
	defer held.release()
	var extent bridge.Extent
	if err := a.lookUp(r.Context(), func(ctx context.Context) (err error) {
		extent, err = a.config.Hub.Extent(ctx, a.config.Store, t.subjects, request.resume.Account)
		return err
	}); err != nil {
		return err
	}
	header := w.Header()
	if len(extent.Last) > 0 {
		header.Set(headerLastID, extent.Last.String())
	}
	if extent.LastSeq > 0 {
		header.Set(headerFirstSeq, strconv.FormatUint(extent.FirstSeq, 10))
		header.Set(headerLastSeq, strconv.FormatUint(extent.LastSeq, 10))
	}
	a.streamHeaders(w, request.framing)
	w.WriteHeader(http.StatusOK)
	return nil
}

// turnAway ends a connection before it began, and asks the client to come back. If possible, the response breaks off, by a panic that
// net/http understands: a clean end would end clients built on fetch for good. It returns no error.
func (a *API) turnAway(w http.ResponseWriter, r *http.Request, framing bridge.Framing) error {
	a.stats.turnedAway.Add(1)
	a.streamHeaders(w, framing)
	reason, retry := bridge.CloseBusy, bridge.Spread(retryLater)
	if end := a.drainEnd.Load(); end != 0 {
		left := time.Until(time.Unix(0, end))
		pause := max(retryLater, min(left/2, 2*retryLater)) // it was asked before, so it comes back halfway through the rest
		reason, retry = bridge.CloseDrain, bridge.ReturnTo(left, pause, retryLater)
	}
	// A client that is gone by now needs no answer.
	_, _ = w.Write(append(framing.Preamble(), framing.Close(reason, retry)...))
	_ = http.NewResponseController(w).Flush()
	if r.ProtoAtLeast(1, 1) {
		a.sayGoodbye(r.Context())
		panic(http.ErrAbortHandler)
	}
	return nil
}

// sayGoodbye waits until a refused client has read the answer (see Config.CloseDelay). The number of such waits is limited, because refused clients
// must not cost what the limit of connections saves.
func (a *API) sayGoodbye(ctx context.Context) {
	select {
	case a.closing <- struct{}{}:
		defer func() { <-a.closing }()
	default:
		return
	}
	a.config.Places.Told(ctx)
	select {
	case <-time.After(a.config.CloseDelay):
	case <-ctx.Done():
	}
}

// mostClosing is how many refused clients are waited for at once.
const mostClosing = 1024

// streamHeaders sets the headers of a connection. They ask proxies not to buffer, compress or store it. The TCP connection ends with the
// response, but the headers do not say so: with "Connection: close", Node's fetch would not notice a missing last chunk.
func (a *API) streamHeaders(w http.ResponseWriter, framing bridge.Framing) {
	header := w.Header()
	header.Set("Content-Type", framing.ContentType())
	header.Set("Cache-Control", "no-store, no-transform")
	header.Set("X-Accel-Buffering", "no")
	header.Add("Vary", "Accept")
}

// request is what a GET asks for, beside its subjects.
type request struct {
	framing bridge.Framing
	resume  bridge.Resume
	caller  bridge.Caller
	poll    int // the number of messages to return; 0 for a connection that stays
	most    int // the size of the largest event in bytes; 0 for no limit
	members membership

	isDocument bool // who is there now, as JSON
}

// isOnce reports whether an answer has an end, so that it can have any status.
func (r *request) isOnce() bool { return r.poll > 0 || r.isDocument }

// readRequest checks a GET, in the order that the package promises, and puts the caller's claims into the target. Unless the grammar is
// invalid, the returned request is valid, whatever the error.
func (a *API) readRequest(r *http.Request, t *target) (request, error) {
	if t.err != nil {
		return request{}, t.err
	}
	query, err := t.query(r)
	if err != nil {
		return request{}, err
	}
	framing, err := readFraming(r, query, mayBeMany(t.subjects))
	if err != nil {
		return request{}, err
	}
	members, err := readMembership(query, t)
	if err != nil {
		return request{}, err
	}
	framing.Presence = members.isTold
	resume, err := readResume(r, query)
	if err != nil {
		return request{}, err
	}
	poll, err := readPoll(query)
	if err != nil {
		return request{}, err
	}
	if err := readUntil(query, poll, members, &resume); err != nil {
		return request{}, err
	}
	most, err := readMax(query)
	if err != nil {
		return request{}, err
	}
	if poll > 0 {
		framing.Format = bridge.Lines
		resume.Sync = true // a poll ends, wherever it begins
		if query.Get("since") == "" && resume.Since.Kind != bridge.SinceUntil {
			resume.Since.Kind = bridge.SinceAll
		}
	}
	caller, err := a.caller(r, query)
	resume.Account = a.account(r, caller)
	if err == nil {
		err = a.maySubscribe(t, caller)
	}
	if err == nil {
		err = a.checkMembers(t, members)
	}
	return request{framing, resume, caller, poll, most, members, isDocument(r, t, query)}, err
}

// maySubscribe checks whether a caller may read the target, and puts the caller's claims into it.
func (a *API) maySubscribe(t *target, caller bridge.Caller) error {
	grant := a.grant(caller)
	for i, resolved := range t.subjects {
		subject, err := t.route.Claim(resolved, caller)
		if err != nil {
			return err
		}
		if err := grant.CheckRoute(t.route, subject); err != nil {
			return a.explain(err, subject)
		}
		t.subjects[i] = subject
	}
	return nil
}

// readResume reads the position of the client: from the header, which a reconnecting EventSource sends although its URL is unchanged, otherwise
// from the URL.
func readResume(r *http.Request, query url.Values) (bridge.Resume, error) {
	var resume bridge.Resume
	var err error
	if resume.Since, err = parseSince(query.Get("since"), time.Now()); err != nil {
		return resume, err
	}
	if id := query.Get("lastEventId"); id != "" {
		position, err := bridge.ParseID(id)
		if err != nil {
			return resume, fmt.Errorf("lastEventId: %w", err)
		}
		resume.After = position
	}
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		position, err := bridge.ParseID(id)
		resume.After, resume.Malformed = position, err != nil
	}
	return resume, nil
}
