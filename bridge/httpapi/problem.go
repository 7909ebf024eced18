package httpapi

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// What requests can be refused for, besides the errors of package bridge.
var (
	errHost       = errors.New("this bridge is not called by that name; use the name it was set up for, or let the operator add it to TAILWATER_HTTP_HOSTS")
	errOrigin     = errors.New("pages of other origins may not use this bridge; the operator can add the origin to TAILWATER_HTTP_ORIGINS")
	errRoute      = errors.New("there is nothing here; subjects are at /events/<subject>")
	errSession    = errors.New("this bridge hands out neither tickets nor cookies; its operator can set TAILWATER_AUTH_TICKET_SECRET or TAILWATER_AUTH_COOKIE")
	errMethod     = errors.New("this method means nothing here; the Allow header lists those that do: GET reads, POST publishes")
	errQuery      = errors.New("the query cannot be used")
	errHeader     = errors.New("a header cannot be used")
	errIncomplete = errors.New("the body did not arrive; send it again")
	errText       = errors.New("the body is no text, although its Content-Type says so")
	errTooLarge   = errors.New("the body is too large")
	errNoBody     = errors.New("this request needs no body, and this one is larger than 4 KiB; send it without, or publish it with POST")
	errMemory     = errors.New("the bodies that are arriving take all the memory for them, or all that one caller may have; try again in a moment")
	errRate       = errors.New("you publish too fast; wait as long as Retry-After says, or let the operator raise TAILWATER_LIMIT_PUBLISH_RATE")
	errBusy       = errors.New("there are too many connections, or requests from where you are, or this bridge is stopping; try again in a moment")
)

func errBody(most int64) error {
	return fmt.Errorf("%w: at most %d bytes are allowed; put what is larger elsewhere and publish its address, or let the operator raise TAILWATER_LIMIT_BODY", errTooLarge, most)
}

func errSubjects(asked, most int) error {
	if asked == 0 {
		return fmt.Errorf("%w: name the subjects, as in /events?subject=chat.room1&subject=time.now", errQuery)
	}
	return fmt.Errorf("%w: %d subjects are too many for one connection; at most %d are allowed", errQuery, asked, most)
}

// problem is what RFC 9457 calls a problem details object.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

// errInternal is what a fault of this side is answered with.
var errInternal = problem{
	Type: problemBase + "internal", Title: "Internal error", Status: http.StatusInternalServerError,
	Detail: "something went wrong on this side; it has been logged",
}

// problemBase and the slug of a problem are its type: the address of its row in this package's README.
const problemBase = "https://github.com/tailwater/tailwater/blob/main/bridge/httpapi/README.md#"

// problems maps every error to its answer. The first that fits is taken.
var problems = []struct {
	is     error
	status int
	slug   string
	title  string
	detail string // instead of the error's own text, where that would tell a stranger too much
	retry  time.Duration
}{
	{is: errHost, status: http.StatusMisdirectedRequest, slug: "wrong-host", title: "Wrong host name"},
	{is: errOrigin, status: http.StatusForbidden, slug: "foreign-origin", title: "Foreign origin"},
	{is: errRoute, status: http.StatusNotFound, slug: "not-found", title: "Not found"},
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
		detail: errIncomplete.Error(), // the cause can name addresses behind a proxy
	},
	{is: errText, status: http.StatusBadRequest, slug: "bad-body", title: "Not text"},
	{is: bridge.ErrToken, status: http.StatusUnauthorized, slug: "unauthorized", title: "Not signed in"},
	{
		is: bridge.ErrNoVerdict, status: http.StatusServiceUnavailable, slug: "no-verdict", title: "Tokens cannot be checked now",
		detail: "this bridge cannot tell now whether the token is good; try again in a moment", retry: 2 * time.Second,
	},
	{is: bridge.ErrForbidden, status: http.StatusForbidden, slug: "forbidden", title: "Not allowed"},
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
		detail: "the message is larger than NATS or the stream that holds this subject allows, or its subject is longer; put the body elsewhere and publish its address",
	},
	{
		is: bridge.ErrSealed, status: http.StatusConflict, slug: "sealed", title: "The stream is sealed",
		detail: "the stream that holds this subject is sealed and takes no message any more; publish to another subject",
	},
	{
		is: bridge.ErrUnfit, status: http.StatusUnprocessableEntity, slug: "unfit", title: "Not for this stream",
		detail: "the stream that holds this subject does not take messages like this one, whenever they are sent; its operator finds the reason in the log, at level debug",
	},
	{
		is: bridge.ErrSubjectFull, status: http.StatusInsufficientStorage, slug: "subject-full", title: "The subject is full",
		detail: "the stream that holds this subject keeps a number of messages on it, and refuses more; its operator has to remove some, or let the stream keep more",
	},
	{
		is: bridge.ErrFull, status: http.StatusInsufficientStorage, slug: "full", title: "The stream is full",
		detail: "the stream that holds this subject takes no more messages; its operator has to make room",
	},
	{
		is: bridge.ErrKeyUsed, status: http.StatusUnprocessableEntity, slug: "key-used", title: "The key was used before",
		detail: "you have used this Idempotency-Key for another message, and this one is not stored; choose a new key for each message, such as a UUID",
	},
	{
		is: bridge.ErrRefused, status: http.StatusBadGateway, slug: "refused", title: "NATS refuses the subject",
		detail: "NATS does not let this bridge publish there; its operator has to allow it on the NATS server",
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

// writeProblem answers with the problem of an error.
func (a *API) writeProblem(w http.ResponseWriter, r *http.Request, err error) {
	answer := errInternal
	known := false
	for _, p := range problems {
		if known = errors.Is(err, p.is); !known {
			continue
		}
		answer = problem{problemBase + p.slug, p.title, p.status, err.Error()}
		if p.detail != "" {
			answer.Detail = p.detail
		}
		if p.retry > 0 {
			setRetryAfter(w, p.retry)
		}
		break
	}
	if answer.Status == http.StatusUnauthorized {
		a.challenge(w, r, err)
	}
	if errors.Is(err, bridge.ErrNoVerdict) {
		a.signIns.Do(func() { a.config.Log.Warn("cannot tell whether a token is good", "error", err) })
	}
	if known {
		a.config.Log.Debug("refused", "method", r.Method, "path", r.URL.Path, "status", answer.Status, "error", err)
	} else {
		a.config.Log.Error("cannot answer", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	a.stats.refuse(r.Method, answer.Status)
	writeJSON(w, answer.Status, "application/problem+json", answer)
}
