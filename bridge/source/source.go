package source

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/time/rate"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/catalog"
	"github.com/tailwater/tailwater/bridge/source/history"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// Source receives the messages of feeds: stored ones by one tap for each stream, all others by subscriptions. It implements
// bridge.Source.
type Source struct {
	conn          *js.Conn
	reads         *js.Conn // on which streams are read
	api           js.API
	table         *catalog.Table
	absence       *absence
	log           *slog.Logger
	incoming      chan *nats.Msg // of all subscriptions
	intake        *intake        // received and not delivered yet
	acks          *js.Acks
	isBroken      func() bool     // Config.IsBroken
	tracer        bridge.Tracer   // Config.Tracer
	events        atomic.Uint32   // for the control loop
	wake          chan struct{}   // buffers one: events is not 0
	caughtUp      chan struct{}   // buffers one: deliver has reached the empty message of catchUp
	alive         context.Context // until Close
	stop          context.CancelFunc
	running       sync.WaitGroup
	stats         counters
	errors        failures
	unstored      js.Decoder     // for messages of subjects without a stream
	errorLog      rate.Sometimes // for errors that nats.go reports
	limits        rate.Sometimes // for limits of subscriptions
	readsFailures rate.Sometimes
	tapFails      rate.Sometimes // for streams that cannot be read
	brokenHeaders rate.Sometimes // for messages with undecodable headers
	noService     sync.Once      // for what a service is refused

	// placing is held during calls into nats.go, which may wait for the network. mu and the locks of taps never are. They are
	// taken in this order.
	placing sync.Mutex

	mu       sync.Mutex
	taps     map[string]*tap // by stream; changed with both locks, read with either
	position bridge.Position
	flows    map[bridge.Subject]*flow
	bySub    map[*nats.Subscription]*flow
	attached map[*bridge.Feed]*placement
	waiting  []*placement // to be placed, or to begin
	starving []*flow      // flows that found no room because NATS limits subscriptions, the oldest first
	fresh    []*flow      // flows subscribed since the last proof
	deaf     int          // the number of deaf flows

	admission            // belongs to the control loop
	admitting sync.Mutex // held while subscriptions are made one by one, to find the refused one; taken before placing
}

// Config is the configuration of a source. The zero value is for a NATS server of the bridge's own account.
type Config struct {
	History History
	// API is the prefix of JetStream's API, if it is not $JS.API: see DomainAPI.
	API string
	// CommandContext is the context that printed nats commands name; "" for none.
	CommandContext string
	// Intake is how many bytes of messages may wait for delivery; 0 for 64 MiB.
	Intake int64
	// Began returns when the present life of a stream began. nil stands for its creation.
	Began func(stream string, created time.Time) time.Time
	// IsBroken reports whether the server's store is known to be broken. If so, messages for a stream are refused at once. nil
	// means that this is never known.
	IsBroken func() bool
	// Tracer measures reads of streams; nil for none.
	Tracer bridge.Tracer
}

// newHistory returns the History of a stream, which works while alive.
func (s *Source) newHistory(alive context.Context, of *catalog.Stream) *history.History {
	return history.New(alive, s.reads, s.api, &of.Info, of.Epoch, s.unstored.Oddities)
}

// noteBroken counts and logs a message that is delivered without its headers, because they cannot be decoded.
func (s *Source) noteBroken(subject string) {
	s.stats.brokenHeaders.Add(1)
	s.brokenHeaders.Do(func() {
		s.log.Warn("a message has headers that cannot be decoded; it is delivered without them", "subject", subject)
	})
}

// advance returns the next position of the unstored messages. The lock must be held.
func (s *Source) advance() bridge.Position {
	s.position.Seq++
	s.position.Time = time.Now().UnixNano()
	return s.position
}

// signal wakes the control loop.
func (s *Source) signal(e event) {
	s.events.Or(uint32(e))
	js.Wake(s.wake)
}

// within reports whether the server answers ask within confirmTimeout: Conn.RoundTrip, or Conn.PassBarrier.
func (s *Source) within(ask func(context.Context) bool) bool {
	ctx, cancel := context.WithTimeout(s.alive, confirmTimeout)
	defer cancel()
	return ask(ctx)
}
