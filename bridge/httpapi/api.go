package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/tailwater/tailwater/bridge"
)

// Config says what an API serves.
type Config struct {
	Hub       *bridge.Hub
	Outlet    Outlet
	Publisher Publisher
	Store     Store

	Routes    []bridge.Route // beside bridge.Events
	Anonymous bridge.Grant   // what everyone may do
	Auth      Auth           // who callers are; nil: all are anonymous, and their tokens are not looked at
	// Caller says who sent a request, in place of Auth; nil where Auth does. An error that wraps none of bridge's means that the caller is
	// not signed in, and goes to the log alone.
	Caller func(*http.Request) (bridge.Caller, error)
	Cookie string // the cookie that a ticket may come in, or a token; empty for none
	Access Access
	Places Places // nil for any number
	// Presence keeps who is on which subject; nil for nobody.
	Presence Presence
	Limits   Limits
	Proxies  []netip.Prefix // whose X-Forwarded-For and X-Forwarded-Proto are believed

	// Parting is how long a connection that is turned away stays open after it was told so, until it breaks off: as the outlet's.
	Parting time.Duration

	// Pages gives what serves a path that is no route, nil for none. May be nil.
	Pages func(path string) http.Handler
	Log   *slog.Logger
}

// Outlet writes a connection until it ends, which may be after Serve has returned: then it closes the reader, and calls
// terms.Ended. The headers are set, the status is not yet written.
type Outlet interface {
	Serve(w http.ResponseWriter, r *http.Request, reader *bridge.Reader, terms bridge.Terms)
	// Poll writes an answer that ends where the reader is done, and closes the reader. An error means that nothing was written; it
	// wraps bridge.ErrUnavailable or bridge.ErrBusy.
	Poll(w http.ResponseWriter, r *http.Request, reader *bridge.Reader) error
}

// Auth tells who sent a token. The errors wrap bridge.ErrToken, and say what is wrong with it, or bridge.ErrNoVerdict.
type Auth interface {
	// Token gives the caller whom a token names.
	Token(ctx context.Context, token string) (bridge.Caller, error)
	// Ticket is Token for what Seal made of a token.
	Ticket(ctx context.Context, ticket string) (bridge.Caller, error)
	// Seal makes a ticket, which may stand in a cookie, and where there are Tickets in a URL, of a token that was found good.
	Seal(token string) (ticket string)
	// Seals tells whether there is a secret to seal with.
	Seals() bool
	// Tickets tells whether tickets may be given to pages.
	Tickets() bool
	// Revoked tells whether the caller's token is good no more, although it was before.
	Revoked(bridge.Caller) bool
}

// Publisher sends a message to NATS. The error wraps bridge.ErrTooLarge, bridge.ErrFull, bridge.ErrSubjectFull, bridge.ErrSealed,
// bridge.ErrUnfit, bridge.ErrKeyUsed, bridge.ErrRefused or bridge.ErrUnavailable.
type Publisher interface {
	Publish(ctx context.Context, subject bridge.Subject, header map[string][]string, data []byte) (bridge.Receipt, error)
}

// Store tells what is stored.
type Store interface {
	// Extent wraps bridge.ErrUnavailable in its error.
	bridge.Store
}

// Limits bound what one process, and one request, may take.
type Limits struct {
	Publishes float64 // POSTs a second of one caller, who may save up for five seconds; 0 for any number
	Body      int64   // bytes that a POST may carry
	Memory    int64   // bytes that bodies may hold together, four times Body at least; 0 for 128 MiB
	Subjects  int     // that one connection may read
	Reads     float64 // GETs and HEADs a second of one address, which may save up for five seconds; 0 for any number
}

// API is the http.Handler.
type API struct {
	config   Config
	routes   []bridge.Route // the most specific first
	guarded  http.Handler
	rates    *rates       // of POSTs; nil for no limit
	reads    *rates       // of GETs and HEADs; nil for no limit
	drained  atomic.Int64 // when the drain ends, in ns of Unix time; 0 before Drain
	finished atomic.Bool
	stats    counters
	ledger   *bridge.Ledger // of what bodies hold
	parting  chan struct{}  // holds one for each that has been turned away, and is given time to read why
	signIns  rate.Sometimes // that failed, in the log
	logs     rate.Sometimes // of what exceeds a limit
	panics   rate.Sometimes // in the log

	working sync.RWMutex // held for reading while a request waits for what the API stands on
}

// New gives an API.
func New(config Config) *API {
	a := &API{
		config:  config,
		routes:  append([]bridge.Route{bridge.Events}, config.Routes...),
		parting: make(chan struct{}, mostParting),
		rates:   newRates(config.Limits.Publishes),
		ledger:  newLedger(config.Limits),
		reads:   newRates(config.Limits.Reads),
		signIns: rate.Sometimes{First: 3, Interval: 10 * time.Second},
		logs:    rate.Sometimes{First: 3, Interval: 10 * time.Second},
		panics:  rate.Sometimes{First: 3, Interval: 10 * time.Second},
	}
	a.guarded = a.Guard(http.HandlerFunc(a.answer))
	bridge.SortRoutes(a.routes)
	a.config.Access.proxies = config.Proxies
	return a
}

// Drain makes every GET from now on end at once, with the advice to come back after the drain has ended: to a browser any status
// but 200 would be final. POSTs are still served.
func (a *API) Drain(end time.Time) { a.drained.Store(end.UnixNano()) }

func (a *API) draining() bool { return a.drained.Load() != 0 }

