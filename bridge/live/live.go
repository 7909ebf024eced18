package live

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/auth"
	"github.com/tailwater/tailwater/bridge/httpapi"
	"github.com/tailwater/tailwater/bridge/outlet"
	"github.com/tailwater/tailwater/bridge/presence"
	"github.com/tailwater/tailwater/bridge/runs"
	"github.com/tailwater/tailwater/bridge/sockets"
	"github.com/tailwater/tailwater/bridge/source"
)

// Values that are not options, because nobody should need to change them.
const (
	// linger is how long a feed without readers keeps its frames: longer than a browser takes to reconnect.
	linger = 30 * time.Second
	// Heartbeat keeps a silent connection open in proxies, the strictest of which wait for a minute. Clients are told it, and pings of
	// HTTP/2 keep to it. A client without a network is cut after a heartbeat and the write timeout: 35 s by default.
	Heartbeat = 15 * time.Second
	// retry is how long a browser waits before it reconnects.
	retry = 2 * time.Second
	// closeDelay is how long a connection stays open after its last event. Chromium and some proxies discard unread data when a stream
	// of HTTP/2 is reset.
	closeDelay = time.Second
	// publishPatience is how long Publish waits for NATS.
	publishPatience = 5 * time.Second
	// closePatience is how long Close waits for clients that do not receive their last bytes.
	closePatience = 5 * time.Second
)

// Bridge is an http.Handler whose GETs read NATS subjects, and whose POSTs publish.
type Bridge struct {
	options  Options
	source   *source.Source
	own      own // the account of the bridge's own bucket, if there is one
	hub      *bridge.Hub
	outlet   *outlet.Outlet
	places   *sockets.Places
	auth     *auth.Auth        // nil if no tokens are accepted
	presence *presence.Tracker // nil if no members are kept
	runs     *runs.Runs        // nil if Options.Runs.Off
	api      *httpapi.API

	draining atomic.Bool
	drained  sync.Once
	closed   sync.Once
	done     chan struct{} // closed when a connection to NATS has ended for good
	running  sync.WaitGroup
}

// Open starts a bridge on connections of its own, made like nc: nc is neither used nor closed. nc may be nil if the options say how to
// connect. If NATS is unreachable, Open returns no error and keeps trying. An error means that the options cannot work.
func Open(nc *nats.Conn, options Options) (*Bridge, error) {
	options, err := options.withDefaults(nc)
	if err != nil {
		return nil, fmt.Errorf("open a bridge: %w", err)
	}
	b := &Bridge{options: options, done: make(chan struct{})}
	if err := b.open(); err != nil {
		b.Close()
		return nil, fmt.Errorf("open a bridge: %w", err)
	}
	b.running.Go(b.watch)
	return b, nil
}

func (b *Bridge) open() error {
	if err := b.openSource(); err != nil {
		return err
	}
	if err := b.openOwn(); err != nil {
		return err
	}
	b.openConnections()
	if err := b.openTokens(); err != nil {
		return err
	}
	b.openPresence()
	b.openRuns()
	b.openAPI()
	return nil
}

func (b *Bridge) openSource() (err error) {
	config := source.Config{History: b.options.History, API: b.options.API, Intake: b.divide().intake, Tracer: b.options.Tracer}
	if b.options.Server != nil {
		config.Began = b.options.Server.Began
		config.IsBroken = func() bool { return b.options.Server.Problem() != "" }
	}
	b.source, err = source.Open(b.options.Dial, config, b.options.Log)
	return err
}

func (b *Bridge) openConnections() {
	limits := b.options.Limits
	b.hub = bridge.NewHub(b.source, linger, b.divide().feeds())
	b.outlet = outlet.New(outlet.Config{
		Heartbeat: Heartbeat, CloseDelay: closeDelay, Retry: retry,
		WriteTimeout: limits.WriteTimeout, Age: limits.Age, Loops: limits.Loops, Log: b.options.Log,
		Delays: b.options.Meters.Delays,
	})
	b.places = sockets.NewPlaces(sockets.Limits{
		All: limits.Connections, Each: limits.PerAddress, Proxies: b.options.Proxies, Log: b.options.Log,
	})
}

// openTokens starts to check tokens, if they are accepted.
func (b *Bridge) openTokens() (err error) {
	if b.options.Tokens == nil {
		return nil
	}
	config := *b.options.Tokens
	from, hub := b.keeper()
	config.Bucket = func(ctx context.Context, was *auth.Bucket) (auth.Bucket, error) {
		found, err := from.Bucket(ctx, auth.RevokedBucket, config.MaxLife, (*source.Bucket)(was))
		return auth.Bucket(found), err
	}
	if config.Log == nil {
		config.Log = b.options.Log
	}
	if b.auth, err = auth.Open(config, hub, b.outlet.Recheck); err != nil {
		return fmt.Errorf("set up sign-in: %w", err)
	}
	return nil
}

