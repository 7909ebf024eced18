package live

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/auth"
	"github.com/tailwater/tailwater/bridge/httpapi"
	"github.com/tailwater/tailwater/bridge/source"
)

// Options say what a bridge serves, to whom. The zero value of every field is a default that works; with the zero Options nobody may read
// or write anything.
type Options struct {
	// Dial connects to NATS where Open is given no connection. It must pass on the options that it is given, after its own.
	Dial func(...nats.Option) (*nats.Conn, error)
	// Server is a NATS server in this process, in place of a connection and of Dial.
	Server Server
	// API begins the subjects of JetStream's API; the default is $JS.API. Behind a leaf node it is $JS.<domain>.API.
	API string
	// History is a stream that the bridge keeps. The default is none: subjects that a stream of yours holds are read from there.
	History History
	// Presence says on which subjects the bridge lists who is there. The default is none. The lists are kept in the NATS key-value bucket
	// tailwater_presence, which the bridge makes.
	Presence Presence

	// Anyone is what everybody may do; the default is nothing.
	Anyone bridge.Grant
	// Caller says who sent a request, and what it may do beyond Anyone. The zero Caller is nobody in particular. An error is answered
	// by 401, which ends an EventSource; one that wraps bridge.ErrForbidden by 403. One that wraps bridge.ErrNoVerdict means that it
	// cannot be told now: the browser comes back. The text of an error that wraps one of the three is sent to the client.
	// A connection ends at Caller.Until.
	Caller func(*http.Request) (bridge.Caller, error)
	// Tokens has the bridge itself check tokens (JWT), in place of Caller. nil: it takes none.
	Tokens *Tokens
	// Cookie is the name of a cookie that a token may come in. The default is none.
	Cookie string
	// Routes are paths beside /events/{subject...}; see bridge.ParseRoute.
	Routes []bridge.Route
	// Pages returns what serves a path that is no route, or nil. The default is no pages.
	Pages func(path string) http.Handler

	// Access says by which names the bridge may be called, and which other origins may use it. The default is any name, and no other
	// origin. Behind a Host check of your own nothing else is needed.
	Access Access
	// Proxies are the networks whose X-Forwarded-For and X-Forwarded-Proto are believed. The default is none.
	Proxies []netip.Prefix
	Limits  Limits

	// Log is where the bridge writes; the default is slog.Default().
	Log *slog.Logger
}

// Limits bound what clients may take. 0 stands for the default, and a negative figure for no limit, unless the field says otherwise.
type Limits struct {
	Connections  int           // open at once; 50,000
	PerAddress   int           // of them, of one address, or one IPv6 network of 64 bits; 200
	Reads        float64       // GETs and HEADs a second of one address; 200
	Publishes    float64       // POSTs a second of one caller; 20
	Body         int64         // bytes of a POST; 256 KiB. It cannot be without a limit
	Subjects     int           // that one connection may read; 32. It cannot be without a limit
	WriteTimeout time.Duration // a client that takes nothing for so long is cut; 20 s. It cannot be without a limit
	Age          time.Duration // a connection is asked to come back after this, give or take a fifth; 1 h. It cannot be without a limit
	Memory       int64         // bytes of messages, pages of history and bodies together; 256 MiB. It cannot be without a limit
	Loops        int           // event loops; half the processors. Negative: none
}

// Server is a NATS server in this process, such as an *embed.Server.
type Server interface {
	// Dial connects to it.
	Dial(...nats.Option) (*nats.Conn, error)
	// Began returns when the present life of a stream began.
	Began(stream string, created time.Time) time.Time
	// IsGuarded reports whether its own buckets are in an account of their own, which DialOwn connects to.
	IsGuarded() bool
	DialOwn(...nats.Option) (*nats.Conn, error)
	// AdminContext returns the nats context of who may write those buckets.
	AdminContext() string
	// Problem returns why it cannot store messages; "" if it can.
	Problem() string
}

// Of what Options are made.
type (
	Access  = httpapi.Access
	History = source.History
	Tokens  = auth.Config
)

// withDefaults returns the options with every default in its place, or says why they cannot work.
func (o Options) withDefaults(nc *nats.Conn) (Options, error) {
	ways := 0
	for _, isGiven := range []bool{nc != nil, o.Dial != nil, o.Server != nil} {
		if isGiven {
			ways++
		}
	}
	switch {
	case ways == 0:
		return o, errors.New("no way to NATS: give Open a connection, or set Options.Dial or Options.Server")
	case ways > 1:
		return o, errors.New("several ways to NATS: give Open a connection, or set one of Options.Dial and Options.Server")
	case o.Caller != nil && o.Tokens != nil:
		return o, errors.New("set one of Options.Caller and Options.Tokens")
	}
	if err := bridge.CheckRoutes(o.Routes); err != nil {
		return o, fmt.Errorf("Options.Routes: %w", err)
	}
	switch {
	case nc != nil:
		o.Dial = like(nc)
	case o.Server != nil:
		o.Dial = o.Server.Dial
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	o.History.Stream = cmp.Or(o.History.Stream, "TAILWATER")
	o.History.Replicas = max(1, o.History.Replicas)
	o.Limits = o.Limits.withDefaults()
	return o, nil
}

func (l Limits) withDefaults() Limits {
	l.Connections = orDefault(l.Connections, 50_000)
	l.PerAddress = orDefault(l.PerAddress, 200)
	l.Reads = orDefault(l.Reads, 200)
	l.Publishes = orDefault(l.Publishes, 20)
	l.Loops = orDefault(l.Loops, max(1, runtime.GOMAXPROCS(0)/2))
	l.Body = positive(l.Body, 256<<10)
	l.Subjects = positive(l.Subjects, 32)
	l.WriteTimeout = positive(l.WriteTimeout, 20*time.Second)
	l.Age = positive(l.Age, time.Hour)
	l.Memory = positive(l.Memory, 256<<20)
	return l
}

// orDefault returns a figure in which 0 stands for no limit.
func orDefault[T int | float64](figure, usual T) T { return max(0, cmp.Or(figure, usual)) }

// positive returns a figure that cannot be without a limit.
func positive[T int | int64 | time.Duration](figure, usual T) T {
	if figure <= 0 {
		return usual
	}
	return figure
}
