// Package node is everything that runs in the process of tailwater serve: opened in order, and closed in reverse. The end-to-end
// tests start the same.
package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
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

// Wait returns when the node is to be closed. The error says why, if nobody asked for it. Until then, each hang-up reads
// anew what can be, and memory that is not in use goes back to the system.
func (n *Node) Wait(ctx context.Context, hangUp <-chan os.Signal) error {
	var giving sync.WaitGroup
	defer giving.Wait()
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	giving.Go(func() { giveBack(waiting, quietFor) })
	var storeFailed <-chan error
	if n.Embedded != nil {
		storeFailed = n.Embedded.Failed()
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
		case <-n.Source.Closed():
			return errLostNATS
		case <-n.own.closed():
			return errLostNATS
		case <-hangUp:
			n.reload(ctx)
		}
	}
}

var errLostNATS = errors.New("the connection to NATS has ended for good; the log says why")

// SettingsError is an error of the settings, which only their author can correct.
type SettingsError struct{ error }

// Unwrap returns what is wrong with them.
func (e SettingsError) Unwrap() error { return e.error }

// Node is everything that runs, in the order in which it is opened.
type Node struct {
	Settings *configs.Settings
	log      *slog.Logger

	Embedded    *embed.Server // nil with an external NATS
	Source      *source.Source
	own         own
	clock       *clock // nil without DEMO_TIME
	Hub         *bridge.Hub
	Outlet      *outlet.Outlet
	places      *outlet.Places
	Auth        *auth.Auth // nil where no tokens are taken
	API         *httpapi.API
	admin       *admin
	http        *http.Server
	certificate *Certificate // nil without TLS
	address     net.Addr     // of the listener for browsers

	serving sync.WaitGroup // the goroutines that accept
	failed  chan error     // what ends the process although nobody asked for it
}

// Open starts everything. Where one part cannot start, those before it are stopped again.
func Open(settings *configs.Settings, log *slog.Logger) (*Node, error) {
	n := &Node{Settings: settings, log: log, failed: make(chan error, 1)}
	for _, start := range []func() error{n.openNATS, n.openOwn, n.openBridge, n.openAdmin, n.openHTTP} {
		if err := start(); err != nil {
			return nil, errors.Join(err, n.Close())
		}
	}
	n.log.Info("listening", "http", n.URL(), "admin", n.admin.url(), "nats", n.NATSURL(), "version", Version())
	return n, nil
}

func (n *Node) openNATS() error {
	config := source.Config{History: History(n.Settings), Intake: divide(n.Settings.Memory).intake}
	dial, err := n.dialer(&config)
	if err != nil {
		return err
	}
	if n.Source, err = source.Open(dial, config, n.log); err != nil {
		return err
	}
	if err := n.awaitHistory(); err != nil {
		return err
	}
	if n.Settings.Demo.Time {
		n.clock = startClock(n.Source, n.log)
	}
	return nil
}

// historyPatience is how long the start waits for the embedded JetStream. It answers at once, unless its cluster is not
// there yet.
const historyPatience = 5 * time.Second

// awaitHistory refuses to start where an embedded server cannot keep what the settings ask it to. JetStream that does not
// answer is waited for later: in a cluster, one server has to be the first.
func (n *Node) awaitHistory() error {
	if n.Embedded == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), historyPatience)
	defer cancel()
	err := n.Source.AwaitHistory(ctx)
	if errors.Is(err, source.ErrNotKept) {
		return err
	}
	if err != nil {
		n.log.Warn("the embedded JetStream does not answer yet; the start goes on, and nothing is kept until it does", "error", err)
	}
	return nil
}

