package outlet

import (
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/tailwater/tailwater/bridge"
)

// Config says how connections are kept. Every field is needed.
type Config struct {
	Heartbeat    time.Duration // a comment is sent after so long a silence
	WriteTimeout time.Duration // a client that takes nothing for so long is cut
	Age          time.Duration // a connection is asked to come back after this, give or take a fifth
	Retry        time.Duration // clients are told to reconnect after this, give or take half
	Log          *slog.Logger
}

// The reasons for which connections end.
const (
	endClient = "client" // it hung up, or the network did
	endSlow   = "slow"   // it took nothing for the write timeout
	endAge    = bridge.CloseAge
	endDrain  = bridge.CloseDrain
)

// Outlet holds the open connections.
type Outlet struct {
	config   Config
	stats    counters
	slowLogs rate.Sometimes

	draining chan struct{} // closed by Drain

	mu     sync.Mutex
	open   int
	spread time.Duration // how far apart connections end while draining
	empty  chan struct{} // closed when the last connection has ended; nil unless Drain waits for it
}

// New gives an outlet without connections.
func New(config Config) *Outlet {
	return &Outlet{
		config:   config,
		draining: make(chan struct{}),
		slowLogs: rate.Sometimes{First: 3, Interval: 10 * time.Second},
	}
}

// Serve answers a request with the reader's frames until the client or the server ends it. The response's headers but
// the status must have been set. The caller closes the reader.
func (o *Outlet) Serve(w http.ResponseWriter, r *http.Request, reader *bridge.Reader) {
	o.enter()
	c := &connection{outlet: o, reader: reader, w: w, control: http.NewResponseController(w), http2: r.ProtoMajor == 2}
	reason := endClient
	defer func() { o.leave(reason) }()
	reason = c.run(r.Context())
	if reason == endSlow {
		o.slowLogs.Do(func() {
			o.config.Log.Warn("cut a client that took nothing", "for", o.config.WriteTimeout, "client", r.RemoteAddr, "path", r.URL.Path, "cut_so_far", o.stats.slow.Load())
		})
	}
}

// Drain ends every connection: each is told so, and when to come back. They end one after another within the window, or
// sooner where there are few, so that their clients do not arrive all at once wherever they go. It returns when the last
// has ended. New connections end at once; whoever calls Serve had better stop before. It may be called once.
func (o *Outlet) Drain(window time.Duration) {
	empty := make(chan struct{})
	o.mu.Lock()
	o.spread = min(window, time.Duration(o.open)*drainPace)
	if o.open > 0 {
		o.empty = empty
	} else {
		close(empty)
	}
	o.mu.Unlock()
	close(o.draining)
	<-empty
}

// drainPace is how long each connection lengthens the drain: 200 a second is nothing for the bridge they go to.
const drainPace = 5 * time.Millisecond

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
	if o.open == 0 && o.empty != nil {
		close(o.empty)
		o.empty = nil
	}
}

// drainDelay gives how long one connection stays while draining.
func (o *Outlet) drainDelay() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	return time.Duration(rand.Float64() * float64(o.spread))
}

// jitter gives d, more or less by up to the share, so that what began together does not go on together.
func jitter(d time.Duration, share float64) time.Duration {
	return time.Duration(float64(d) * (1 + share*(2*rand.Float64()-1)))
}
