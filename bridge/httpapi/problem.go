package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// Reasons to refuse a request, beside the errors of package bridge.
var (
	errHost       = errors.New("this bridge does not answer to that host name; use its configured name, or ask the operator to add yours to TAILWATER_HTTP_HOSTS")
	errOrigin     = errors.New("pages of other origins may not use this bridge; the operator can add the origin to TAILWATER_HTTP_ORIGINS")
	errRoute      = errors.New("there is nothing here; subjects are at /events/<subject>")
	errSession    = errors.New("this bridge issues neither tickets nor cookies; its operator can set TAILWATER_AUTH_TICKET_SECRET or TAILWATER_AUTH_COOKIE")
	errMethod     = errors.New("this method is not supported here; the Allow header lists those that are: GET reads, POST publishes or asks")
	errQuery      = errors.New("the query cannot be used")
	errHeader     = errors.New("a header cannot be used")
	errIncomplete = errors.New("the body did not arrive; send it again")
	errText       = errors.New("the body is not text, although its Content-Type says so")
	errTooLarge   = errors.New("the body is too large")
	errNoBody     = errors.New("this request needs no body, and its body is larger than 4 KiB; send it without a body, or publish the body with POST")
	errMemory     = errors.New("arriving bodies use all their memory, or all that one caller may use; try again in a moment")
	errRate       = errors.New("you publish too fast; wait as long as Retry-After says, or ask the operator to raise TAILWATER_LIMIT_PUBLISH_RATE")
	errBusy       = errors.New("there are too many connections, or too many requests from your address, or this bridge is stopping; try again in a moment")
)

func errBody(most int64) error {
	return fmt.Errorf("%w: at most %d bytes are allowed; store a larger body elsewhere and publish its address, or ask the operator to raise TAILWATER_LIMIT_BODY", errTooLarge, most)
}

func errSubjects(asked, most int) error {
	if asked == 0 {
		return fmt.Errorf("%w: name the subjects, as in /events?subject=chat.room1&subject=time.now", errQuery)
	}
	return fmt.Errorf("%w: %d subjects are too many for one connection; at most %d are allowed", errQuery, asked, most)
}

// problem is a problem details object (RFC 9457).
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

// errInternal is the answer to a fault of this bridge.
var errInternal = problem{
	Type: problemBase + "internal", Title: "Internal error", Status: http.StatusInternalServerError,
	Detail: "something went wrong in the bridge; it has been logged",
}

// problemBase and the slug of a problem are its type: the address of its row in this package's README.
const problemBase = "https://github.com/tailwater/tailwater/blob/main/bridge/httpapi/README.md#"

