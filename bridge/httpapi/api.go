package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/tailwater/tailwater/bridge"
)

// Config configures an API.
type Config struct {
	Hub       *bridge.Hub
	Outlet    Outlet
	Publisher Publisher
	Store     bridge.Store // whose errors wrap bridge.ErrUnavailable

	Routes []bridge.Route // in addition to bridge.Events
	Anyone bridge.Grant   // permissions of every caller
	Auth   Auth           // identifies callers; if nil, all callers are anonymous, and tokens are ignored
	// Caller identifies callers instead of Auth; nil if Auth does. An error that wraps none of bridge's errors means that the caller is
	// not signed in. It is only logged.
	Caller func(*http.Request) (bridge.Caller, error)
	Cookie string // name of the cookie that may hold a ticket or a token; empty for none
	Access Access
	Places Places
	// Presence keeps the members of subjects; nil for none.
	Presence Presence
	// Runs asks questions, and follows runs; nil for neither. Nobody else may read or publish on the subjects of runs.
	Runs    Runs
	Limits  Limits
	Tracer  bridge.Tracer  // of POSTs; nil for none
	Posts   Observer       // receives how long each POST took that publishes, until its answer; nil for none
	Proxies []netip.Prefix // whose X-Forwarded-For and X-Forwarded-Proto are trusted

	// CloseDelay is how long the connection of a refused client stays open after the answer, before it is broken off; as in the outlet.
	CloseDelay time.Duration

	// Pages returns the handler of a path that is not a route, or nil. May be nil.
	Pages func(path string) http.Handler
	Log   *slog.Logger
}

// Observer receives durations in seconds.
type Observer interface{ Observe(seconds float64) }

// Outlet writes a connection until it ends. That may be after Serve has returned. Then the outlet closes the reader, and calls lifetime.Ended.
// When Serve is called, the headers are set, and the status is not yet written.
type Outlet interface {
	Serve(w http.ResponseWriter, r *http.Request, reader *bridge.Reader, lifetime bridge.Lifetime)
	// Poll writes an answer that ends when the reader is done, and closes the reader. An error means that nothing was written; it wraps
	// bridge.ErrUnavailable or bridge.ErrBusy.
	Poll(w http.ResponseWriter, r *http.Request, reader *bridge.Reader) error
}

// Auth identifies the sender of a token. Errors wrap bridge.ErrToken, with the reason, or bridge.ErrNoVerdict.
type Auth interface {
	// Token returns the caller that a token names.
	Token(ctx context.Context, token string) (bridge.Caller, error)
	// Ticket is Token for a ticket made by Seal.
	Ticket(ctx context.Context, ticket string) (bridge.Caller, error)
	// Seal makes a ticket from a valid token. A cookie may hold the ticket, and if Tickets is true, so may a URL.
	Seal(token string) (ticket string)
	// Seals reports whether there is a secret to seal with.
	Seals() bool
	// Tickets reports whether pages may get tickets.
	Tickets() bool
	// Revoked reports whether the caller's token has been revoked since it was accepted.
	Revoked(bridge.Caller) bool
}

// Publisher sends a message to NATS. The error wraps bridge.ErrTooLarge, bridge.ErrFull, bridge.ErrSubjectFull, bridge.ErrSealed,
// bridge.ErrUnfit, bridge.ErrKeyUsed, bridge.ErrRefused or bridge.ErrUnavailable.
type Publisher interface {
	Publish(ctx context.Context, subject bridge.Subject, header map[string][]string, data []byte) (bridge.Receipt, error)
	// IsConnected reports whether there is a connection to NATS.
	IsConnected() bool
}

// Limits bound what one process, and one request, may use.
type Limits struct {
	Publishes float64 // POSTs per second of one caller, with bursts of five seconds' worth; 0 for no limit
	Body      int64   // bytes of a POST
	Memory    int64   // bytes of all bodies together, at least four times Body
	Subjects  int     // that one connection may read
	Reads     float64 // GETs and HEADs per second of one address, with bursts of five seconds' worth; 0 for no limit
}

// API is the http.Handler.
type API struct {
	config   Config
	routes   []bridge.Route // the most specific first
	guarded  http.Handler
	rates    *rates        // of POSTs; nil for no limit
	reads    *rates        // of GETs and HEADs; nil for no limit
	drainEnd atomic.Int64  // end of the drain, in ns of Unix time; 0 before Drain
	draining chan struct{} // closed by Drain
	stats    counters
	traffic  traffic
	budget   *bridge.Budget // memory of bodies
	closing  chan struct{}  // one value for each refused client that gets time to read the reason
	signIns  rate.Sometimes // log lines about failed sign-ins
	logs     rate.Sometimes // log lines about exceeded limits
	panics   rate.Sometimes // log lines about panics

	working sync.RWMutex    // held for reading while a request uses publisher, store or runs
	serving context.Context // until Finish
	finish  context.CancelFunc
}

