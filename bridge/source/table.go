package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/time/rate"

	"github.com/tailwater/tailwater/bridge"
)

const (
	tableInterval    = 30 * time.Second // between two readings of all, should advisories be missing
	tableRefused     = 10               // so many times rarer where NATS refuses it: each refusal is logged, here and there
	tableRound       = 20 * time.Second // what one reading may take
	tableCall        = 3 * time.Second  // what one answer may take
	tableCalls       = 16               // at once
	tableFirstRetry  = 100 * time.Millisecond
	tableLastRetry   = 5 * time.Second
	tableFirstLook   = 20 * time.Millisecond // after which a stream that was told of, and is not there, is looked for again
	tableLook        = 2 * time.Second       // and for how long
	tableAbsence     = time.Minute           // how long JetStream may be gone before that is no outage any more
	maxQuestions     = 10_000
	advisorySubjects = "$JS.EVENT.ADVISORY.STREAM.*.>"
)

// maxStreams is how many streams one feed reads from: one part is left for what no stream serves.
const maxStreams = bridge.MaxLogs - 1

// portion is the part of a feed's subjects that one stream serves; or, where stream is nil, that none does.
type portion struct {
	stream   *stream
	subjects []bridge.Subject
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
	keep    History
	changed func()
	log     *slog.Logger

	alive    context.Context
	stop     context.CancelFunc
	running  sync.WaitGroup
	wake     chan struct{} // holds one while there is something to do
	statuses chan nats.Status
	advisory *nats.Subscription
	inbox    string // for answers
	up       atomic.Bool
	failures rate.Sometimes // to be logged
	crowded  rate.Sometimes

	ensured uint64 // the dial on which the stream of Tailwater's own was seen to; belongs to run, as the next two
	retries int
	gone    time.Time // since when JetStream is gone, where it was there

	mu       sync.Mutex
	now      *streams
	own      own
	doubts   todo
	abort    context.CancelFunc          // ends the reading under way
	overlaps map[bridge.Subject][]string // streams, by filters that were asked for; see table.answer
	news     chan struct{}               // closed with each change of now and overlaps
}

// todo is what the table has to look at.
type todo struct {
	all     bool
	names   map[string]time.Time // and when JetStream told of them
	filters []bridge.Subject     // which streams overlap them?
}

