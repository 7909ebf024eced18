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

// Source receives the messages of feeds: stored ones by one tap for each stream, all others by subscriptions. It implements
// bridge.Source.
type Source struct {
	conn          *js.Conn
	reads         *js.Conn // reads older messages; nil if it could not be dialed
	api           js.API
	table         *catalog.Table
	absence       *absence
	log           *slog.Logger
	incoming      chan *nats.Msg // of all subscriptions
	intake        intake         // received and not delivered yet
	acks          *js.Acks
	isBroken      func() bool     // Config.IsBroken
	tracer        bridge.Tracer   // Config.Tracer
	events        atomic.Uint32   // for the control loop
	wake          chan struct{}   // has room for one: events is not 0
	caughtUp      chan struct{}   // has room for one: deliver has reached the mark of catchUp
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

	// placing is held during calls into nats.go, which may wait for the network. The locks of taps and mu never are. They are
	// taken in this order.
	placing sync.Mutex
	taps    map[string]*tap // by stream; guarded by placing

	mu       sync.Mutex
	position bridge.Position
	flows    map[bridge.Subject]*flow
	bySub    map[*nats.Subscription]*flow
	attached map[*bridge.Feed]*attachment
	waiting  []*attachment // to be placed
	starving []*flow       // flows that found no room because NATS limits subscriptions, the oldest first
	fresh    []*flow       // flows subscribed since the last proof
	deaf     int           // the number of deaf flows
	tapping  map[*tap]bool // that run, for Stats

	admission            // belongs to the control loop
	admitting sync.Mutex // held while subscriptions are made one by one, to find the refused one; taken before placing
}

// flow is one subscription, and the placements that share it.
type flow struct {
	filter bridge.Subject
	sub    *nats.Subscription // nil if there was no room for it
	deaf   bool               // not in force; its takers cannot begin
	lost   int                // how many lost messages were announced
	takers []*placement
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

// Open connects. If NATS is unreachable, Open returns no error, and the source keeps trying, with a growing, jittered delay. An
// error means that the settings cannot work, because of unreadable credentials for example.
func Open(dial Dialer, config Config, log *slog.Logger) (*Source, error) {
	if config.IsBroken == nil {
		config.IsBroken = func() bool { return false }
	}
	s := &Source{
		log:           log,
		errors:        newFailures(),
		isBroken:      config.IsBroken,
		tracer:        config.Tracer,
		incoming:      make(chan *nats.Msg, incomingBuffer),
		intake:        newIntake(cmp.Or(config.Intake, intakeBudget)),
		wake:          make(chan struct{}, 1),
		caughtUp:      make(chan struct{}, 1),
		position:      bridge.Position{Epoch: rand.Text()[:12], Time: time.Now().UnixNano()},
		flows:         map[bridge.Subject]*flow{},
		bySub:         map[*nats.Subscription]*flow{},
		attached:      map[*bridge.Feed]*attachment{},
		errorLog:      rate.Sometimes{First: 10, Interval: time.Minute},
		readsFailures: rate.Sometimes{Interval: awayInterval},
		limits:        rate.Sometimes{Interval: time.Minute},
		tapFails:      rate.Sometimes{First: 3, Interval: 10 * time.Second},
		brokenHeaders: rate.Sometimes{First: 3, Interval: time.Minute},
		taps:          map[string]*tap{},
		tapping:       map[*tap]bool{},
	}
	s.alive, s.stop = context.WithCancel(context.Background())
	s.unstored = s.decoder(jetstream.StreamConfig{})
	s.absence = newAbsence(log, func() string { return s.conn.Addresses() })
	s.conn = js.New(js.Events{
		Begin: s.hearAgain, Up: s.connected, Down: s.disconnected, Failed: s.absence.failed, Missed: s.missed, Error: s.asyncError,
		Ended: s.ended,
	})
	s.reads = js.New(js.Events{Failed: s.readsFailed, Missed: s.readsMissed, Error: s.readsError, Ended: s.ended})
	s.api = js.API{Conn: s.conn, Prefix: config.API, Context: config.CommandContext}
	err := s.connect(dial)
	if err == nil {
		err = s.conn.OpenMarker(s.api.Subject(js.AskNames))
	}
	if err == nil {
		err = s.conn.Keep(s.subscribeAll)
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

// newHistory returns the History of a stream, which works while alive.
func (s *Source) newHistory(alive context.Context, of *catalog.Stream) *history.History {
	return history.New(alive, s.reads, s.api, s.historyOf(of))
}

// historyOf returns a history's description of a stream.
func (s *Source) historyOf(of *catalog.Stream) history.Stream {
	config := &of.Info.Config
	isRefused := s.reads.Link().Ever().PublishRefused(s.api.Subject(js.AskDirect + of.Name()))
	return history.Stream{
		Epoch: of.Epoch, Created: of.Info.Created, Config: config, Decoder: s.decoder(*config), Direct: config.AllowDirect && !isRefused,
	}
}

// decoder returns the decoder of a stream's messages. The zero config is for subjects without a stream.
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

// Close sends what was published, closes the connections, and waits for every goroutine that Open started. Attached feeds receive
// nothing more. It may be called more than once.
func (s *Source) Close() {
	s.stop()
	s.running.Wait()
	if s.table != nil {
		s.table.Close()
	}
	s.reads.Close()
	if s.conn.NATS() != nil && s.conn.IsConnected() && s.conn.Drain() == nil {
		<-s.conn.Closed()
	}
	s.conn.Close()
}

// Closed returns a channel that is closed when the connection has ended for good. Before Close that is a failure: NATS has ended the
// connection by an error, and no other can be made.
func (s *Source) Closed() <-chan struct{} { return s.conn.Closed() }

// Err returns the last error of the connection, such as why it has ended.
func (s *Source) Err() error { return s.conn.Err() }

// Attach implements bridge.Source. It only records the feed. The control loop places it, because calls into nats.go may wait for
// the network.
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

// advance returns the next position of the unstored messages. The lock must be held.
func (s *Source) advance() bridge.Position {
	s.position.Seq++
	s.position.Time = time.Now().UnixNano()
	return s.position
}
