// Package node is everything that runs in the process of tailwater serve: opened in order, and closed in reverse. The end-to-end tests
// start it too.
package node

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/tailwater/tailwater/bridge/live"
	"github.com/tailwater/tailwater/cmd/tailwater/trace"
	"github.com/tailwater/tailwater/configs"
	"github.com/tailwater/tailwater/embed"
)

// Values that are not settings, because nobody should need to change them.
const (
	// stopPatience is how long a stop waits, after the drain window, for clients that do not receive their last bytes, and then once more
	// for running requests.
	stopPatience = 5 * time.Second
	// answerTimeout is how long a client may take to receive an answer other than an event stream.
	answerTimeout = 30 * time.Second
)

// Wait returns when the node should be closed. The error is the reason, unless ctx has ended. Until then, each SIGHUP reloads what can
// change, and unused memory goes back to the system.
func (n *Node) Wait(ctx context.Context, hangUp <-chan os.Signal) error {
	var beside sync.WaitGroup
	defer beside.Wait()
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	beside.Go(func() { giveBack(waiting, quietFor) })
	beside.Go(func() { n.watch(waiting) })
	var storeFailed <-chan error
	if n.Embedded != nil {
		storeFailed = n.Embedded.Failed()
	}
	for {
		select {
		case <-ctx.Done():
			n.log.Info("stopping; a second signal stops at once")
			return nil
		case <-n.asked:
			n.log.Info("stopping, as asked over NATS")
			return nil
		case err := <-n.failed:
			return err
		case err := <-storeFailed:
			return err
		case <-n.Live.Done():
			return errLostNATS
		case <-hangUp:
			n.reload(ctx)
		}
	}
}

var errLostNATS = errors.New("the connection to NATS has ended for good; the log says why")

// Node is everything that runs, in the order in which it is opened.
type Node struct {
	Settings *configs.Settings
	log      *slog.Logger

	Embedded    *embed.Server // nil with an external NATS server
	Live        *live.Bridge
	stopClock   func() // nil without DEMO_TIME
	admin       *admin
	http        *http.Server
	meters      meters
	tracer      *trace.Tracer // nil without a collector
	certificate *Certificate  // nil without TLS
	address     net.Addr      // of the listener for browsers

	serving sync.WaitGroup // the goroutines that accept
	failed  chan error     // errors that end the process
	asked   chan struct{}  // buffers one: somebody has asked over NATS that the process stops
	drained uint64         // connections that were asked to reconnect because of the stop
}

// Open starts everything. If a part cannot start, those before it are stopped again.
func Open(settings *configs.Settings, log *slog.Logger) (*Node, error) {
	n := &Node{Settings: settings, log: log, meters: newMeters(), failed: make(chan error, 1), asked: make(chan struct{}, 1)}
	for _, start := range []func() error{n.openTraces, n.openNATS, n.openBridge, n.openAdmin, n.openHTTP, n.offer} {
		if err := start(); err != nil {
			return nil, errors.Join(err, n.Close())
		}
	}
	n.log.Info("listening", "http", n.URL(), "admin", n.AdminURL(), "nats", n.NATSURL(), "version", Version())
	n.notify(daemon.SdNotifyReady + "\nSTATUS=serving " + n.URL())
	return n, nil
}

func (n *Node) openTraces() (err error) {
	if n.tracer, err = trace.Open(Version(), n.log); err != nil {
		return SettingsError{err}
	}
	return nil
}

// Traces returns the variable that names the collector of traces, and what of the environment is not sent to it; "" if there is none.
func Traces() (variable string, unsent []string, err error) {
	if variable, err = trace.Destination(); err != nil {
		return "", nil, SettingsError{err}
	}
	return variable, trace.Unsent(), nil
}

// openNATS starts the embedded server, if the settings ask for one.
func (n *Node) openNATS() error {
	if !n.Settings.Embedded() {
		return nil
	}
	config, err := Embedded(n.Settings)
	if err != nil {
		return err
	}
	n.Embedded, err = embed.Start(config, n.log)
	return err
}

// openBridge opens the bridge between NATS and browsers.
func (n *Node) openBridge() error {
	options, err := n.options()
	if err != nil {
		return err
	}
	if n.Live, err = live.Open(nil, options); err != nil {
		return err
	}
	if err := n.awaitHistory(); err != nil {
		return err
	}
	if n.Settings.Demo.Time {
		n.stopClock = startClock(n.Live, n.log)
	}
	return nil
}

// historyPatience is how long the start waits for the embedded JetStream. It answers at once, unless its cluster is incomplete.
const historyPatience = 5 * time.Second

// awaitHistory fails if an embedded server cannot keep the configured history. If JetStream does not answer yet, the start continues: in
// a cluster, one server has to be the first.
func (n *Node) awaitHistory() error {
	if n.Embedded == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), historyPatience)
	defer cancel()
	err := n.Live.AwaitHistory(ctx)
	if errors.Is(err, live.ErrNotKept) {
		return err
	}
	if err != nil {
		n.log.Warn("the embedded JetStream does not answer yet; the start continues, and no history is kept until it answers", "error", err)
	}
	return nil
}

func (n *Node) openHTTP() error {
	listener, err := passed("HTTP_LISTEN", n.Settings.HTTP.Listen)
	if listener == nil && err == nil {
		listener, err = listen("HTTP_LISTEN", n.Settings.HTTP.Listen)
	}
	if err != nil {
		return err
	}
	n.address = listener.Addr()
	n.http = NewServer(n.Live, n.log)
	listener = n.Live.Listen(n.http, listener)
	n.http.WriteTimeout = answerTimeout // event streams set their own deadline before each write
	if files := n.Settings.HTTP.TLS; !files.IsZero() {
		if n.certificate, err = OpenCertificate(files, n.log); err != nil {
			return errors.Join(err, listener.Close())
		}
		Secure(n.http, n.certificate, n.Settings.Limit)
	}
	n.serve(n.http, listener)
	return nil
}

// Close stops in reverse: first the open connections, which are asked to reconnect, then what feeds them. The listeners are
// the last to close. Until then new clients are asked to come back: behind a proxy, a refused connection is a 502, which ends an EventSource. Close works
// on a node that was opened in part.
func (n *Node) Close() error {
	begun := time.Now()
	n.notify(daemon.SdNotifyStopping)
	var problems []error
	if n.http != nil {
		n.drain()
	}
	if n.stopClock != nil {
		n.stopClock()
	}
	if n.Live != nil {
		n.Live.Close()
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
	n.tracer.Close()
	if n.http != nil {
		n.log.Info("stopped", "took", time.Since(begun).Round(time.Millisecond), "asked_to_reconnect", n.drained)
	}
	return errors.Join(problems...)
}

// drain asks every open connection to reconnect, and finishes running publications.
func (n *Node) drain() {
	settings := n.Settings.Drain
	n.admin.draining.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), settings.Delay+settings.Window+stopPatience)
	defer cancel()
	cut := context.AfterFunc(ctx, n.cut)
	n.Live.Drain(ctx, settings.Delay, settings.Window)
	cut()
	n.drained = n.Live.Stats().Connections.Ended["drain"]
}

// closeHTTP closes the listener, and waits for running requests.
func (n *Node) closeHTTP() {
	ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
	defer cancel()
	if n.http.Shutdown(ctx) != nil {
		n.cut()
	}
}

// cut ends the connections that have not ended by themselves, and with them their writers. Such connections are the clients' doing, and
// not a failure.
func (n *Node) cut() {
	n.log.Warn("connections that did not end by themselves were cut")
	_ = n.http.Close()
}