// newTable starts a table on a connection whose number is in dials. changed is called, from the table's own goroutine,
// when feeds may have to be served otherwise.
func newTable(conn *nats.Conn, dials *atomic.Uint64, refused *refusals, keep History, changed func(), log *slog.Logger) (*table, error) {
	t := &table{
		api: api{conn}, conn: conn, dials: dials, refused: refused, keep: keep, changed: changed, log: log,
		wake:     make(chan struct{}, 1),
		failures: rate.Sometimes{Interval: time.Minute},
		crowded:  rate.Sometimes{Interval: time.Minute},
		doubts:   todo{all: true, names: map[string]time.Time{}},
		abort:    func() {},
		news:     make(chan struct{}),
	}
	var err error
	if t.advisory, err = conn.Subscribe(advisorySubjects, t.advised); err != nil {
		return nil, fmt.Errorf("subscribe to what JetStream tells of streams: %w", err)
	}
	t.alive, t.stop = context.WithCancel(context.Background())
	t.statuses = conn.StatusChanged()
	t.up.Store(conn.IsConnected())
	inbox := conn.NewRespInbox()
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
// A filter belongs to a stream if one of the stream's subjects covers it whole.
func (t *table) classify(subjects []bridge.Subject) ([]portion, bool) {
	served, unserved, known := t.divide(subjects)
	if !known {
		return nil, false
	}
	portions := make([]portion, 0, len(served)+1)
	for holder, subjects := range served {
		portions = append(portions, portion{holder, subjects})
	}
	// Every node must choose the same streams: an id of one is brought to another.
	slices.SortFunc(portions, func(x, y portion) int { return strings.Compare(x.stream.name(), y.stream.name()) })
	for len(portions) > maxStreams {
		last := portions[len(portions)-1]
		t.crowded.Do(func() {
			t.log.Warn("subjects read together lie in more streams than one connection can follow; some are served without history",
				"streams", len(served), "at most", maxStreams, "left out", last.stream.name(), "remedy", "read them on several connections, or hold them in fewer streams")
		})
		unserved = append(unserved, last.subjects...)
		portions = portions[:len(portions)-1]
	}
	if len(unserved) > 0 {
		slices.Sort(unserved)
		portions = append(portions, portion{nil, unserved})
	}
	return portions, true
}

// divide gives the subjects by the stream that serves them, and those that none does.
func (t *table) divide(subjects []bridge.Subject) (served map[*stream][]bridge.Subject, unserved []bridge.Subject, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	served = map[*stream][]bridge.Subject{}
	known = t.isKnown()
	for _, subject := range subjects {
		holder, known := t.find(subject)
		switch {
		case !known:
			return nil, nil, false
		case holder == nil || holder.untapped() != "":
			unserved = append(unserved, subject)
		default:
			served[holder] = append(served[holder], subject)
		}
	}
	return served, unserved, known
}

// isKnown tells whether anything is known on this connection. The lock must be held.
func (t *table) isKnown() bool { return t.now != nil && t.now.connection == t.dials.Load() }

// find gives the stream that takes all that filter stands for, if that is known. The lock must be held.
func (t *table) find(filter bridge.Subject) (holder *stream, known bool) {
	if !t.isKnown() {
		return nil, false
	}
	if holder = t.now.covering(filter); holder != nil || len(t.now.unread) == 0 {
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

// refresh lets everything be read again: something was seen that does not agree with the table.
func (t *table) refresh() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.doubts.all = true
	t.poke()
}

func (t *table) poke() {
	select {
	case t.wake <- struct{}{}:
	default: // it is awake already, and looks again
	}
}

// advised takes what JetStream tells of a stream. Whatever came while one reading was under way makes one more.
func (t *table) advised(msg *nats.Msg) {
	kind, name, _ := strings.Cut(strings.TrimPrefix(msg.Subject, "$JS.EVENT.ADVISORY.STREAM."), ".")
	switch kind {
	case "CREATED", "UPDATED", "DELETED", "RESTORE_COMPLETE", "LEADER_ELECTED":
		t.mu.Lock()
		defer t.mu.Unlock()
		t.doubts.names[name] = time.Now()
		t.poke()
	}
}

// follow looks at the connection. What waits for answers of one that has ended need not wait any longer.
func (t *table) follow() {
	for {
		select {
		case status := <-t.statuses:
			t.up.Store(status == nats.CONNECTED)
			t.mu.Lock()
			t.abort()
			t.mu.Unlock()
			t.refresh()
		case <-t.alive.Done():
			return
		}
	}
}

// run keeps the table.
func (t *table) run() {
	interval := time.NewTicker(tableInterval)
	defer interval.Stop()
	retry := time.NewTimer(0)
	defer retry.Stop()
	quiet := 0
	for {
		select {
		case <-interval.C:
			if quiet++; quiet >= tableRefused || !t.isRefused() {
				quiet = 0
				t.refresh()
			}
			continue
		case <-t.wake:
		case <-retry.C:
		case <-t.alive.Done():
			return
		}
		if !t.up.Load() {
			continue // the next connection wakes this again
		}
		if wait := t.round(); wait > 0 {
			retry.Reset(wait)
		}
	}
}

func (t *table) isRefused() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.now != nil && t.now.absence.remedy != ""
}

// take gives what is to be looked at. If that fails it is put back. abort ends the attempt.
func (t *table) take(abort context.CancelFunc) todo {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.abort = abort
	taken := t.doubts
	t.doubts = todo{names: map[string]time.Time{}}
	return taken
}

func (t *table) putBack(work todo) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.doubts.all = t.doubts.all || work.all
	for name, told := range work.names {
		if known, doubted := t.doubts.names[name]; !doubted || known.Before(told) {
			t.doubts.names[name] = told
		}
	}
	t.doubts.filters = append(t.doubts.filters, work.filters...)
}

// round looks at what is to be looked at, and tells when to do so again; 0 for when something happens.
func (t *table) round() time.Duration {
	ctx, cancel := context.WithTimeout(t.alive, tableRound)
	defer cancel()
	connection := t.dials.Load()
	work := t.take(cancel)
	before := t.current()
	if before == nil || before.connection != connection || before.absence.why != "" && before.absence.remedy == "" {
		work.all = true
	}
	after, err := t.read(ctx, connection, before, work)
	switch {
	case ctx.Err() == context.Canceled || t.dials.Load() != connection:
		t.putBack(todo{all: true, filters: work.filters})
		return tableFirstRetry
	case err != nil:
		t.putBack(work)
		t.hold(connection, err)
		return t.retry()
	}
	overlaps, err := t.answer(ctx, before, after, work.filters)
	t.publish(after, overlaps, len(work.filters) > 0)
	if err != nil {
		t.putBack(todo{filters: work.filters})
	}
	wait := t.lookAgain(after, work.names)
	if err == nil && len(after.unread) == 0 && (after.absence.why == "" || after.absence.remedy != "") {
		t.retries = 0
		return wait
	}
	for _, name := range after.unread {
		t.putBack(todo{names: map[string]time.Time{name: {}}})
	}
	return cmp.Or(wait, t.retry())
}

