package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/time/rate"

	"github.com/tailwater/tailwater/bridge"
)

// portion is the part of a feed's subjects that one stream serves; or, where stream is nil, that none does.
type portion struct {
	stream   *stream
	subjects []bridge.Subject
	barred   bool // streams hold some of them, and are not read
}

// rank is 1 for the members of subjects: if there is no room for all streams, theirs is left out first.
func (p *portion) rank() int {
	if p.stream.name() == "KV_"+bridge.PresenceBucket {
		return 1
	}
	return 0
}

// table knows which stream holds a subject. It reads all streams on each connection, and from then on again what
// advisories name, and everything from time to time.
//
// That JetStream does not answer is no reason to take a subject for one without a stream: messages would be lost that are
// stored. What was read last holds on; before the first reading nothing is known. Only a definite word ends that: that
// there is no JetStream, or not for this account or this user. And where JetStream was there, nobody at its subjects is no
// such word before a minute has passed: a server cut off from its cluster looks the same.
//
// A stream that does not answer is known as it was last. One that never did is asked for by subject: the cluster's leader
// knows every stream's subjects, and whatever a silent one may hold remains unknown.
type table struct {
	api     api
	conn    *nats.Conn
	dials   *atomic.Uint64
	refused *refusals
	config  Config
	keep    History // of config
	silence *silence
	changed func()
	log     *slog.Logger

	alive    context.Context
	stop     context.CancelFunc
	running  sync.WaitGroup
	wake     chan struct{} // holds one while there is something to do
	lapse    chan struct{} // holds one when something new has a time limit
	statuses chan nats.Status
	advisory *nats.Subscription
	inbox    string // for answers
	up       atomic.Bool
	failures rate.Sometimes // to be logged
	beyond   rate.Sometimes // streams that are not read, to be logged

	ensured uint64 // the dial on which the stream of Tailwater's own was seen to; belongs to run, as the next three
	unsure  int    // how often it could not be, in a row
	retries int
	gone    time.Time // since when JetStream is gone, where it was there

	mu       sync.Mutex
	now      *streams
	own      own
	doubts   todo
	abort    context.CancelFunc          // ends the reading under way
	overlaps map[bridge.Subject][]string // streams, by filters that were asked for; see table.answer
	used     map[string]bool             // streams that something was read from or stored in, by name
	missed   map[string]missed           // streams that were deleted a moment ago, by name
	barred   map[string]bar              // streams that cannot be read
	news     chan struct{}               // closed with each change of now and overlaps
	awaited  bridge.Subject              // of a bucket that is about to be made; see KeyValue
}

// todo is what the table has to look at.
type todo struct {
	all     bool
	names   map[string]time.Time // and when JetStream told of them
	filters []bridge.Subject     // which streams overlap them?
}

// newTable starts a table on a connection whose number is in dials. changed is called, from the table's own goroutine,
// when feeds may have to be served otherwise.
func newTable(a api, dials *atomic.Uint64, refused *refusals, silence *silence, config Config, changed func(), log *slog.Logger) (*table, error) {
	conn := a.conn
	t := &table{
		api: a, conn: conn, dials: dials, refused: refused, silence: silence, config: config, keep: config.History, changed: changed, log: log,
		wake:     make(chan struct{}, 1),
		failures: rate.Sometimes{Interval: time.Minute},
		beyond:   rate.Sometimes{Interval: time.Minute},
		doubts:   todo{all: true, names: map[string]time.Time{}},
		abort:    func() {},
		news:     make(chan struct{}),
		used:     map[string]bool{},
		missed:   map[string]missed{},
		barred:   map[string]bar{},
		lapse:    make(chan struct{}, 1),
	}
	var err error
	if t.advisory, err = t.conn.Subscribe(advisorySubjects, t.advised); err != nil {
		return nil, fmt.Errorf("subscribe to what JetStream tells of streams: %w", err)
	}
	t.alive, t.stop = context.WithCancel(context.Background())
	t.statuses = t.conn.StatusChanged()
	t.up.Store(t.conn.IsConnected())
	inbox := t.conn.NewRespInbox()
	t.inbox = inbox[:strings.LastIndexByte(inbox, '.')] + ".*"
	t.running.Go(t.follow)
	t.running.Go(t.run)
	return t, nil
}

// close ends the table, and waits for it.
func (t *table) close() {
	t.stop()
	t.running.Wait()
	t.conn.RemoveStatusListener(t.statuses)
	_ = t.advisory.Unsubscribe() // a connection that is closed has no subscriptions
}

