package catalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/time/rate"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// Portion is the part of a feed's subjects that one stream serves; or, if Stream is nil, that none does.
type Portion struct {
	Stream     *Stream
	Subjects   []bridge.Subject
	Unreadable bool // streams hold some of them, and are not read
}

// rank is 1 for the members of subjects: if there is no room for all streams, theirs is left out first.
func (p *Portion) rank() int {
	if p.Stream.Name() == presenceStream {
		return 1
	}
	return 0
}

// Table knows which stream holds a subject. It reads all streams on each connection, and from then on again what
// advisories name, and everything from time to time.
//
// That JetStream does not answer is no reason to take a subject for one without a stream: messages would be lost that are
// stored. What was read last holds on; before the first reading nothing is known. Only a definite word ends that: that
// there is no JetStream, or not for this account or this user. And where JetStream was there, nobody at its subjects is no
// such word before a minute has passed: a server cut off from its cluster looks the same.
//
// A stream that does not answer is known as it was last. One that never did is asked for by subject: the cluster's leader
// knows every stream's subjects, and whatever a silent one may hold remains unknown.
type Table struct {
	api     js.API
	config  Config
	keep    History // of config
	changed func()
	log     *slog.Logger

	alive    context.Context
	stop     context.CancelFunc
	running  sync.WaitGroup
	wake     chan struct{} // holds one while there is something to do
	lapse    chan struct{} // holds one when something new has a time limit
	advisory *nats.Subscription
	failures rate.Sometimes // to be logged
	beyond   rate.Sometimes // streams that are not read, to be logged

	ensured *js.Link // on which the stream of Tailwater's own was seen to; belongs to run, as the next four
	unsure  int      // how often it could not be, in a row
	turn    uint64   // which share of the streams is due
	retries int
	gone    time.Time // since when JetStream is gone, where it was there

	mu         sync.Mutex
	now        *Streams
	own        own
	doubts     todo
	overlaps   map[bridge.Subject][]string // streams, by filters that were asked for; see Table.answer
	used       map[string]bool             // streams that something was read from or stored in, by name
	missed     map[string]missed           // streams that were deleted a moment ago, by name
	unreadable map[string]bar              // streams that cannot be read
	awaited    bridge.Subject              // of a bucket that is about to be made; see KeyValue
	news       js.Signal                   // now or overlaps have changed, or what is unreadable
}

// todo is what the table has to look at.
type todo struct {
	all     bool
	look    bool                 // at those that are due
	names   map[string]time.Time // and when JetStream told of them
	filters []bridge.Subject     // which streams overlap them?
}

// Config is what a table is to know of the bridge.
type Config struct {
	History History
	// Began returns when the present life of a stream began: usually when it was created. nil means always then.
	Began func(stream string, created time.Time) time.Time
}

// newStream returns a stream with the epoch of its present life.
func (c Config) newStream(info jetstream.StreamInfo) *Stream {
	began := info.Created
	if c.Began != nil {
		began = c.Began(info.Config.Name, info.Created)
	}
	return &Stream{info, bridge.Epoch(info.Config.Name, began)}
}

// New starts a table. changed is called, from the table's own goroutine, when feeds may have to be served otherwise.
func New(a js.API, config Config, changed func(), log *slog.Logger) (*Table, error) {
	t := &Table{
		api: a, config: config, keep: config.History, changed: changed, log: log,
		wake:       make(chan struct{}, 1),
		failures:   rate.Sometimes{Interval: time.Minute},
		beyond:     rate.Sometimes{Interval: time.Minute},
		doubts:     todo{all: true, names: map[string]time.Time{}},
		used:       map[string]bool{},
		missed:     map[string]missed{},
		unreadable: map[string]bar{},
		lapse:      make(chan struct{}, 1),
	}
	var err error
	if t.advisory, err = t.api.Subscribe(advisorySubjects, t.advised); err != nil {
		return nil, fmt.Errorf("subscribe to what JetStream tells of streams: %w", err)
	}
	t.alive, t.stop = context.WithCancel(context.Background())
	t.running.Go(t.run)
	return t, nil
}

// Close ends the table, and waits for it.
func (t *Table) Close() {
	t.stop()
	t.running.Wait()
	_ = t.advisory.Unsubscribe() // a connection that is closed has no subscriptions
}