// lookAgain tells when to look again at streams that are not there: a server tells of a stream some time before it finds
// it by its name.
func (t *table) lookAgain(after *streams, names map[string]time.Time) (wait time.Duration) {
	for name, told := range names {
		age := time.Since(told)
		if after.get(name) != nil || age > tableLook {
			continue
		}
		t.putBack(todo{names: map[string]time.Time{name: told}})
		if again := max(age, tableFirstLook); wait == 0 || again < wait {
			wait = again
		}
	}
	return wait
}

func (t *table) current() *streams {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.now
}

func (t *table) retry() time.Duration {
	t.retries++
	return min(tableFirstRetry<<min(t.retries, 10), tableLastRetry)
}

// read looks at streams. An error means that nothing is known.
func (t *table) read(ctx context.Context, connection uint64, before *streams, work todo) (*streams, error) {
	if t.ensured != connection {
		switch err := t.ensure(ctx); {
		case err == nil:
			t.ensured = connection
		case !isAbsence(err):
			return nil, err
		}
	}
	if !work.all {
		return t.readAgain(ctx, before, slices.Sorted(maps.Keys(work.names))), nil
	}
	all, err := t.list(ctx, "")
	switch {
	case isAbsence(err):
		return t.absent(connection, before, err)
	case err != nil:
		return nil, err
	}
	t.gone = time.Time{}
	return newStreams(connection, t.readThese(ctx, before, all)), nil
}

// absent decides whether JetStream is away, or an error whether it may just not be there now.
func (t *table) absent(connection uint64, before *streams, err error) (*streams, error) {
	if errors.Is(err, nats.ErrNoResponders) && before != nil && before.absence.why == "" {
		if t.gone.IsZero() {
			t.gone = time.Now()
		}
		if time.Since(t.gone) < tableAbsence {
			return nil, err
		}
	}
	absent := newStreams(connection, readings{})
	absent.absence = absence{why: "there is no JetStream on this NATS server, or not for this account"}
	level := slog.LevelInfo
	if errors.Is(err, bridge.ErrRefused) {
		absent.absence = absence{"NATS does not let this bridge look at streams", allow(t.keep)}
		level = slog.LevelError
	}
	if before == nil || before.connection != connection || before.absence != absent.absence {
		t.log.Log(t.alive, level, "nothing is served from streams: "+absent.absence.why, "error", err, "remedy", absent.absence.remedy)
	}
	return absent, nil
}

// isAbsence tells whether an error says for certain that this bridge has no JetStream.
func isAbsence(err error) bool {
	return errors.Is(err, nats.ErrNoResponders) || errors.Is(err, bridge.ErrRefused) ||
		errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount)
}

// hold lets what an earlier connection knew hold on this one too, as JetStream does not answer.
func (t *table) hold(connection uint64, err error) {
	t.failures.Do(func() {
		t.log.Warn("JetStream does not say which streams there are; what was known of them holds on, and browsers for which nothing was known wait", "error", err)
	})
	t.mu.Lock()
	if t.now == nil || t.now.connection == connection {
		t.mu.Unlock()
		return
	}
	held := *t.now
	held.connection = connection
	t.now = &held
	t.spread()
	t.mu.Unlock()
	t.changed()
}

// publish lets everybody know. answered tells that filters were asked for.
func (t *table) publish(after *streams, overlaps map[bridge.Subject][]string, answered bool) {
	t.mu.Lock()
	before := t.now
	t.now, t.overlaps = after, overlaps
	t.spread()
	t.mu.Unlock()
	if !after.like(before) || after.connection != before.connection || answered {
		t.changed()
	}
}

// spread wakes those who wait for news. The lock must be held.
func (t *table) spread() {
	close(t.news)
	t.news = make(chan struct{})
}

