package source

import (
	"cmp"
	"context"
	"crypto/rand"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/time/rate"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/catalog"
	"github.com/tailwater/tailwater/bridge/source/js"
)

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
		attached:      map[*bridge.Feed]*placement{},
		errorLog:      rate.Sometimes{First: 10, Interval: time.Minute},
		readsFailures: rate.Sometimes{Interval: awayInterval},
		limits:        rate.Sometimes{Interval: time.Minute},
		tapFails:      rate.Sometimes{First: 3, Interval: 10 * time.Second},
		brokenHeaders: rate.Sometimes{First: 3, Interval: time.Minute},
		taps:          map[string]*tap{},
	}
	s.alive, s.stop = context.WithCancel(context.Background())
	s.unstored = js.Decoder{
		Config:   &jetstream.StreamConfig{},
		Oddities: js.Oddities{BadName: func() { s.stats.refusedEvents.Add(1) }, BadHeaders: s.noteBroken},
	}
	s.absence = newAbsence(log, func() string { return s.conn.Addresses() })
	s.conn = js.New(js.Events{
		Begin: s.hearAgain, Up: s.connected, Down: s.disconnected, Failed: s.absence.failed, Missed: s.missed, Error: s.asyncError,
		Ended: s.ended,
	})
	s.reads = js.New(js.Events{Failed: s.readsFailed, Missed: s.missed, Error: s.asyncError, Ended: s.ended})
	s.api = js.API{Conn: s.conn, Prefix: config.API, Context: config.CommandContext}
	err := s.connect(dial)
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

// closePatience is how long Close waits for the server to receive what was published. Whoever needs to know that a message has arrived has
// waited for its acknowledgement.
const closePatience = time.Second

// Close sends what was published, closes the connections, and waits for every goroutine that Open started. Attached feeds receive
// nothing more. It may be called more than once.
func (s *Source) Close() {
	s.stop()
	s.running.Wait()
	if s.table != nil {
		s.table.Close()
	}
	s.reads.Close()
	if s.conn.NATS() != nil && s.conn.NATS().IsConnected() {
		ctx, cancel := context.WithTimeout(context.Background(), closePatience)
		defer cancel()
		_ = s.conn.NATS().FlushWithContext(ctx) // a server that stands still delays the stop no longer than that
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
	p := &placement{feed: feed}
	s.mu.Lock()
	s.attached[feed] = p
	s.mu.Unlock()
	s.await(p)
	s.signal(roundDue)
}

// Detach implements bridge.Source.
func (s *Source) Detach(feed *bridge.Feed) {
	s.placing.Lock()
	defer s.placing.Unlock()
	s.mu.Lock()
	p := s.attached[feed]
	delete(s.attached, feed)
	s.mu.Unlock()
	if p != nil {
		s.remove(p)
	}
}