// Finish ends the use of what the API stands on: hub, outlet, publisher, store and auth may be closed when it returns. It waits for
// the messages that are on their way to NATS, but not for bodies that are still arriving. From then on each request is asked to come
// back: a GET by the answer of Drain, which must have been called before, any other by 503.
func (a *API) Finish() {
	a.finished.Store(true)
	a.working.Lock() // until those that began before have ended
	defer a.working.Unlock()
}

// begin tells whether a request may use what the API stands on; then it calls end.
func (a *API) begin() (end func(), ok bool) {
	a.working.RLock()
	if a.finished.Load() {
		a.working.RUnlock()
		return nil, false
	}
	return a.working.RUnlock, true
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.guarded.ServeHTTP(w, r) }

func (a *API) answer(w http.ResponseWriter, r *http.Request) {
	if err := a.serve(w, r); err != nil {
		a.writeProblem(w, r, err)
	}
}

// serve checks and answers a request. Where it gives an error, nothing has been written.
func (a *API) serve(w http.ResponseWriter, r *http.Request) error {
	header := w.Header()
	timeBody(w, r)
	if err := a.config.Access.check(r, header, a.isLinkable); err != nil {
		return err
	}
	if !hasBody(r) {
		if err := passBody(w, r); err != nil {
			return err
		}
	}
	if a.finished.Load() {
		return a.late(w, r)
	}
	if sentPath(r.URL) == sessionPath {
		return a.session(w, r)
	}
	target, found := a.find(r)
	if !found {
		return a.page(w, r)
	}
	if target.members {
		header.Set("Allow", "GET, OPTIONS")
		if r.Method != http.MethodGet && r.Method != http.MethodOptions {
			return errMethod
		}
	}
	switch r.Method {
	case http.MethodGet:
		return a.subscribe(w, r, target)
	case http.MethodHead:
		return a.head(w, r, target)
	case http.MethodPost:
		return a.publish(w, r, target)
	case http.MethodOptions:
		a.options(w, r)
		return nil
	default:
		header.Set("Allow", methods)
		return errMethod
	}
}

// late answers a request that comes when there is nothing left to serve it.
func (a *API) late(w http.ResponseWriter, r *http.Request) error {
	t, found := a.find(r)
	switch {
	case r.Method == http.MethodOptions:
		a.options(w, r)
		return nil
	case r.Method != http.MethodGet || r.URL.Query().Has("poll") || isDocument(r, &t, r.URL.Query()):
		return errBusy
	case !found:
		return a.page(w, r)
	}
	framing := bridge.Framing{} // of which the format JSON differs in nothing here
	if acceptsLines(r) {
		framing.Format = bridge.Lines
	}
	a.turnAway(w, r, framing)
	return nil
}

const methods = "GET, HEAD, POST, OPTIONS"

func (a *API) page(w http.ResponseWriter, r *http.Request) error {
	var page http.Handler
	if a.config.Pages != nil {
		page = a.config.Pages(r.URL.Path)
	}
	switch {
	case page == nil:
		return errRoute
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		return errMethod
	}
	if err := refuseTokens(r.URL.Query()); err != nil {
		return err
	}
	page.ServeHTTP(w, r)
	return nil
}

// target is what a request's path and query name: subjects, or the error of their grammar.
type target struct {
	subjects []bridge.Subject
	route    bridge.Route // the zero value where the query names the subjects
	named    bool         // by the path below /events
	members  bool         // only who reads the subject is asked for
	err      error
}

// find gives the target of the request, and whether its path is one that the API serves.
func (a *API) find(r *http.Request) (target, bool) {
	path := sentPath(r.URL)
	if path == "/events" {
		return a.several(r), true
	}
	for _, route := range a.routes {
		if subject, fits, err := route.Resolve(path); fits {
			return target{subjects: []bridge.Subject{subject}, route: route, named: route.IsEvents(), err: err}, true
		}
	}
	return a.presenceTarget(path)
}

// sentPath gives a path as it was sent. EscapedPath does not where the path holds a character that should have been
// escaped, such as > or é: it then escapes the decoded path anew, and an encoded slash comes out as a plain one.
func sentPath(u *url.URL) string {
	if decoded, err := url.PathUnescape(u.RawPath); u.RawPath != "" && err == nil && decoded == u.Path {
		return u.RawPath
	}
	return u.EscapedPath()
}

// several reads /events?subject=a&subject=b.
func (a *API) several(r *http.Request) target {
	query, err := parseQuery(r)
	if err != nil {
		return target{err: err}
	}
	values := query["subject"]
	if len(values) == 0 || len(values) > a.config.Limits.Subjects {
		return target{err: errSubjects(len(values), a.config.Limits.Subjects)}
	}
	t := target{}
	for _, value := range values {
		subject, err := bridge.ParseSubject(value)
		if err != nil {
			return target{err: err}
		}
		t.subjects = append(t.subjects, subject)
	}
	return t
}

// options answers which methods there are, and a browser's preflight request where the origin may make one.
func (a *API) options(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	if header.Get("Allow") == "" {
		header.Set("Allow", methods)
	}
	header.Add("Vary", requestHeaders)
	if header.Get("Access-Control-Allow-Origin") != "" {
		header.Set("Access-Control-Allow-Methods", header.Get("Allow"))
		header.Set("Access-Control-Allow-Headers", allowedHeaders(r))
		header.Set("Access-Control-Max-Age", "600")
	}
	w.WriteHeader(http.StatusNoContent)
}

// mayBeMany tells whether a connection can carry more than one subject.
func mayBeMany(subjects []bridge.Subject) bool {
	return len(subjects) > 1 || slices.ContainsFunc(subjects, bridge.Subject.Wild)
}

// retryLater is how long a client that cannot be served now is asked to wait, give or take half.
const retryLater = 5 * time.Second