// answer finds out which streams overlap filters, where some stream is silent. What was found out before holds while no
// stream changes.
func (t *table) answer(ctx context.Context, before, after *streams, filters []bridge.Subject) (map[bridge.Subject][]string, error) {
	if len(after.unread) == 0 {
		return nil, nil
	}
	overlaps := map[bridge.Subject][]string{}
	if after.like(before) && len(t.overlaps) < maxQuestions {
		maps.Copy(overlaps, t.overlaps) // only this goroutine exchanges it, and nobody changes it
	}
	var mu sync.Mutex
	var failed error
	each(filters, func(filter bridge.Subject) {
		found, err := t.list(ctx, filter)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			failed = err
			return
		}
		overlaps[filter] = found
	})
	return overlaps, failed
}

// each calls do for each of the things, and a few at once.
func each[T any](things []T, do func(T)) {
	var calls sync.WaitGroup
	room := make(chan struct{}, tableCalls)
	for _, thing := range things {
		room <- struct{}{}
		calls.Go(func() {
			defer func() { <-room }()
			do(thing)
		})
	}
	calls.Wait()
}

// list gives the names of all streams, or of those whose subjects overlap a filter.
func (t *table) list(ctx context.Context, filter bridge.Subject) ([]string, error) {
	var all []string
	for {
		request := struct {
			Offset  int            `json:"offset,omitempty"`
			Subject bridge.Subject `json:"subject,omitempty"`
		}{len(all), filter}
		var page struct {
			Total   int      `json:"total"`
			Streams []string `json:"streams"`
		}
		if err := t.call(ctx, "STREAM.NAMES", request, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Streams...)
		if len(page.Streams) == 0 || len(all) >= page.Total {
			slices.Sort(all)
			return slices.Compact(all), nil // between two pages a stream may have come before the second
		}
	}
}

// readings are the streams of some names, as far as they could be read.
type readings struct {
	streams []*stream // by name
	unread  []string  // they exist; they have not answered yet, nor ever
	hidden  []string  // they exist; the bridge may not look at them
}

// readAgain reads streams that may have changed; what is known of the others stays.
func (t *table) readAgain(ctx context.Context, before *streams, names []string) *streams {
	if len(names) == 0 || before.absence.why != "" {
		return before
	}
	r := t.readThese(ctx, before, names)
	isNamed := func(name string) bool { return slices.Contains(names, name) }
	r.streams = append(r.streams, slices.DeleteFunc(slices.Clone(before.streams), func(x *stream) bool { return isNamed(x.name()) })...)
	r.unread = append(r.unread, slices.DeleteFunc(slices.Clone(before.unread), isNamed)...)
	r.hidden = append(r.hidden, slices.DeleteFunc(slices.Clone(before.hidden), isNamed)...)
	return newStreams(before.connection, r)
}

// readThese reads the named streams. One that does not answer is taken as it was before.
func (t *table) readThese(ctx context.Context, before *streams, names []string) readings {
	var mu sync.Mutex
	var r readings
	each(names, func(name string) {
		var info jetstream.StreamInfo
		err := t.call(ctx, "STREAM.INFO."+name, nil, &info)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil:
			r.streams = append(r.streams, newStream(info))
		case isNotFound(err):
		case errors.Is(err, bridge.ErrRefused):
			r.hidden = append(r.hidden, name)
		case before.get(name) != nil:
			r.streams = append(r.streams, before.get(name))
		default:
			r.unread = append(r.unread, name)
		}
	})
	return r
}

func isNotFound(err error) bool {
	var refusal *jetstream.APIError
	return errors.As(err, &refusal) && refusal.ErrorCode == jetstream.JSErrCodeStreamNotFound
}

// call is api.call, but ends with bridge.ErrRefused as soon as NATS says that the bridge may not ask.
func (t *table) call(ctx context.Context, what string, request, response any) error {
	ctx, cancel := context.WithTimeout(ctx, tableCall)
	defer cancel()
	ctx, refuse := context.WithCancelCause(ctx)
	subject := bridge.Subject("$JS.API." + what)
	t.refused.forget(subject)
	connection := t.dials.Load()
	var watch sync.WaitGroup
	defer watch.Wait()
	defer refuse(nil)
	watch.Go(func() {
		for {
			change := t.refused.changes()
			if t.refused.published(subject, connection) || t.refused.anyOf([]bridge.Subject{bridge.Subject(t.inbox)}, connection) {
				refuse(bridge.ErrRefused)
			}
			select {
			case <-change:
			case <-ctx.Done():
				return
			}
		}
	})
	err := t.api.call(ctx, what, request, response)
	if err != nil && errors.Is(context.Cause(ctx), bridge.ErrRefused) {
		return fmt.Errorf("ask JetStream for %s: %w", what, bridge.ErrRefused)
	}
	return err
}
