package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/auth"
	"github.com/tailwater/tailwater/bridge/httpapi"
	"github.com/tailwater/tailwater/bridge/outlet"
	"github.com/tailwater/tailwater/bridge/source"
	"github.com/tailwater/tailwater/configs"
	"github.com/tailwater/tailwater/embed"
	"github.com/tailwater/tailwater/web"
)

// What is no setting, because nobody should need to change it.
const (
	// linger is how long a feed without readers keeps its frames: longer than a browser takes to come back.
	linger = 30 * time.Second
	// heartbeat keeps a silent connection open in proxies, the strictest of which wait for a minute.
	heartbeat = 15 * time.Second
	// retry is how long a browser waits before it comes back.
	retry = 2 * time.Second
	// parting is how long a connection stays open after its last event. Chromium throws away what it has not yet read of a stream
	// of HTTP/2 that is reset, and so do some proxies.
	parting = time.Second
	// stopPatience is how long stopping waits, beyond the drain window, for clients that do not take their last bytes, and then
	// once more for requests that are being answered.
	stopPatience = 5 * time.Second
	// answerTimeout is how long a client may take for an answer, event streams excepted.
	answerTimeout = 30 * time.Second
)

type serveCommand struct{}

// Run serves until ctx ends.
func (serveCommand) Run(ctx context.Context, settings *configs.Settings, out output) error {
	log := newLog(settings.Log, out.err)
	hangUp := make(chan os.Signal, 1)
	signal.Notify(hangUp, syscall.SIGHUP) // before anything takes long
	defer signal.Stop(hangUp)
	for _, hint := range settings.Hints() {
		log.Warn(hint)
	}
	limitRuntime(settings.Machine, log)
	running, err := open(settings, log)
	if err != nil {
		return err
	}
	if isTerminal(out.out) {
		fmt.Fprint(out.out, running.banner())
	}
	var giving sync.WaitGroup
	defer giving.Wait()
	serving, stop := context.WithCancel(ctx)
	defer stop()
	giving.Go(func() { giveBack(serving, quietFor) })
	failure := running.wait(ctx, hangUp)
	return errors.Join(failure, running.close())
}

// wait returns when the node is to be closed. The error says why, if nobody asked for it. Until then, each hang-up reads
// anew what can be.
func (n *node) wait(ctx context.Context, hangUp <-chan os.Signal) error {
	var storeFailed <-chan error
	if n.embedded != nil {
		storeFailed = n.embedded.Failed()
	}
	for {
		select {
		case <-ctx.Done():
			n.log.Info("stopping; a second signal stops at once")
			return nil
		case err := <-n.failed:
			return err
		case err := <-storeFailed:
			return err
		case <-n.source.Closed():
			return errLostNATS
		case <-n.own.closed():
			return errLostNATS
		case <-hangUp:
			n.reload(ctx)
		}
	}
}

var errLostNATS = errors.New("the connection to NATS has ended for good; the log says why")

// node is everything that runs, in the order in which it is opened.
type node struct {
	settings *configs.Settings
	log      *slog.Logger

	embedded    *embed.Server // nil with an external NATS
	source      *source.Source
	own         own
	clock       *clock // nil without DEMO_TIME
	hub         *bridge.Hub
	outlet      *outlet.Outlet
	places      *outlet.Places
	auth        *auth.Auth // nil where no tokens are taken
	api         *httpapi.API
	admin       *admin
	http        *http.Server
	certificate *certificate // nil without TLS
	address     net.Addr     // of the listener for browsers

	serving sync.WaitGroup // the goroutines that accept
	failed  chan error     // what ends the process although nobody asked for it
}

// open starts everything. Where one part cannot start, those before it are stopped again.
func open(settings *configs.Settings, log *slog.Logger) (*node, error) {
	n := &node{settings: settings, log: log, failed: make(chan error, 1)}
	for _, start := range []func() error{n.openNATS, n.openOwn, n.openBridge, n.openAdmin, n.openHTTP} {
		if err := start(); err != nil {
			return nil, errors.Join(err, n.close())
		}
	}
	n.log.Info("listening", "http", n.url(), "admin", n.admin.url(), "nats", n.natsURL(), "version", version())
	return n, nil
}

