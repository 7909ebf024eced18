package outlet

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/sockets"
)

// Config says how to treat connections. Every field is needed, except Delays.
type Config struct {
	Heartbeat    time.Duration // silence after which a comment is sent
	CloseDelay   time.Duration // how long a connection stays open after its last event, until it breaks off
	WriteTimeout time.Duration // how long a client may receive nothing before it is cut
	Age          time.Duration // age at which a client is asked to reconnect, give or take a fifth
	Retry        time.Duration // when clients should reconnect, give or take half
	Loops        int           // the number of event loops, on Linux; 0 for one goroutine per connection
	Delays       Observer      // receives a sample of how long messages take from publication to a write to a connection; nil for none
	Log          *slog.Logger
}

// Outlet holds the open connections.
type Outlet struct {
	config    Config
	clock     func() time.Time // the system clock, without the monotonic reading
	stats     counters
	endLog    func()
	slowLogs  rate.Sometimes
	plainLogs rate.Sometimes
	loops     []*loop // empty if each connection has a goroutine

	draining chan struct{} // closed by Drain

	mu       sync.Mutex
	open     int
	polls    int                  // running
	plain    map[*connection]bool // connections that goroutines write, and whether they were kicked
	drainEnd time.Time            // end of Drain's window; the zero value before Drain
	back     time.Duration        // the time over which its clients reconnect
	empty    chan struct{}        // closed when the last connection has ended; nil unless Drain waits for it
}

// New returns an outlet without connections. If its loops cannot be started, the log says so, and the outlet works without them.
func New(config Config) *Outlet { return newOutlet(config, wall) }

// wall returns the system clock. Without the monotonic reading, a change of the clock is noticed.
func wall() time.Time { return time.Now().Round(0) }

func newOutlet(config Config, clock func() time.Time) *Outlet {
	o := &Outlet{
		config:    config,
		clock:     clock,
		stats:     counters{ended: bridge.NewCounts(endings...)},
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

// Close ends the loops, and cuts their connections: call Drain before.
func (o *Outlet) Close() {
	for _, l := range o.loops {
		l.close()
	}
	o.endLog()
}

// Serve answers a request with the reader's frames until the client or the server ends it. The caller must have set the response's headers, but
// not the status. Serve takes over the reader, and closes it at the end; then it calls lifetime.Ended. The connection ends as lifetime says.
//
// Over HTTP/1.1 and HTTP/2 the response never ends cleanly, because a clean end would end clients built on fetch for good: the last chunk is not
// sent, or the stream is reset. For that, Serve panics with http.ErrAbortHandler, unless it has taken the connection from net/http. Only the
// response of a run that has ended ends cleanly: nothing follows.
//
// If possible, it takes the connection from net/http for an event loop, and returns at once: over TCP, with HTTP/1 and without TLS, on Linux.
// Otherwise the calling goroutine writes, and Serve returns at the end. So it does for runs, whose connections are short and seldom level. Only a
// connection of sockets.Listen can be taken, and is cut if its network is gone.
func (o *Outlet) Serve(w http.ResponseWriter, r *http.Request, reader *bridge.Reader, lifetime bridge.Lifetime) {
	if lifetime.Ended == nil {
		lifetime.Ended = func(bool) {}
	}
	o.count(1, 0)
	o.stats.opened.Add(1)
	reader.Greet(bridge.Spread(o.config.Retry), o.config.Heartbeat)
	if o.takeOver(w, r, reader, lifetime) {
		return
	}
	reason := endClient
	defer func() {
		reader.Close()
		o.closed(reason)
		lifetime.Ended(reason == endSlow)
	}()
	c := &connection{
		outlet: o, reader: reader, w: w, control: http.NewResponseController(w), http2: r.ProtoMajor == 2, conn: sockets.Of(r.Context()),
		lifetime: lifetime, opened: time.Now(), subjects: reader.Feed().Subjects(), cursor: reader.Cursor(), kicked: bridge.NewSignal(),
	}
	if lifetime.Revoked != nil {
		c.recheck = bridge.NewSignal()
		c.recheck.Wake() // the token may have been revoked before watch
	}
	defer o.watch(c)()
	if reason = c.run(r.Context()); reason == endSlow {
		o.logSlow(r.RemoteAddr, reader.Feed().Subjects())
	}
	if r.ProtoAtLeast(1, 1) && reason != endRun {
		panic(http.ErrAbortHandler)
	}
}

// watch makes Recheck, Kick and Survey reach a connection, until unwatch is called.
func (o *Outlet) watch(c *connection) (unwatch func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.plain[c] = false
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.plain, c)
	}
}

// Recheck makes every connection check whether its token was revoked, and end if so. It returns at once.
func (o *Outlet) Recheck() {
	o.mu.Lock()
	for c := range o.plain {
		if c.recheck != nil {
			c.recheck.Wake()
		}
	}
	o.mu.Unlock()
	for _, l := range o.loops {
		l.recheck()
	}
}

// Kick ends the connections that match, and returns how many. Their clients are asked to reconnect. match gets the owner of a connection
// and what it reads. Its calls do not overlap. It must not block, because an event loop waits for it.
func (o *Outlet) Kick(match func(of bridge.Lifetime, subjects []bridge.Subject) bool) (kicked int) {
	o.mu.Lock()
	for c, isKicked := range o.plain {
		if !isKicked && match(c.lifetime, c.subjects) {
			c.kicked.Wake()
			o.plain[c] = true
			kicked++
		}
	}
	o.mu.Unlock()
	for _, l := range o.loops {
		kicked += l.kick(match)
	}
	return kicked
}

// Each calls see with whose each connection is and what it reads, as Kick calls match.
func (o *Outlet) Each(see func(of bridge.Lifetime, subjects []bridge.Subject)) {
	o.Kick(func(of bridge.Lifetime, subjects []bridge.Subject) bool {
		see(of, subjects)
		return false
	})
}

// Drain ends every connection, evenly spread over the window, and tells each client when to reconnect (bridge.ReturnTo): after the window not
// faster than a bridge can accept them. Drain returns when the last connection has ended. When ctx ends, it cuts the connections of loops; the server has to cut the others. New connections end at once. Drain may
// be called once.
func (o *Outlet) Drain(ctx context.Context, window time.Duration) {
	empty := make(chan struct{})
	o.mu.Lock()
	o.drainEnd = time.Now().Add(window)
	o.back = max(o.config.Retry, time.Duration(o.open)*time.Second/sockets.AcceptRate)
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
