package live

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/auth"
	"github.com/tailwater/tailwater/bridge/httpapi"
	"github.com/tailwater/tailwater/bridge/source"
)

// Options configure a bridge. The zero value of every field is a working default. With the zero Options nobody may read or write.
type Options struct {
	// Dial connects to NATS if Open gets no connection. It must append the given options after its own.
	Dial func(...nats.Option) (*nats.Conn, error)
	// Server is a NATS server in this process, instead of a connection or Dial.
	Server Server
	// API is the prefix of JetStream's API subjects; the default is $JS.API. Behind a leaf node it is $JS.<domain>.API.
	API string
	// History is a stream that the bridge keeps. The default is none: subjects in other streams are read from these.
	History History
	// Presence says on which subjects the bridge lists who is there. The default is none. The lists are kept in the NATS key-value bucket
	// tailwater_presence, which the bridge makes.
	Presence Presence
	// Runs says how questions are answered on routes that begin with ASK, and which subjects are kept for their answers.
	Runs Runs

	// Anyone is what every caller may do; the default is nothing.
	Anyone bridge.Grant
	// Caller returns the sender of a request, and the sender's permissions beyond Anyone. The zero Caller is anonymous. An error is
	// answered 401, which ends an EventSource; an error that wraps bridge.ErrForbidden, 403. An error that wraps bridge.ErrNoVerdict
	// means that the answer is not known now: the browser reconnects. The text of an error that wraps one of the three is sent to the
	// client. A connection ends at Caller.Until. The header Cookie is removed from requests of pages that only Access.LoopbackOrigins
	// allows: a browser sends cookies to every port of a machine, so another program's page could act as the user.
	Caller func(*http.Request) (bridge.Caller, error)
	// Tokens makes the bridge itself check tokens (JWT), instead of Caller. If it is nil, no tokens are accepted.
	Tokens *Tokens
	// Cookie is the name of a cookie that may hold a token. The default is none.
	Cookie string
	// Routes are paths in addition to /events/{subject...}; see bridge.ParseRoute.
	Routes []bridge.Route
	// Pages returns the handler of a path that is not a route, or nil. The default is no pages; with web.Client, /client.js is served.
	Pages func(path string) http.Handler

	// Access says under which host names the bridge may be used, and by which other origins. The default is any name, and no other
	// origin. If the program checks the Host header itself, nothing else is needed.
	Access Access
	// Proxies are the networks whose X-Forwarded-For and X-Forwarded-Proto are trusted. The default is none.
	Proxies []netip.Prefix
	Limits  Limits

	// Meters receive measurements; the default is none.
	Meters Meters
	// Tracer measures POSTs, questions and replays; the default is none. A POST's traceparent is continued, and with the message goes that
	// of the bridge.
	Tracer bridge.Tracer

	// Log receives the bridge's log; the default is slog.Default().
	Log *slog.Logger
}

// Meters receive durations in seconds, as histograms of Prometheus do. Each may be nil.
type Meters struct {
	// Delays receives a sample of how long messages take from their publication until they are written to a connection.
	Delays Observer
	// Posts receives how long each POST took that publishes, from its headers to its answer.
	Posts Observer
}

// Limits bound what clients may use. 0 stands for the default, and a negative value for no limit, unless the field says otherwise.
type Limits struct {
	Connections  int           // open at once; 50,000
	PerAddress   int           // open connections of one address, or one IPv6 network of 64 bits; 200
	Reads        float64       // GETs and HEADs per second of one address; 200
	Publishes    float64       // POSTs per second of one caller; 20
	Runs         int           // questions of one caller without a complete answer, on this bridge; 20
	Body         int64         // bytes of a POST; 256 KiB. Cannot be unlimited
	Subjects     int           // that one connection may read; 32. Cannot be unlimited
	WriteTimeout time.Duration // how long a client may receive nothing before it is cut; 20 s. Cannot be unlimited
	Age          time.Duration // a connection of this age, give or take a fifth, is asked to reconnect; 1 h. Cannot be unlimited
	Memory       int64         // bytes of messages, pages of history and bodies together; 256 MiB. Cannot be unlimited
	Loops        int           // event loops; half the processors. Negative for none
}

