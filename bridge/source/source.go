package source

import (
	"cmp"
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/time/rate"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/catalog"
	"github.com/tailwater/tailwater/bridge/source/history"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// Source is where feeds get their messages from: streams, by one tap each, and where no stream holds a subject, by
// subscriptions. It implements bridge.Source.
type Source struct {
	conn          *js.Conn
	reads         *js.Conn // for what is older; nil if it could not be dialed
	api           js.API
	table         *catalog.Table
	lost          atomic.Int64 // when the connection was lost last, in nanoseconds
	log           *slog.Logger
	incoming      chan *nats.Msg // of all subscriptions
	intake        intake         // what came in by it
	acks          *js.Acks
	isBroken      func() bool     // Config.IsBroken
	events        atomic.Uint32   // that the control loop has not seen yet
	wake          chan struct{}   // holds one while there are some
	caughtUp      chan struct{}   // holds one when deliver has reached what catchUp put among the messages
	alive         context.Context // until Close
	stop          context.CancelFunc
	running       sync.WaitGroup
	stats         counters
	unstored      js.Decoder     // for messages of subjects that no stream holds
	errorLog      rate.Sometimes // that nats.go reports, to be logged
	limits        rate.Sometimes // of subscriptions
	failures      rate.Sometimes // to connect
	readsFailures rate.Sometimes
	tapFails      rate.Sometimes // to read a stream
	brokenHeaders rate.Sometimes // messages with headers that cannot be decoded

	// placing is held across calls into nats.go, which can wait for the network; the locks of taps and mu never are. They
	// are taken in this order.
	placing sync.Mutex
	taps    map[string]*tap // by stream; guarded by placing

	mu       sync.Mutex
	position bridge.Position
	flows    map[bridge.Subject]*flow
	bySub    map[*nats.Subscription]*flow
	attached map[*bridge.Feed]*attachment
	waiting  []*attachment // to be placed
	starving []*flow       // flows that found no room among the subscriptions that NATS allows, the oldest first
	fresh    []*flow       // flows that were subscribed since the last proof
	deaf     int           // how many flows are

	admission            // belongs to control
	admitting sync.Mutex // held while subscriptions are made one by one, to see which is refused; taken before placing
}

// flow is one subscription and those that take from it.
type flow struct {
	filter bridge.Subject
	sub    *nats.Subscription // nil where there was no room for it
	deaf   bool               // it is not in force, and those that take from it cannot begin
	lost   int                // messages, as far as it was announced
	takers []*placement
}

// Config says what a source needs to know beside the way to NATS. The zero value is for a NATS server of its own account.
type Config struct {
	History History
	// API begins the subjects of JetStream's API, where that is another than $JS.API: see DomainAPI.
	API string
	// CommandContext is the context that commands for the nats tool name, where they have to.
	CommandContext string
	// Intake is how many bytes of messages may wait for delivery; 0 for 64 MiB.
	Intake int64
	// Began returns when the present life of a stream began: usually when it was created. nil means always then.
	Began func(stream string, created time.Time) time.Time
	// IsBroken reports whether the server's store is known to be broken. What a stream should store is then refused at once. nil means
	// that it is never known.
	IsBroken func() bool
}

// Open connects. It returns without an error while NATS is away, and goes on trying for ever, with a growing, jittered
// delay; an error means that the settings cannot work, such as credentials that cannot be read.
func Open(dial Dialer, config Config, log *slog.Logger) (*Source, error) {
	if config.IsBroken == nil {
		config.IsBroken = func() bool { return false }
	}
	s := &Source{
		log:           log,
		isBroken:      config.IsBroken,
		incoming:      make(chan *nats.Msg, incomingBuffer),
		intake:        newIntake(cmp.Or(config.Intake, intakeBudget)),
		wake:          make(chan struct{}, 1),
		caughtUp:      make(chan struct{}, 1),
		position:      bridge.Position{Epoch: rand.Text()[:12], Time: time.Now().UnixNano()},
		flows:         map[bridge.Subject]*flow{},
		bySub:         map[*nats.Subscription]*flow{},
		attached:      map[*bridge.Feed]*attachment{},
		errorLog:      rate.Sometimes{First: 10, Interval: time.Minute},
		failures:      rate.Sometimes{Interval: awayInterval},
		readsFailures: rate.Sometimes{Interval: awayInterval},
		limits:        rate.Sometimes{Interval: time.Minute},
		tapFails:      rate.Sometimes{First: 3, Interval: 10 * time.Second},
		brokenHeaders: rate.Sometimes{First: 3, Interval: time.Minute},
		taps:          map[string]*tap{},
	}
	s.alive, s.stop = context.WithCancel(context.Background())
	s.unstored = s.decoder(jetstream.StreamConfig{})
	s.conn = js.New(js.Events{
		Begin: s.hearAgain, Up: s.connected, Down: s.disconnected, Failed: s.failed, Error: s.asyncError,
	})
	s.reads = js.New(js.Events{Failed: s.readsFailed, Error: s.readsError})
	s.api = js.API{Conn: s.conn, Prefix: config.API, Context: config.CommandContext}
	err := s.connect(dial)
	if err == nil {
		err = s.conn.OpenMarker(s.api.Subject(js.AskNames))
	}
	if err == nil {
		s.acks, err = js.OpenAcks(s.conn)
	}
	if err == nil {
		s.table, err = catalog.New(s.api, catalog.Config{History: config.History, Began: config.Began}, func() { s.signal(streamsChanged) }, log)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	s.running.Go(s.take)
	s.running.Go(s.deliver)
	s.running.Go(s.control)
	s.running.Go(s.watch)
	return s, nil
}

// newHistory returns what reads a stream, while alive.
func (s *Source) newHistory(alive context.Context, of *catalog.Stream) *history.History {
	return history.New(alive, s.reads, s.api, s.historyOf(of))
}

// historyOf returns what a history needs to know of a stream.
func (s *Source) historyOf(of *catalog.Stream) history.Stream {
	config := &of.Info.Config
	isRefused := s.reads.Link().Ever().PublishRefused(s.api.Subject(js.AskDirect + of.Name()))
	return history.Stream{
		Epoch: of.Epoch, Created: of.Info.Created, Config: config, Decoder: s.decoder(*config), Direct: config.AllowDirect && !isRefused,
	}
}

// decoder returns what decodes a stream's messages; those of subjects without a stream take the zero value of the config.
func (s *Source) decoder(config jetstream.StreamConfig) js.Decoder {
	return js.NewDecoder(config, js.Oddities{BadName: func() { s.stats.refusedEvents.Add(1) }, BadHeaders: s.noteBroken})
}

// noteBroken counts and logs a message that is delivered without its headers, because they cannot be decoded.
func (s *Source) noteBroken(subject string) {
	s.stats.brokenHeaders.Add(1)
	s.brokenHeaders.Do(func() {
		s.log.Warn("a message has headers that cannot be decoded; it is delivered without them", "subject", subject)
	})
}

// Close ends the connection, after what was published has been sent, and waits for all that Open started. Feeds that are
// still attached get nothing more. It may be called more than once.
func (s *Source) Close() {
	s.stop()
	s.running.Wait()
	if s.table != nil {
		s.table.Close()
	}
	s.reads.Close()
	if s.conn.Conn != nil && s.conn.IsConnected() && s.conn.Drain() == nil {
		<-s.conn.Closed()
	}
	s.conn.Close()
}

// Closed is closed when the connection has ended for good. Before Close that is a failure: a server's protocol error
// that nats.go does not recover from.
func (s *Source) Closed() <-chan struct{} { return s.conn.Closed() }

// Attach implements bridge.Source. It only notes the feed: control places it, because nats.go can make its callers wait
// for the network.
func (s *Source) Attach(feed *bridge.Feed) {
	a := &attachment{feed: feed}
	s.mu.Lock()
	s.attached[feed] = a
	s.waiting = append(s.waiting, a)
	s.mu.Unlock()
	s.signal(feedWaits)
}

// Detach implements bridge.Source.
func (s *Source) Detach(feed *bridge.Feed) {
	s.placing.Lock()
	defer s.placing.Unlock()
	s.mu.Lock()
	a := s.attached[feed]
	delete(s.attached, feed)
	s.mu.Unlock()
	if a != nil && a.at != nil {
		s.remove(a.at)
	}
}

// advance gives the next position where nothing is stored. The lock must be held.
func (s *Source) advance() bridge.Position {
	s.position.Seq++
	s.position.Time = time.Now().UnixNano()
	return s.position
}