func (n *node) openNATS() error {
	config := source.Config{History: history(n.settings), Intake: divide(n.settings.Memory).intake}
	dial, err := n.dialer(&config)
	if err != nil {
		return err
	}
	if n.source, err = source.Open(dial, config, n.log); err != nil {
		return err
	}
	if err := n.awaitHistory(); err != nil {
		return err
	}
	if n.settings.Demo.Time {
		n.clock = startClock(n.source, n.log)
	}
	return nil
}

// historyPatience is how long the start waits for the embedded JetStream. It answers at once, unless its cluster is not
// there yet.
const historyPatience = 5 * time.Second

// awaitHistory refuses to start where an embedded server cannot keep what the settings ask it to. JetStream that does not
// answer is waited for later: in a cluster, one server has to be the first.
func (n *node) awaitHistory() error {
	if n.embedded == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), historyPatience)
	defer cancel()
	err := n.source.AwaitHistory(ctx)
	if errors.Is(err, source.ErrNotKept) {
		return err
	}
	if err != nil {
		n.log.Warn("the embedded JetStream does not answer yet; the start goes on, and nothing is kept until it does", "error", err)
	}
	return nil
}

// history gives the stream that the settings ask for.
func history(s *configs.Settings) source.History {
	return source.History{
		Subjects:      s.History,
		Stream:        string(s.HistoryStream),
		MaxAge:        time.Duration(s.HistoryMaxAge),
		MaxBytes:      int64(s.HistoryMaxBytes),
		Shrinks:       !s.IsSet("HISTORY_MAX_BYTES"),
		MaxPerSubject: int64(s.HistoryMaxPerSubject),
		Replicas:      s.HistoryReplicas,
		Memory:        s.HistoryStorage == "memory",
		Manage:        s.Embedded(),
	}
}

// dialer returns the way to NATS, and completes what the source has to know of it.
func (n *node) dialer(of *source.Config) (dial source.Dialer, err error) {
	if !n.settings.Embedded() {
		dial, of.API, err = external(n.settings.NATS)
		return dial, err
	}
	config, err := embedded(n.settings)
	if err != nil {
		return nil, err
	}
	if n.embedded, err = embed.Start(config, n.log); err != nil {
		return nil, err
	}
	of.Began = n.embedded.Began
	of.IsBroken = func() bool { return n.embedded.Problem() != "" }
	return n.embedded.Dial, nil
}

// storeProblem says what keeps the embedded server from storing; "" where nothing does, or NATS is elsewhere.
func (n *node) storeProblem() string {
	if n.embedded == nil {
		return ""
	}
	return n.embedded.Problem()
}

func (n *node) openBridge() error {
	s := n.settings
	n.openPlaces()
	memory := divide(s.Memory)
	n.hub = bridge.NewHub(n.source, linger, memory.feeds())
	n.outlet = outlet.New(outlet.Config{
		Heartbeat:    heartbeat,
		Parting:      parting,
		WriteTimeout: s.Limit.WriteTimeout,
		Age:          s.Limit.ConnectionAge,
		Retry:        retry,
		Loops:        s.HTTP.Loops.Number(),
		Log:          n.log,
	})
	config := httpapi.Config{
		Hub:       n.hub,
		Outlet:    n.outlet,
		Publisher: n.source,
		Store:     n.source,
		Places:    n.places,
		Routes:    s.Routes,
		Anonymous: bridge.Grant{Subscribe: s.Anonymous.Subscribe, Publish: s.Anonymous.Publish, Wildcards: s.Anonymous.Wildcards},
		Access:    n.access(),
		Limits: httpapi.Limits{
			Reads: s.Limit.ReadRate.PerSecond(), Publishes: s.Limit.PublishRate.PerSecond(), Body: int64(s.Limit.Body), Subjects: s.Limit.Subjects, Memory: memory.bodies,
		},
		Proxies: s.HTTP.TrustedProxies,
		Log:     n.log,
		Parting: parting,
	}
	if s.HTTP.Pages {
		config.Pages = web.Pages(web.Anyone[bridge.Subject]{
			Subscribe: config.Anonymous.Subscribe, Publish: config.Anonymous.Publish, Wildcards: config.Anonymous.Wildcards,
			SignIn: s.Auth.SignsIn() && s.Auth.Cookie != "",
		})
	}
	if s.Auth.SignsIn() {
		var err error
		_, hub := n.keeper()
		if n.auth, err = auth.Open(n.signIn(), hub, n.outlet.Recheck); err != nil {
			return fmt.Errorf("set up sign-in: %w", err)
		}
		config.Auth, config.Cookie = n.auth, string(s.Auth.Cookie)
	}
	n.api = httpapi.New(config)
	return nil
}