// problems maps every error to its answer. The first match is used.
var problems = []struct {
	is     error
	status int
	slug   string
	title  string
	detail string // replaces an error text that would reveal too much
	retry  time.Duration
}{
	{is: errHost, status: http.StatusMisdirectedRequest, slug: "wrong-host", title: "Wrong host name"},
	{is: errOrigin, status: http.StatusForbidden, slug: "foreign-origin", title: "Foreign origin"},
	{is: errRoute, status: http.StatusNotFound, slug: "not-found", title: "Not found"},
	{is: errNoRun, status: http.StatusNotFound, slug: "not-found", title: "Not found"},
	{is: errSession, status: http.StatusNotFound, slug: "not-found", title: "Not found"},
	{is: errMethod, status: http.StatusMethodNotAllowed, slug: "method", title: "Method not allowed"},
	{is: bridge.ErrSubject, status: http.StatusBadRequest, slug: "bad-subject", title: "Not a subject"},
	{is: bridge.ErrID, status: http.StatusBadRequest, slug: "bad-id", title: "Not an event id"},
	{is: bridge.ErrEventName, status: http.StatusBadRequest, slug: "bad-event-name", title: "Not an event name"},
	{is: errQuery, status: http.StatusBadRequest, slug: "bad-query", title: "Bad query"},
	{is: errNoMembers, status: http.StatusNotFound, slug: "not-found", title: "Not found"}, // behind errQuery, which may wrap it
	{is: errHeader, status: http.StatusBadRequest, slug: "bad-header", title: "Bad header"},
	{
		is: errIncomplete, status: http.StatusBadRequest, slug: "incomplete-body", title: "Incomplete body",
		detail: errIncomplete.Error(), // the cause may name addresses behind a proxy
	},
	{is: errText, status: http.StatusBadRequest, slug: "bad-body", title: "Not text"},
	{is: bridge.ErrToken, status: http.StatusUnauthorized, slug: "unauthorized", title: "Not signed in"},
	{
		is: bridge.ErrNoVerdict, status: http.StatusServiceUnavailable, slug: "no-verdict", title: "Tokens cannot be checked now",
		detail: "this bridge cannot check the token now; try again in a moment", retry: 2 * time.Second,
	},
	{is: bridge.ErrForbidden, status: http.StatusForbidden, slug: "forbidden", title: "Not allowed"},
	{
		is: bridge.ErrNoResponders, status: http.StatusServiceUnavailable, slug: "no-responders", title: "Nobody answers",
		detail: "nobody listens to this question now; start the program that answers on this subject, or try again in a moment", retry: retryLater,
	},
	{
		is: bridge.ErrTooManyRuns, status: http.StatusTooManyRequests, slug: "too-many-runs", title: "Too many open questions",
		detail: "you have too many questions without a complete answer; wait for one, stop one with DELETE, or ask the operator to raise TAILWATER_LIMIT_RUNS", retry: retryLater,
	},
	{
		is: bridge.ErrNoQuery, status: http.StatusConflict, slug: "no-query", title: "Nobody waits for this",
		detail: "nobody waits for an answer to this query: the run has no such query, or has ended, or somebody has answered",
	},
	{is: errSilent, status: http.StatusGatewayTimeout, slug: "silent", title: "No answer in time"},
	{is: errWorker, status: http.StatusBadGateway, slug: "worker-failed", title: "The worker reports an error"},
	{is: errRate, status: http.StatusTooManyRequests, slug: "too-fast", title: "Too many messages"},
	{
		is: bridge.ErrBusy, status: http.StatusServiceUnavailable, slug: "busy", title: "Too much at once",
		detail: errBusy.Error(), retry: retryLater,
	},
	{is: errBusy, status: http.StatusServiceUnavailable, slug: "busy", title: "Too much at once", retry: retryLater},
	{is: errMemory, status: http.StatusServiceUnavailable, slug: "busy", title: "Too much at once", retry: retryLater},
	{is: errNoBody, status: http.StatusRequestEntityTooLarge, slug: "too-large", title: "Body too large"},
	{is: errTooLarge, status: http.StatusRequestEntityTooLarge, slug: "too-large", title: "Body too large"},
	{
		is: bridge.ErrTooLarge, status: http.StatusRequestEntityTooLarge, slug: "too-large", title: "Body too large",
		detail: "the message is larger than NATS or the stream that holds this subject allows, or its subject is too long; store the body elsewhere and publish its address",
	},
	{
		is: bridge.ErrSealed, status: http.StatusConflict, slug: "sealed", title: "The stream is sealed",
		detail: "the stream that holds this subject is sealed and accepts no more messages; publish to another subject",
	},
	{
		is: bridge.ErrUnfit, status: http.StatusUnprocessableEntity, slug: "unfit", title: "Not for this stream",
		detail: "the stream that holds this subject never accepts messages like this one; the operator finds the reason in the log, at level debug",
	},
	{
		is: bridge.ErrSubjectFull, status: http.StatusInsufficientStorage, slug: "subject-full", title: "The subject is full",
		detail: "the stream that holds this subject has reached its limit of messages on the subject, and refuses more; the operator has to remove some, or raise the limit",
	},
	{
		is: bridge.ErrFull, status: http.StatusInsufficientStorage, slug: "full", title: "The stream is full",
		detail: "the stream that holds this subject is full; the operator has to make room",
	},
	{
		is: bridge.ErrKeyUsed, status: http.StatusUnprocessableEntity, slug: "key-used", title: "The key was used before",
		detail: "you have used this Idempotency-Key for another message, so this message is not stored; use a new key for each message, such as a UUID",
	},
	{
		is: bridge.ErrRefused, status: http.StatusBadGateway, slug: "refused", title: "NATS refuses the subject",
		detail: "NATS does not allow this bridge to read or publish there; its operator has to allow it on the NATS server: tailwater check names what is missing",
	},
	{
		is: bridge.ErrBroken, status: http.StatusServiceUnavailable, slug: "store-broken", title: "NATS cannot store messages",
		detail: "the NATS server cannot store messages now; its operator finds the reason in its log, and if it is embedded in this bridge at /readyz of ADMIN_LISTEN. Try again in a moment: a message with an Idempotency-Key is stored once, however often it is sent", retry: 2 * time.Second,
	},
	{
		is: bridge.ErrUnavailable, status: http.StatusServiceUnavailable, slug: "unavailable", title: "NATS is not reachable",
		detail: "NATS did not answer in time; try again in a moment. A message with an Idempotency-Key is stored once, however often it is sent", retry: 2 * time.Second,
	},
}

// setRetryAfter asks a client to wait so long, in whole seconds.
func setRetryAfter(w http.ResponseWriter, wait time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
}

// answerOf is the problem of an error.
type answerOf struct {
	problem
	retry   time.Duration
	isKnown bool // not a bug
}

// problemOf returns how an error is answered.
func problemOf(err error) answerOf {
	for _, p := range problems {
		if !errors.Is(err, p.is) {
			continue
		}
		answer := problem{problemBase + p.slug, p.title, p.status, err.Error()}
		if p.detail != "" {
			answer.Detail = p.detail
		}
		return answerOf{answer, p.retry, true}
	}
	return answerOf{problem: errInternal}
}

// writeProblem answers with the problem of an error, and returns its status.
func (a *API) writeProblem(w http.ResponseWriter, r *http.Request, err error) (status int) {
	answer := problemOf(err)
	if answer.retry > 0 {
		setRetryAfter(w, answer.retry)
	}
	if answer.Status == http.StatusUnauthorized {
		a.challenge(w, r, err)
	}
	if errors.Is(err, bridge.ErrNoVerdict) {
		a.signIns.Do(func() { a.config.Log.Warn("a token cannot be checked", "error", err) })
	}
	if answer.isKnown {
		a.config.Log.Debug("refused", "method", r.Method, "path", r.URL.Path, "status", answer.Status, "error", err)
	} else {
		a.config.Log.Error("cannot answer", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	a.stats.refuse(r.Method, answer.Status)
	writeJSON(w, answer.Status, "application/problem+json", answer.problem)
	return answer.Status
}

// retryLater is how long a refused client is asked to wait, give or take half.
const retryLater = 5 * time.Second

// writeJSON answers with a value that can always be encoded. A failure is a bug, not an answer without a body.
func writeJSON(w http.ResponseWriter, status int, contentType string, value any) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // the type is JSON, not HTML, and people read it
	if err := encoder.Encode(value); err != nil {
		panic(fmt.Errorf("encode an answer: %w", err))
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // there is nothing to do if the client is gone
}