// Server is a NATS server in this process, such as an *embed.Server.
type Server interface {
	// Dial connects to it.
	Dial(...nats.Option) (*nats.Conn, error)
	// Began returns when the present life of a stream began.
	Began(stream string, created time.Time) time.Time
	// IsGuarded reports whether the bridge's own bucket is in an account of its own, which DialOwn connects to.
	IsGuarded() bool
	DialOwn(...nats.Option) (*nats.Conn, error)
	// AdminContext returns the nats context with which that bucket can be written.
	AdminContext() string
	// Problem returns why it cannot store messages; "" if it can.
	Problem() string
}

// Parts of Options.
type (
	Access  = httpapi.Access
	History = source.History
	Apart   = source.Apart
	Tokens  = auth.Config
)

// Observer receives durations in seconds. Its method may be called by several goroutines at once, and must not block.
type Observer interface{ Observe(seconds float64) }

// withDefaults returns the options with all defaults filled in, or an error if they cannot work.
func (o Options) withDefaults(nc *nats.Conn) (Options, error) {
	ways := 0
	for _, isGiven := range []bool{nc != nil, o.Dial != nil, o.Server != nil} {
		if isGiven {
			ways++
		}
	}
	switch {
	case ways == 0:
		return o, errors.New("no connection to NATS: give Open a connection, or set Options.Dial or Options.Server")
	case ways > 1:
		return o, errors.New("more than one connection to NATS: give Open a connection, or set one of Options.Dial and Options.Server")
	case o.Caller != nil && o.Tokens != nil:
		return o, errors.New("Options.Caller and Options.Tokens are both set; set one of them")
	}
	if err := bridge.CheckRoutes(o.Routes); err != nil {
		return o, fmt.Errorf("Options.Routes: %w", err)
	}
	if o.Runs.Off && slices.ContainsFunc(o.Routes, bridge.Route.Asks) {
		return o, errors.New("Options.Routes: a route asks, and Options.Runs.Off is set; remove one of them")
	}
	switch {
	case nc != nil:
		o.Dial = redialer(nc)
	case o.Server != nil:
		o.Dial = o.Server.Dial
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	o.History.Stream = cmp.Or(o.History.Stream, "TAILWATER")
	o.History.Replicas = max(1, o.History.Replicas)
	o.Runs = o.Runs.withDefaults()
	o.Limits = o.Limits.withDefaults()
	return o, nil
}

func (l Limits) withDefaults() Limits {
	l.Connections = orDefault(l.Connections, 50_000)
	l.PerAddress = orDefault(l.PerAddress, 200)
	l.Reads = orDefault(l.Reads, 200)
	l.Publishes = orDefault(l.Publishes, 20)
	l.Runs = orDefault(l.Runs, 20)
	l.Loops = orDefault(l.Loops, max(1, runtime.GOMAXPROCS(0)/2))
	l.Body = positive(l.Body, 256<<10)
	l.Subjects = positive(l.Subjects, 32)
	l.WriteTimeout = positive(l.WriteTimeout, 20*time.Second)
	l.Age = positive(l.Age, time.Hour)
	l.Memory = positive(l.Memory, 256<<20)
	return l
}

// withDefaults returns the options with all defaults filled in.
func (r Runs) withDefaults() Runs {
	r.Answers = cmp.Or(r.Answers, "answers")
	r.Silence = positive(r.Silence, time.Minute)
	return r
}

// orDefault returns a limit; 0 stands for no limit.
func orDefault[T int | float64](figure, usual T) T { return max(0, cmp.Or(figure, usual)) }

// positive returns a limit that cannot be switched off.
func positive[T int | int64 | time.Duration](figure, usual T) T {
	if figure <= 0 {
		return usual
	}
	return figure
}
