package outlet

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/tailwater/tailwater/bridge"
)

// Config says how connections are kept. Every field is needed.
type Config struct {
	Heartbeat    time.Duration // a comment is sent after so long a silence
	Parting      time.Duration // a connection stays open for so long after its last event, until it breaks off
	WriteTimeout time.Duration // a client that takes nothing for so long is cut
	Age          time.Duration // a connection is asked to come back after this, give or take a fifth
	Retry        time.Duration // clients are told to reconnect after this, give or take half
	Loops        int           // how many event loops write, on Linux; 0: each connection is written by a goroutine of its own
	Log          *slog.Logger
}

// The reasons for which connections end.
const (
	endClient = "client" // it hung up, or the network did
	endSlow   = "slow"   // it took nothing for the write timeout
	endAuth   = bridge.CloseAuth
	endAge    = bridge.CloseAge
	endDrain  = bridge.CloseDrain
)

// Outlet holds the open connections.
type Outlet struct {
	config    Config
	clock     func() time.Time // on the wall: without the monotonic reading
	stats     counters
	endLog    func()
	slowLogs  rate.Sometimes
	plainLogs rate.Sometimes
	loops     []*loop // none where each connection has a goroutine

	draining chan struct{} // closed by Drain

	mu      sync.Mutex
	open    int
	polls   int                  // under way
	plain   map[*connection]bool // that can be ended by a revocation
	drained time.Time            // when the window of Drain has passed; the zero value before Drain
	back    time.Duration        // over how long its clients come back
	empty   chan struct{}        // closed when the last connection has ended; nil unless Drain waits for it
}

// New gives an outlet without connections. Where its loops cannot be started, the log says so, and it does without.
func New(config Config) *Outlet { return newOutlet(config, wall) }

// wall returns what the clock on the wall says. Without the monotonic reading, a clock that is set is noticed.
func wall() time.Time { return time.Now().Round(0) }

func newOutlet(config Config, clock func() time.Time) *Outlet {
	o := &Outlet{
		config:    config,
		clock:     clock,
		draining:  make(chan struct{}),
		slowLogs:  rate.Sometimes{First: 3, Interval: 10 * time.Second},
		plainLogs: rate.Sometimes{First: 3, Interval: 10 * time.Second},
		plain:     map[*connection]bool{},
	}
	o.config.Log, o.endLog = startLogging(config.Log)
	var err error
	if o.loops, err = startLoops(o); err != nil {
		o.config.Log.Error("cannot start the event loops; each connection costs more", "error", err)
	}
	return o
}

// Close ends the loops, and cuts what connections they have: call Drain before.
func (o *Outlet) Close() {
	for _, l := range o.loops {
		l.close()
	}
	o.endLog()
}

type connKey struct{}

// ConnContext is for http.Server, so that Serve knows the connection below a request. Only those that come from Listen can
// be taken over, and have clients noticed whose network is gone.
func ConnContext(ctx context.Context, conn net.Conn) context.Context {
	paceOver(conn)
	return context.WithValue(ctx, connKey{}, conn)
}

// Serve answers a request with the reader's frames until the client or the server ends it. The response's headers but the
// status must have been set. It takes the reader over, and closes it at the end; then it calls terms.Ended. The connection
// ends when its terms say so.
//
// Over HTTP/1.1 and HTTP/2 the response never ends cleanly, because clients built on fetch take a clean end for the end of all: the
// last chunk is not sent, or the stream is reset. For that, Serve panics with http.ErrAbortHandler where it has not taken the connection.
//
// Where it can, it takes the connection from net/http for an event loop, and returns at once: over TCP, with HTTP/1 and
// without TLS, on Linux. Elsewhere the calling goroutine writes, and it returns at the end.
func (o *Outlet) Serve(w http.ResponseWriter, r *http.Request, reader *bridge.Reader, terms bridge.Terms) {
	if terms.Ended == nil {
		terms.Ended = func(bool) {}
	}
	o.enter()
	reader.Greet(jitter(o.config.Retry, 0.5), o.config.Heartbeat)
	if taken, ok := o.takeOver(w, r); ok {
		o.hand(taken, w.Header(), r.ProtoAtLeast(1, 1), reader, terms)
		return
	}
	o.stats.plain.Add(1)
	reason := endClient
	defer func() {
		o.stats.plain.Add(-1)
		reader.Close()
		o.leave(reason)
		terms.Ended(reason == endSlow)
	}()
	conn, _ := r.Context().Value(connKey{}).(net.Conn)
	c := &connection{
		outlet: o, reader: reader, w: w, control: http.NewResponseController(w), http2: r.ProtoMajor == 2, conn: below(conn),
		terms: terms,
	}
	if terms.Revoked != nil {
		c.recheck = bridge.NewSignal()
		defer o.watch(c)()
	}
	if reason = c.run(r.Context()); reason == endSlow {
		o.logSlow(r.RemoteAddr, reader.Feed().Subjects())
	}
	if r.ProtoAtLeast(1, 1) {
		panic(http.ErrAbortHandler)
	}
}