func (b *Bridge) openAPI() {
	o := b.options
	config := httpapi.Config{
		Hub: b.hub, Outlet: b.outlet, Publisher: b.source, Store: b.source, Places: b.places,
		Routes: o.Routes, Anyone: o.Anyone, Caller: o.Caller, Access: o.Access, Proxies: o.Proxies, Pages: o.Pages,
		Limits: httpapi.Limits{
			Reads: o.Limits.Reads, Publishes: o.Limits.Publishes, Body: o.Limits.Body, Subjects: o.Limits.Subjects, Memory: b.divide().bodies,
		},
		Log: o.Log, CloseDelay: closeDelay, Posts: o.Meters.Posts, Tracer: o.Tracer,
	}
	if b.auth != nil {
		config.Auth, config.Cookie = b.auth, o.Cookie
	}
	if b.presence != nil {
		config.Presence = b.presence
	}
	if b.runs != nil {
		config.Runs = b.runs
	}
	b.api = httpapi.New(config)
}

// watch closes done when the first connection has ended. At the end of Close all connections end.
func (b *Bridge) watch() {
	defer close(b.done)
	ended, own := b.source, b.own.source
	if own == nil {
		<-ended.Closed()
	} else {
		select {
		case <-ended.Closed():
		case <-own.Closed():
			ended = own
		}
	}
	if !b.draining.Load() {
		b.options.Log.Error("NATS has ended a connection of this bridge for good", "error", ended.Err(), "remedy", "start the bridge again")
	}
}

// ServeHTTP implements http.Handler.
func (b *Bridge) ServeHTTP(w http.ResponseWriter, r *http.Request) { b.api.ServeHTTP(w, r) }

// Publish sends a message as a POST would, but checks no permission, and accepts any headers. It returns when the message is stored, or
// if no stream holds the subject, when NATS has received it. After five seconds it gives up, unless ctx has another deadline. The error
// wraps one of package bridge's, such as bridge.ErrUnavailable.
func (b *Bridge) Publish(ctx context.Context, subject bridge.Subject, header map[string][]string, data []byte) (bridge.Receipt, error) {
	if _, isLimited := ctx.Deadline(); !isLimited {
		limited, cancel := context.WithTimeout(ctx, publishPatience)
		defer cancel()
		ctx = limited
	}
	return b.source.Publish(ctx, subject, header, data)
}

// Drain waits for delay, asks every connection to reconnect, each at its own time within the window, and finishes running publications.
// During the delay only new clients are asked to come back later, and clients that wait for the first message of an answer are told where
// to read it. When ctx ends, Drain cuts the connections that event loops write. It waits for the others, which end by themselves within
// the write timeout, or when their server is closed. Only the first call has an effect. Close drains by itself.
func (b *Bridge) Drain(ctx context.Context, delay, window time.Duration) {
	b.drained.Do(func() {
		b.draining.Store(true)
		b.api.Drain(time.Now().Add(delay + window))
		if b.presence != nil {
			b.presence.Drain()
		}
		select {
		case <-time.After(delay):
		case <-ctx.Done():
		}
		b.outlet.Drain(ctx, window)
		b.api.Finish()
	})
}

// Close ends every connection, and returns when everything that Open has started has ended. Close the bridge before its server. Close may
// be called more than once.
func (b *Bridge) Close() { b.closed.Do(b.close) }

func (b *Bridge) close() {
	if b.api != nil {
		ctx, cancel := context.WithTimeout(context.Background(), closePatience)
		defer cancel()
		b.Drain(ctx, 0, 0)
	}
	if b.outlet != nil {
		b.outlet.Close()
	}
	if b.presence != nil {
		b.presence.Close()
	}
	if b.runs != nil {
		b.runs.Close()
	}
	if b.auth != nil {
		b.auth.Close()
	}
	b.own.close()
	if b.hub != nil {
		b.hub.Close()
	}
	if b.source != nil {
		b.source.Close()
	}
	b.running.Wait()
}

// Done returns a channel that is closed when a connection to NATS has ended for good. Before Close that is a failure: the server has ended
// it by an error, and no other can be made. The log has the reasons.
func (b *Bridge) Done() <-chan struct{} { return b.done }
