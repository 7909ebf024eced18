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
)

// Source is where feeds get their messages from: streams, by one tap each, and where no stream holds a subject, by
// subscriptions. It implements bridge.Source.
type Source struct {
	conn          *nats.Conn
	reads         *nats.Conn // for what is older: a server answers such requests in the loop that reads from the connection
	readsClosed   chan struct{}
	api           api
	table         *table
	lost          atomic.Int64  // when the connection was lost last, in nanoseconds
	up            atomic.Bool   // whether there is a connection; set by nats.go's handlers alone, which know the order of things
	stalled       atomic.Bool   // taps have to do without flow control
	reached       chan struct{} // closed at the first connection
	servers       string        // that are dialed, as far as the settings name them; nothing secret
	log           *slog.Logger
	dials         *atomic.Uint64 // how often a connection was made; see countDials
	readsDials    *atomic.Uint64
	incoming      chan *nats.Msg // of all subscriptions
	intake        intake         // what came in by it
	refused       *refusals
	readsRefused  *refusals
	silence       *silence
	retries       *retries
	acks          *acks
	isBroken      func() bool // Config.IsBroken
	marker        *marker
	unsure        chan struct{}   // wakes confirm: some feed may not receive everything
	caughtUp      chan struct{}   // holds one when deliver has reached what catchUp put among the messages
	alive         context.Context // until Close
	stop          context.CancelFunc
	closed        chan struct{} // closed when nats.go has given up the connection
	running       sync.WaitGroup
	stats         counters
	unstored      decoder        // for messages of subjects that no stream holds
	errors        rate.Sometimes // that nats.go reports, to be logged
	limits        rate.Sometimes // of subscriptions
	failures      rate.Sometimes // to connect
	readsFailures rate.Sometimes
	tapFails      rate.Sometimes // to read a stream
	brokenHeaders rate.Sometimes // messages with headers that cannot be decoded

	// placing is held across calls into nats.go, which can wait for the network; the locks of taps and mu never are. They
	// are taken in this order.
	placing sync.Mutex
	taps    map[string]*tap // by stream; guarded by placing, as is the next
	renewed uint64          // the last dial behind which all were made to look after their consumers

	mu       sync.Mutex
	position bridge.Position
	flows    map[bridge.Subject]*flow
	bySub    map[*nats.Subscription]*flow
	attached map[*bridge.Feed]*attachment
	waiting  []*attachment // to be placed
	sureOf   uint64        // the last dial for which confirm looked at every attachment
	starving []*flow       // flows that found no room among the subscriptions that NATS allows, the oldest first
	fresh    []*flow       // flows that were subscribed since the last proof
	hasRoom  bool          // a subscription has ended since the last that found none
	deaf     int           // how many flows are

	admission            // belongs to confirm
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

// Dialer makes the connection to NATS: nats.Connect with a URL, a context or an in-process server of its own. It must
// pass on the options it is given, after its own.
type Dialer func(...nats.Option) (*nats.Conn, error)

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

// newStream returns a stream with the epoch of its present life.
func (c Config) newStream(info jetstream.StreamInfo) *stream {
	began := info.Created
	if c.Began != nil {
		began = c.Began(info.Config.Name, info.Created)
	}
	return &stream{info, bridge.Epoch(info.Config.Name, began)}
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
		dials:         new(atomic.Uint64),
		reached:       make(chan struct{}),
		incoming:      make(chan *nats.Msg, incomingBuffer),
		intake:        newIntake(cmp.Or(config.Intake, intakeBudget)),
		refused:       newRefusals(),
		marker:        newMarker(),
		readsRefused:  newRefusals(),
		readsDials:    new(atomic.Uint64),
		readsClosed:   make(chan struct{}),
		silence:       newSilence(),
		retries:       newRetries(),
		unsure:        make(chan struct{}, 1),
		caughtUp:      make(chan struct{}, 1),
		closed:        make(chan struct{}),
		position:      bridge.Position{Epoch: rand.Text()[:12], Time: time.Now().UnixNano()},
		flows:         map[bridge.Subject]*flow{},
		bySub:         map[*nats.Subscription]*flow{},
		attached:      map[*bridge.Feed]*attachment{},
		errors:        rate.Sometimes{First: 10, Interval: time.Minute},
		failures:      rate.Sometimes{Interval: awayInterval},
		readsFailures: rate.Sometimes{Interval: awayInterval},
		limits:        rate.Sometimes{Interval: time.Minute},
		tapFails:      rate.Sometimes{First: 3, Interval: 10 * time.Second},
		brokenHeaders: rate.Sometimes{First: 3, Interval: time.Minute},
		taps:          map[string]*tap{},
	}
	s.alive, s.stop = context.WithCancel(context.Background())
	s.unstored = s.decoder(jetstream.StreamConfig{})
	if err := s.connect(dial); err != nil {
		s.stop()
		return nil, err
	}
	s.api = api{s.conn, config.API, s.retries, config.CommandContext}
	err := s.openReads(dial)
	if err == nil {
		err = s.marker.open(s.conn, s.api.subject(askNames))
	}
	if err == nil {
		s.acks, err = openAcks(s.conn)
	}
	if err == nil {
		s.table, err = newTable(s.api, s.dials, s.refused, s.silence, config, s.reclassify, log)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	s.running.Go(s.take)
	s.running.Go(s.deliver)
	s.running.Go(s.confirm)
	s.running.Go(s.watch)
	s.running.Go(s.probe)
	return s, nil
}

// newHistory makes what reads a stream, while alive.
func (s *Source) newHistory(alive context.Context, of *stream) *history {
	return newHistory(alive, s.reads, s.api, of, s.decoder(of.info.Config))
}

// Close ends the connection, after what was published has been sent, and waits for all that Open started. Feeds that are
// still attached get nothing more. It may be called more than once.
func (s *Source) Close() {
	s.stop()
	s.running.Wait()
	if s.table != nil {
		s.table.close()
	}
	if s.reads != nil {
		s.reads.Close()
		<-s.readsClosed
	}
	if s.conn.IsConnected() && s.conn.Drain() == nil {
		<-s.closed
	}
	s.conn.Close()
	<-s.closed
}

// Closed is closed when the connection has ended for good. Before Close that is a failure: a server's protocol error
// that nats.go does not recover from.
func (s *Source) Closed() <-chan struct{} { return s.closed }

// Attach implements bridge.Source. It only notes the feed: confirm places it, because nats.go can make its callers wait
// for the network.
func (s *Source) Attach(feed *bridge.Feed) {
	a := &attachment{feed: feed}
	s.mu.Lock()
	s.attached[feed] = a
	s.waiting = append(s.waiting, a)
	s.mu.Unlock()
	s.becomeSure()
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

// reclassify looks anew at where every feed's messages come from.
func (s *Source) reclassify() {
	s.mu.Lock()
	s.sureOf = 0
	s.mu.Unlock()
	s.becomeSure()
}

// advance gives the next position where nothing is stored. The lock must be held.
func (s *Source) advance() bridge.Position {
	s.position.Seq++
	s.position.Time = time.Now().UnixNano()
	return s.position
}