// signIn gives which tokens are good.
func (n *node) signIn() auth.Config {
	s := n.settings.Auth
	from, _ := n.keeper()
	return auth.Config{
		Bucket: func(ctx context.Context, was *auth.Bucket) (auth.Bucket, error) {
			found, err := from.Bucket(ctx, auth.RevokedBucket, s.MaxLife, (*source.Bucket)(was))
			return auth.Bucket(found), err
		},
		Secret:       s.JWTSecret.Reveal(),
		PublicKeys:   s.JWTPublicKey.Keys,
		JWKS:         string(s.JwksURL),
		Proxy:        s.JwksProxy.URL,
		MaxLife:      s.MaxLife,
		Issuer:       s.Issuer,
		Audience:     s.Audience,
		TicketSecret: s.TicketSecret.Reveal(),
		Log:          n.log,
	}
}

func (n *node) access() httpapi.Access {
	s := n.settings.HTTP
	return httpapi.Access{
		Hosts: s.Hosts, LoopbackHosts: s.LoopbackHosts,
		Origins: s.Origins, LoopbackOrigins: s.LoopbackOrigins,
	}
}

func (n *node) openAdmin() (err error) {
	n.admin, err = openAdmin(n)
	return err
}

func (n *node) openHTTP() error {
	listener, err := listen("HTTP_LISTEN", n.settings.HTTP.Listen)
	if err != nil {
		return err
	}
	n.address = listener.Addr()
	n.http = newServer(n.api, n.log)
	counted(n.http, n.places)
	n.http.WriteTimeout = answerTimeout // event streams set their own before each write
	if files := n.settings.HTTP.TLS; !files.IsZero() {
		if n.certificate, err = openCertificate(files, n.log); err != nil {
			return errors.Join(err, listener.Close())
		}
		secure(n.http, n.certificate, n.settings.Limit)
	}
	n.serve(n.http, outlet.Listen(listener, n.places))
	return nil
}

// serve runs a server until it is shut down.
func (n *node) serve(server *http.Server, listener net.Listener) {
	n.serving.Go(func() {
		err := accept(server, listener)
		if errors.Is(err, http.ErrServerClosed) {
			return
		}
		select {
		case n.failed <- fmt.Errorf("accept on %s: %w", listener.Addr(), err):
		default: // one reason to stop is enough
		}
	})
}

// close stops in reverse: the open connections, each told to come back, then what feeds them. The listener for browsers stays open
// until all else has stopped, and who comes meanwhile is asked to come back: behind a proxy, a connection that is refused
// is a 502, which ends an EventSource. It works on a node that was opened in part.
func (n *node) close() error {
	var problems []error
	if n.http != nil {
		n.drain()
	}
	if n.outlet != nil {
		n.outlet.Close()
	}
	if n.auth != nil {
		n.auth.Close()
	}
	n.own.close()
	if n.hub != nil {
		n.hub.Close()
	}
	if n.clock != nil {
		n.clock.stop()
	}
	if n.source != nil {
		n.source.Close()
	}
	if n.embedded != nil {
		problems = append(problems, n.embedded.Stop())
	}
	if n.http != nil {
		n.closeHTTP()
	}
	if n.admin != nil {
		problems = append(problems, n.admin.close())
	}
	n.serving.Wait()
	return errors.Join(problems...)
}

// drain tells every open connection to come back, and finishes what is being published.
func (n *node) drain() {
	settings := n.settings.Drain
	n.admin.draining.Store(true)
	n.api.Drain(time.Now().Add(settings.Delay + settings.Window))
	time.Sleep(settings.Delay)
	ctx, cancel := context.WithTimeout(context.Background(), settings.Window+stopPatience)
	defer cancel()
	cut := context.AfterFunc(ctx, n.cut)
	n.outlet.Drain(ctx, settings.Window)
	cut()
	n.api.Finish()
}

// closeHTTP closes the listener, and waits for the requests that are being answered.
func (n *node) closeHTTP() {
	ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
	defer cancel()
	if n.http.Shutdown(ctx) != nil {
		n.cut()
	}
}

// cut ends the connections that have not ended by themselves, which also ends whoever still writes to them. It is the client's
// doing that there are some, and no failure.
func (n *node) cut() {
	n.log.Warn("cut the connections that had not ended by themselves")
	_ = n.http.Close()
}