// History returns the stream that the settings ask for.
func History(s *configs.Settings) source.History {
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
func (n *Node) dialer(of *source.Config) (dial source.Dialer, err error) {
	if !n.Settings.Embedded() {
		dial, of.API, err = External(n.Settings.NATS)
		return dial, err
	}
	config, err := Embedded(n.Settings)
	if err != nil {
		return nil, err
	}
	if n.Embedded, err = embed.Start(config, n.log); err != nil {
		return nil, err
	}
	of.Began = n.Embedded.Began
	return n.Embedded.Dial, nil
}

// storeProblem says what keeps the embedded server from storing; "" where nothing does, or NATS is elsewhere.
func (n *Node) storeProblem() string {
	if n.Embedded == nil {
		return ""
	}
	return n.Embedded.Problem()
}

func (n *Node) openBridge() error {
	s := n.Settings
	n.openPlaces()
	memory := divide(s.Memory)
	n.Hub = bridge.NewHub(n.Source, linger, memory.feeds())
	n.Outlet = outlet.New(outlet.Config{
		Heartbeat:    heartbeat,
		Parting:      parting,
		WriteTimeout: s.Limit.WriteTimeout,
		Age:          s.Limit.ConnectionAge,
		Retry:        retry,
		Loops:        s.HTTP.Loops.Number(),
		Log:          n.log,
	})
	config := httpapi.Config{
		Hub:       n.Hub,
		Outlet:    n.Outlet,
		Publisher: n.Source,
		Store:     n.Source,
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
		if n.Auth, err = auth.Open(n.signIn(), hub, n.Outlet.Recheck); err != nil {
			return fmt.Errorf("set up sign-in: %w", err)
		}
		config.Auth, config.Cookie = n.Auth, string(s.Auth.Cookie)
	}
	n.API = httpapi.New(config)
	return nil
}

// signIn gives which tokens are good.
func (n *Node) signIn() auth.Config {
	s := n.Settings.Auth
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

func (n *Node) access() httpapi.Access {
	s := n.Settings.HTTP
	return httpapi.Access{
		Hosts: s.Hosts, LoopbackHosts: s.LoopbackHosts,
		Origins: s.Origins, LoopbackOrigins: s.LoopbackOrigins,
	}
}

func (n *Node) openAdmin() (err error) {
	n.admin, err = openAdmin(n)
	return err
}

func (n *Node) openHTTP() error {
	listener, err := listen("HTTP_LISTEN", n.Settings.HTTP.Listen)
	if err != nil {
		return err
	}
	n.address = listener.Addr()
	n.http = NewServer(n.API, n.log)
	counted(n.http, n.places)
	n.http.WriteTimeout = answerTimeout // event streams set their own before each write
	if files := n.Settings.HTTP.TLS; !files.IsZero() {
		if n.certificate, err = OpenCertificate(files, n.log); err != nil {
			return errors.Join(err, listener.Close())
		}
		Secure(n.http, n.certificate, n.Settings.Limit.WriteTimeout)
	}
	n.serve(n.http, outlet.Listen(listener, n.places))
	return nil
}

// serve runs a server until it is shut down.
func (n *Node) serve(server *http.Server, listener net.Listener) {
	n.serving.Go(func() {
		err := Accept(server, listener)
		if errors.Is(err, http.ErrServerClosed) {
			return
		}
		select {
		case n.failed <- fmt.Errorf("accept on %s: %w", listener.Addr(), err):
		default: // one reason to stop is enough
		}
	})
}

// Close stops in reverse: the open connections, each told to come back, then what feeds them. The listener for browsers stays open
// until all else has stopped, and who comes meanwhile is asked to come back: behind a proxy, a connection that is refused
// is a 502, which ends an EventSource. It works on a node that was opened in part.
func (n *Node) Close() error {
	var problems []error
	if n.http != nil {
		n.drain()
	}
	if n.Outlet != nil {
		n.Outlet.Close()
	}
	if n.Auth != nil {
		n.Auth.Close()
	}
	n.own.close()
	if n.Hub != nil {
		n.Hub.Close()
	}
	if n.clock != nil {
		n.clock.stop()
	}
	if n.Source != nil {
		n.Source.Close()
	}
	if n.Embedded != nil {
		problems = append(problems, n.Embedded.Stop())
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
func (n *Node) drain() {
	settings := n.Settings.Drain
	n.admin.draining.Store(true)
	n.API.Drain(time.Now().Add(settings.Delay + settings.Window))
	time.Sleep(settings.Delay)
	ctx, cancel := context.WithTimeout(context.Background(), settings.Window+stopPatience)
	defer cancel()
	cut := context.AfterFunc(ctx, n.cut)
	n.Outlet.Drain(ctx, settings.Window)
	cut()
	n.API.Finish()
}

// closeHTTP closes the listener, and waits for the requests that are being answered.
func (n *Node) closeHTTP() {
	ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
	defer cancel()
	if n.http.Shutdown(ctx) != nil {
		n.cut()
	}
}

// cut ends the connections that have not ended by themselves, which also ends whoever still writes to them. It is the client's
// doing that there are some, and no failure.
func (n *Node) cut() {
	n.log.Warn("cut the connections that had not ended by themselves")
	_ = n.http.Close()
}
