package source

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/time/rate"

	"github.com/tailwater/tailwater/bridge"
)

// Source is a connection to NATS that feeds read from. It implements bridge.Source.
type Source struct {
	conn     *nats.Conn
	table    *table
	up       atomic.Bool // whether there is a connection; nats.go would answer only after the dial that is under way
	log      *slog.Logger
	dials    *atomic.Uint64 // how often a connection was made; see countDials
	incoming chan *nats.Msg // of all subscriptions
	intake   intake         // what came in by it
	refused  refusals
	unsure   chan struct{}   // wakes confirm: some feed may not receive everything
	caughtUp chan struct{}   // holds one when deliver has reached what catchUp put among the messages
	alive    context.Context // until Close
	stop     context.CancelFunc
	closed   chan struct{} // closed when nats.go has given up the connection
	running  sync.WaitGroup
	stats    counters
	unstored decoder        // for messages of subjects that no stream holds
	errors   rate.Sometimes // that nats.go reports, to be logged
	failures rate.Sometimes // to connect

	// subscribing is held across calls into nats.go, which can wait for the network; mu never is.
	subscribing sync.Mutex

	mu       sync.Mutex
	position bridge.Position
	flows    map[bridge.Subject]*flow
	bySub    map[*nats.Subscription]*flow
	attached map[*bridge.Feed]*attachment
	waiting  []*attachment // not yet confirmed for the first time
	sureOf   uint64        // the last dial for which confirm looked at every attachment
}

// flow is one subscription and the feeds that take from it.
type flow struct {
	filter bridge.Subject
	sub    *nats.Subscription
	lost   int // messages, as far as it was announced
	feeds  map[*attachment]struct{}
}

// attachment is a feed, and the connection on which its subscriptions are known to be in force: a dial's number, 0 before
// the first. While that is not the present connection, messages may be missing, so none are delivered: a gap is announced
// once they are in force again.
type attachment struct {
	feed   *bridge.Feed
	joined bool // the feed is in its flows; guarded by subscribing
	sure   uint64
}

// Dialer makes the connection to NATS: nats.Connect with a URL, a context or an in-process server of its own. It must
// pass on the options it is given, after its own.
type Dialer func(...nats.Option) (*nats.Conn, error)

// Open connects. It returns without an error while NATS is away, and goes on trying for ever, with a growing, jittered
// delay; an error means that the settings cannot work, such as credentials that cannot be read.
func Open(dial Dialer, log *slog.Logger) (*Source, error) {
	s := &Source{
		log:      log,
		dials:    new(atomic.Uint64),
		incoming: make(chan *nats.Msg, incomingBuffer),
		intake:   newIntake(),
		refused:  newRefusals(),
		unsure:   make(chan struct{}, 1),
		caughtUp: make(chan struct{}, 1),
		closed:   make(chan struct{}),
		position: bridge.Position{Epoch: rand.Text()[:12], Time: time.Now().UnixNano()},
		flows:    map[bridge.Subject]*flow{},
		bySub:    map[*nats.Subscription]*flow{},
		attached: map[*bridge.Feed]*attachment{},
		errors:   rate.Sometimes{First: 10, Interval: time.Minute},
		failures: rate.Sometimes{Interval: time.Minute},
	}
	s.alive, s.stop = context.WithCancel(context.Background())
	s.unstored = s.decoder(jetstream.StreamConfig{})
	conn, err := dial(s.options()...)
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	s.conn = conn
	s.up.Store(conn.IsConnected())
	s.running.Go(s.take)
	s.running.Go(s.deliver)
	s.running.Go(s.confirm)
	return s, nil
}

// Close ends the connection, after what was published has been sent, and waits for all that Open started. Feeds that are
// still attached get nothing more. It may be called more than once.
func (s *Source) Close() {
	s.stop()
	s.running.Wait()
	if s.conn.IsConnected() && s.conn.Drain() == nil {
		<-s.closed
	}
	s.conn.Close()
	<-s.closed
}

// Closed is closed when the connection has ended for good. Before Close that is a failure: a server's protocol error
// that nats.go does not recover from.
func (s *Source) Closed() <-chan struct{} { return s.closed }

// Attach implements bridge.Source. It only notes the feed: confirm subscribes, because nats.go can make its callers wait
// for the network.
func (s *Source) Attach(feed *bridge.Feed) {
	a := &attachment{feed: feed}
	s.mu.Lock()
	s.attached[feed] = a
	s.waiting = append(s.waiting, a)
	s.mu.Unlock()
	s.becomeSure()
}

// subscribe sees to it that the feeds are in the flows of their filters.
func (s *Source) subscribe(candidates []*attachment) {
	for _, a := range candidates {
		s.subscribing.Lock()
		for _, filter := range s.missing(a) {
			if err := s.join(a, filter); err != nil {
				// Only a closed connection refuses; the bridge is stopping, and its browsers will come back to another.
				s.log.Error("cannot subscribe", "error", err)
			}
		}
		a.joined = true
		s.subscribing.Unlock()
	}
}

// missing gives the filters whose flows the feed has yet to join; none if it has, or was detached meanwhile.
func (s *Source) missing(a *attachment) []bridge.Subject {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.joined || s.attached[a.feed] != a {
		return nil
	}
	return a.feed.Subjects()
}

// join adds the feed to the flow of a filter, which it subscribes to where this is the first.
func (s *Source) join(a *attachment, filter bridge.Subject) error {
	s.mu.Lock()
	known, found := s.flows[filter]
	if found {
		known.feeds[a] = struct{}{}
	}
	s.mu.Unlock()
	if found {
		return nil
	}
	sub, err := s.conn.ChanSubscribe(string(filter), s.incoming)
	if err != nil {
		return fmt.Errorf("subscribe to %s: %w", filter, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	opened := &flow{filter: filter, sub: sub, feeds: map[*attachment]struct{}{a: {}}}
	s.flows[filter] = opened
	s.bySub[sub] = opened
	return nil
}

// Detach implements bridge.Source.
func (s *Source) Detach(feed *bridge.Feed) {
	s.subscribing.Lock()
	defer s.subscribing.Unlock()
	for _, unused := range s.leave(feed) {
		if err := unused.sub.Unsubscribe(); err != nil && !s.conn.IsClosed() {
			s.log.Error("cannot unsubscribe", "subject", unused.filter, "error", err)
		}
	}
}

// leave forgets the feed, and gives the flows that nobody else takes from.
func (s *Source) leave(feed *bridge.Feed) (unused []*flow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, found := s.attached[feed]
	if !found {
		return nil
	}
	delete(s.attached, feed)
	for _, filter := range feed.Subjects() {
		flow, found := s.flows[filter]
		if !found {
			continue
		}
		delete(flow.feeds, a)
		if len(flow.feeds) == 0 {
			delete(s.flows, filter)
			delete(s.bySub, flow.sub)
			s.intake.forget(flow.sub)
			unused = append(unused, flow)
		}
	}
	return unused
}

// advance gives the next position. The lock must be held.
func (s *Source) advance() bridge.Position {
	s.position.Seq++
	s.position.Time = time.Now().UnixNano()
	return s.position
}