// Classify returns the portions of the subjects, by stream; what none serves is the last. It reports false while that is
// not known: before the first reading on this connection, or while a stream that may hold some of them is silent. changed
// tells when to ask again.
//
// A filter belongs to a stream if one of the stream's subjects covers it whole. So subjects lie in no more portions than there
// are subjects, and up to bridge.MaxLogs of them always find room in one id. Of more, the last streams may not be read.
func (t *Table) Classify(subjects []bridge.Subject) ([]Portion, bool) {
	served, unserved, unreadable, known := t.divide(subjects)
	if !known {
		return nil, false
	}
	portions := make([]Portion, 0, len(served)+1)
	for holder, subjects := range served {
		portions = append(portions, Portion{Stream: holder, Subjects: subjects})
	}
	// Every node must choose the same streams: an id of one is brought to another.
	slices.SortFunc(portions, func(x, y Portion) int {
		return cmp.Or(cmp.Compare(x.rank(), y.rank()), strings.Compare(x.Stream.Name(), y.Stream.Name()))
	})
	none := Portion{Subjects: unserved, Unreadable: unreadable}
	if most := bridge.MaxLogs; len(portions) > most || len(portions) == most && len(unserved) > 0 {
		portions = t.leaveOut(portions, most-1, &none)
	}
	if len(none.Subjects) > 0 {
		slices.Sort(none.Subjects)
		portions = append(portions, none)
	}
	return portions, true
}

// leaveOut keeps so many portions; what the others have is passed on as it comes, as if their streams could not be read.
func (t *Table) leaveOut(portions []Portion, most int, none *Portion) []Portion {
	var names []string
	for _, beyond := range portions[most:] {
		none.Subjects = append(none.Subjects, beyond.Subjects...)
		names = append(names, beyond.Stream.Name())
	}
	none.Unreadable = true
	t.beyond.Do(func() {
		t.log.Warn("subjects read on one connection lie in more streams than an event id has room for; those left out are passed on as they come, without history, and their readers are told by a gap",
			"streams", len(portions), "left out", names, "remedy", "read them on several connections, or hold them in fewer streams")
	})
	return portions[:most]
}

// divide gives the subjects by the stream that serves them, those that none does, and whether that is because a stream cannot
// be read.
func (t *Table) divide(subjects []bridge.Subject) (served map[*Stream][]bridge.Subject, unserved []bridge.Subject, unreadable, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	served = map[*Stream][]bridge.Subject{}
	known = t.isKnown()
	for _, subject := range subjects {
		holder, known := t.find(subject)
		switch {
		case !known, holder == nil && t.awaited != "" && t.awaited.Covers(subject):
			return nil, nil, false, false
		case holder == nil || holder.Untapped() != "":
			unserved = append(unserved, subject)
		case t.isUnreadable(holder.Name()):
			unserved, unreadable = append(unserved, subject), true
		default:
			served[holder] = append(served[holder], subject)
		}
	}
	return served, unserved, unreadable, known
}

// isKnown tells whether anything is known on this connection. The lock must be held.
func (t *Table) isKnown() bool { return t.now != nil && t.now.link == t.api.Link() }

// find gives the stream that takes all that filter stands for, if that is known. The lock must be held.
func (t *Table) find(filter bridge.Subject) (holder *Stream, known bool) {
	if !t.isKnown() {
		return nil, false
	}
	if holder = t.now.covering(filter); holder != nil {
		t.used[holder.Name()] = true
	}
	for _, gone := range t.missed {
		if holder == nil && gone.covers(filter) {
			return nil, false
		}
	}
	if holder != nil || len(t.now.unread) == 0 {
		return holder, true
	}
	overlapping, asked := t.overlaps[filter]
	if !asked {
		if len(t.doubts.filters) < maxQuestions && !slices.Contains(t.doubts.filters, filter) {
			t.doubts.filters = append(t.doubts.filters, filter)
		}
		t.poke()
		return nil, false
	}
	silent := func(name string) bool { return slices.Contains(t.now.unread, name) }
	return nil, !slices.ContainsFunc(overlapping, silent)
}

// Await is Classify, once it is known.
func (t *Table) Await(ctx context.Context, subjects []bridge.Subject) (portions []Portion, err error) {
	err = t.until(ctx, func() (known bool) {
		portions, known = t.Classify(subjects)
		return known
	})
	return portions, err
}

// Holding returns the stream that stores and acknowledges what is published on a concrete subject, whether or not feeds
// are served from it; nil if there is none. It waits until that is known.
func (t *Table) Holding(ctx context.Context, subject bridge.Subject) (holder *Stream, err error) {
	err = t.until(ctx, func() (known bool) {
		t.mu.Lock()
		defer t.mu.Unlock()
		holder, known = t.find(subject)
		return known
	})
	if err != nil || holder != nil && holder.Info.Config.NoAck {
		return nil, err
	}
	return holder, nil
}

// errUnknown means that it is not known which stream holds a subject.
var errUnknown = errors.New("JetStream has not said yet which stream holds it")

// until waits until something is known.
func (t *Table) until(ctx context.Context, isKnown func() bool) error {
	for {
		news := t.news.Wait()
		if isKnown() {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", errUnknown, ctx.Err())
		case <-t.alive.Done():
			return fmt.Errorf("%w: %w", errUnknown, bridge.ErrClosed)
		}
	}
}