// classify gives the portions of the subjects, by stream; what none serves is the last. It reports false while that is
// not known: before the first reading on this connection, or while a stream that may hold some of them is silent. changed
// tells when to ask again.
//
// A filter belongs to a stream if one of the stream's subjects covers it whole. So subjects lie in no more portions than there
// are subjects, and up to bridge.MaxLogs of them always find room in one id. Of more, the last streams may not be read.
func (t *table) classify(subjects []bridge.Subject) ([]portion, bool) {
	served, unserved, barred, known := t.divide(subjects)
	if !known {
		return nil, false
	}
	portions := make([]portion, 0, len(served)+1)
	for holder, subjects := range served {
		portions = append(portions, portion{stream: holder, subjects: subjects})
	}
	// Every node must choose the same streams: an id of one is brought to another.
	slices.SortFunc(portions, func(x, y portion) int {
		return cmp.Or(cmp.Compare(x.rank(), y.rank()), strings.Compare(x.stream.name(), y.stream.name()))
	})
	none := portion{subjects: unserved, barred: barred}
	if most := bridge.MaxLogs; len(portions) > most || len(portions) == most && len(unserved) > 0 {
		portions = t.leaveOut(portions, most-1, &none)
	}
	if len(none.subjects) > 0 {
		slices.Sort(none.subjects)
		portions = append(portions, none)
	}
	return portions, true
}

// leaveOut keeps so many portions; what the others have is passed on as it comes, as if their streams could not be read.
func (t *table) leaveOut(portions []portion, most int, none *portion) []portion {
	var names []string
	for _, beyond := range portions[most:] {
		none.subjects = append(none.subjects, beyond.subjects...)
		names = append(names, beyond.stream.name())
	}
	none.barred = true
	t.beyond.Do(func() {
		t.log.Warn("subjects read on one connection lie in more streams than an event id has room for; those left out are passed on as they come, without history, and their readers are told by a gap",
			"streams", len(portions), "left out", names, "remedy", "read them on several connections, or hold them in fewer streams")
	})
	return portions[:most]
}

// divide gives the subjects by the stream that serves them, those that none does, and whether that is because a stream cannot
// be read.
func (t *table) divide(subjects []bridge.Subject) (served map[*stream][]bridge.Subject, unserved []bridge.Subject, barred, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	served = map[*stream][]bridge.Subject{}
	known = t.isKnown()
	for _, subject := range subjects {
		holder, known := t.find(subject)
		switch {
		case !known, holder == nil && t.awaited != "" && t.awaited.Covers(subject):
			return nil, nil, false, false
		case holder == nil || holder.untapped() != "":
			unserved = append(unserved, subject)
		case t.isBarred(holder.name()):
			unserved, barred = append(unserved, subject), true
		default:
			served[holder] = append(served[holder], subject)
		}
	}
	return served, unserved, barred, known
}

// isKnown tells whether anything is known on this connection. The lock must be held.
func (t *table) isKnown() bool { return t.now != nil && t.now.connection == t.dials.Load() }

// find gives the stream that takes all that filter stands for, if that is known. The lock must be held.
func (t *table) find(filter bridge.Subject) (holder *stream, known bool) {
	if !t.isKnown() {
		return nil, false
	}
	if holder = t.now.covering(filter); holder != nil {
		t.used[holder.name()] = true
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

// await is classify, once it is known.
func (t *table) await(ctx context.Context, subjects []bridge.Subject) ([]portion, error) {
	for {
		t.mu.Lock()
		news := t.news
		t.mu.Unlock()
		if portions, known := t.classify(subjects); known {
			return portions, nil
		}
		if err := t.pause(ctx, news); err != nil {
			return nil, err
		}
	}
}

// holding gives the stream that stores and acknowledges what is published on a concrete subject, whether or not feeds
// are served from it; nil if there is none. It waits until that is known.
func (t *table) holding(ctx context.Context, subject bridge.Subject) (*stream, error) {
	for {
		t.mu.Lock()
		news := t.news
		holder, known := t.find(subject)
		t.mu.Unlock()
		switch {
		case known && holder != nil && holder.info.Config.NoAck:
			return nil, nil
		case known:
			return holder, nil
		}
		if err := t.pause(ctx, news); err != nil {
			return nil, err
		}
	}
}

// errUnknown: which stream holds a subject is not known.
var errUnknown = errors.New("JetStream has not said yet which stream holds it")

func (t *table) pause(ctx context.Context, news <-chan struct{}) error {
	select {
	case <-news:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", errUnknown, ctx.Err())
	case <-t.alive.Done():
		return fmt.Errorf("%w: %w", errUnknown, bridge.ErrClosed)
	}
}