// New returns an API.
func New(config Config) *API {
	a := &API{
		config:   config,
		routes:   append([]bridge.Route{bridge.Events}, config.Routes...),
		draining: make(chan struct{}),
		closing:  make(chan struct{}, mostClosing),
		stats:    newCounters(),
		rates:    newRates(config.Limits.Publishes),
		budget:   newBudget(config.Limits),
		reads:    newRates(config.Limits.Reads),
		signIns:  rate.Sometimes{First: 3, Interval: 10 * time.Second},
		logs:     rate.Sometimes{First: 3, Interval: 10 * time.Second},
		panics:   rate.Sometimes{First: 3, Interval: 10 * time.Second},
	}
	a.serving, a.finish = context.WithCancel(context.Background())
	if config.Runs != nil {
		own := config.Runs.Filter()
		a.config.Anyone.DenySubscribe = append(slices.Clone(config.Anyone.DenySubscribe), own)
		a.config.Anyone.DenyPublish = append(slices.Clone(config.Anyone.DenyPublish), own)
	}
	a.guarded = a.Guard(http.HandlerFunc(a.answer))
	bridge.SortRoutes(a.routes)
	a.traffic = newTraffic(a.routes)
	a.config.Access.proxies = config.Proxies
	return a
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.guarded.ServeHTTP(w, r) }

func (a *API) answer(w http.ResponseWriter, r *http.Request) {
	target, found := a.find(r)
	count := a.traffic[routeOther]
	if found {
		count = a.traffic.of(&target)
	}
	count.count(r.Method) // also if it is refused, so that problems are a part of requests
	if err := a.serve(w, r, target, found); err != nil {
		count.refuse(r.Method, a.writeProblem(w, r, err))
	}
}

// serve checks and answers a request for a target, if its path has one. If it returns an error, nothing has been written.
func (a *API) serve(w http.ResponseWriter, r *http.Request, target target, found bool) error {
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
	switch {
	case !found:
		return a.page(w, r)
	case target.isSession && !a.hasSessions():
		return errSession
	}
	allowed := a.methods(&target)
	if isAllowed := slices.Contains(allowed, r.Method); !isAllowed || r.Method == http.MethodOptions {
		header.Set("Allow", strings.Join(allowed, ", "))
		if !isAllowed {
			return errMethod
		}
		options(w, r)
		return nil
	}
	switch {
	case r.Method == http.MethodGet && !canFlush(w):
		return errNoFlush
	case target.isSession && r.Method == http.MethodPost:
		return a.signIn(w, r)
	case target.isSession:
		return a.signOut(w, r)
	case target.isRun && r.Method == http.MethodPost:
		return a.reply(w, r, target)
	case target.isRun && r.Method == http.MethodDelete:
		return a.stopRun(w, r, target)
	case target.isRun:
		return a.readRun(w, r, target)
	case target.route.Asks():
		return a.traced(w, r, target, a.ask)
	case r.Method == http.MethodPost:
		defer a.timePost(time.Now())
		return a.traced(w, r, target, a.publish)
	case r.Method == http.MethodHead:
		return a.head(w, r, target)
	}
	return a.subscribe(w, r, target)
}

// methods returns the methods of a target.
func (a *API) methods(t *target) []string {
	switch {
	case t.isSession:
		return []string{http.MethodPost, http.MethodDelete, http.MethodOptions}
	case t.isRun && slices.ContainsFunc(a.routes, bridge.Route.Queries): // there are runs in which whoever answers may query the asker
		return []string{http.MethodGet, http.MethodPost, http.MethodDelete, http.MethodOptions}
	case t.isRun:
		return []string{http.MethodGet, http.MethodDelete, http.MethodOptions}
	case t.route.Asks():
		return []string{http.MethodPost, http.MethodOptions}
	case t.members:
		return []string{http.MethodGet, http.MethodOptions}
	}
	return []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodOptions}
}

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
	if err := checkSize(r.URL.RawQuery); err != nil {
		return err
	}
	if err := refuseTokens(r.URL.Query()); err != nil {
		return err
	}
	page.ServeHTTP(w, r)
	return nil
}

// isLinkable reports whether a link from another site may lead to a request's URL: to a page, or to nothing, but not to a subject.
func (a *API) isLinkable(r *http.Request) bool {
	_, found := a.find(r)
	return !found
}

// target is the subjects that a request's path and query name, or the error in their grammar.
type target struct {
	subjects  []bridge.Subject
	route     bridge.Route // the zero value if the query names the subjects
	named     bool         // the path below /events names the subject
	members   bool         // the request asks for the members of the subject only
	isSession bool         // the path is sessionPath
	isRun     bool         // the path names a run
	run       string
	err       error
}

// find returns the target of the request, if its path has one. Pages have none.
func (a *API) find(r *http.Request) (target, bool) {
	path := sentPath(r.URL)
	switch path {
	case sessionPath:
		return target{isSession: true}, true
	case "/events":
		return a.several(r), true
	}
	for _, route := range a.routes {
		if subject, fits, err := route.Resolve(path); fits {
			return target{subjects: []bridge.Subject{subject}, route: route, named: route.IsEvents(), err: err}, true
		}
	}
	if t, found := a.answersTarget(path); found {
		return t, true
	}
	return presenceTarget(path)
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