// watch lets Recheck reach a connection, until what it gives is called.
func (o *Outlet) watch(c *connection) (unwatch func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.plain[c] = true
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.plain, c)
	}
}

// Recheck lets every connection look whether its terms have been revoked, and end if so. It returns at once.
func (o *Outlet) Recheck() {
	o.mu.Lock()
	for c := range o.plain {
		c.recheck.Wake()
	}
	o.mu.Unlock()
	for _, l := range o.loops {
		l.recheck()
	}
}

func (o *Outlet) logSlow(client string, subjects []bridge.Subject) {
	o.slowLogs.Do(func() {
		o.config.Log.Warn("cut a client that took nothing", "for", o.config.WriteTimeout, "client", client, "subjects", subjects, "cut_so_far", o.stats.slow.Load())
	})
}

// Drain ends every connection: each is told so, and when to come back. They end one after another, spread evenly over the window.
// Their clients are asked to come back a while after it has passed, when this process has ended and may have been started anew, and
// not faster than a bridge can accept them. Drain returns when the last connection has ended. Those of loops that have not when ctx
// ends are cut; the others are the server's to cut. New connections end at once. It may be called once.
func (o *Outlet) Drain(ctx context.Context, window time.Duration) {
	empty := make(chan struct{})
	o.mu.Lock()
	o.drained = time.Now().Add(window)
	o.back = max(o.config.Retry, time.Duration(o.open)*time.Second/acceptRate)
	if o.open+o.polls > 0 {
		o.empty = empty
	} else {
		close(empty)
	}
	o.mu.Unlock()
	close(o.draining)
	for _, l := range o.loops {
		l.drain()
	}
	select {
	case <-empty:
	case <-ctx.Done():
		for _, l := range o.loops {
			l.cut()
		}
		<-empty
	}
}

// restart is how long, behind the window, a bridge has to end and to listen again.
const restart = 2 * time.Second

func (o *Outlet) enter() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open++
	o.stats.opened.Add(1)
}

func (o *Outlet) leave(reason string) {
	o.stats.end(reason)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open--
	o.tellEmpty()
}

// tellEmpty tells Drain that nothing is left. The lock must be held.
func (o *Outlet) tellEmpty() {
	if o.open+o.polls == 0 && o.empty != nil {
		close(o.empty)
		o.empty = nil
	}
}

func (o *Outlet) isDraining() bool {
	select {
	case <-o.draining:
		return true
	default:
		return false
	}
}

// drainDelay returns how long one connection stays while draining: one that came late, not at all.
func (o *Outlet) drainDelay(isLate bool) time.Duration {
	if isLate {
		return 0
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return time.Duration(rand.Float64() * float64(max(0, time.Until(o.drained))))
}

// retry returns when the client of a connection that ends is to come back.
func (o *Outlet) retry() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.drained.IsZero() {
		return jitter(o.config.Retry, 0.5)
	}
	return max(0, time.Until(o.drained)) + restart + time.Duration(rand.Float64()*float64(o.back))
}

// jitter gives d, more or less by up to the share, so that what began together does not go on together.
func jitter(d time.Duration, share float64) time.Duration {
	return time.Duration(float64(d) * (1 + share*(2*rand.Float64()-1)))
}
