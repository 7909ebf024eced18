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

	"golang.org/x/time/rate"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// Origins say where the messages of some subjects come from.
type Origins struct {
	Stored     []Portion
	Unstored   []bridge.Subject // no stream serves them
	Unreadable bool             // streams hold some of Unstored, and cannot be read
}

// Portion is the part of some subjects that one stream serves.
type Portion struct {
	Stream   *Stream
	Subjects []bridge.Subject
}

// rank returns 1 for the bucket of members: if there is no room for all streams, it is left out first.
func (p *Portion) rank() int {
	if p.Stream.Name() == presenceStream {
		return 1
	}
	return 0
}

// Table knows which stream holds a subject. It reads all streams on each connection. Later it reads the streams that advisories
// name, and regularly some of the others.
//
// If JetStream does not answer, subjects do not count as unstored: stored messages would be lost. The last reading stays valid;
// before the first one nothing is known. Only a definite answer ends that: there is no JetStream, or none for this account or
// this user. If JetStream was there before, the absence of a responder is such an answer only after a minute, because a server
// that is cut off from its cluster looks the same.
//
// A stream that does not answer is known by its last reading. If it never answered, it is asked for by subject: the cluster's
// leader knows every stream's subjects, and what the silent stream may hold remains unknown.
type Table struct {
	api     js.API
	config  Config
	keep    []History // of config, a stream each
	changed func()
	log     *slog.Logger

	alive    context.Context
	stop     context.CancelFunc
	running  sync.WaitGroup
	wake     chan struct{}  // buffers one: there is something to do, or to wait for
	failures rate.Sometimes // for readings that failed
	beyond   rate.Sometimes // for streams that are left out

	ensured *js.Link // the link on which Tailwater's own stream was ensured; belongs to run, as the next four
	looks   uint64   // so far; determines which share of the streams is due
	retries int
	most    int       // answers that are kept before those that nobody uses are forgotten
	gone    time.Time // since when JetStream is gone; the zero value if it is not

	mu         sync.Mutex
	now        *Streams
	own        []own // of keep
	doubts     todo
	overlaps   map[bridge.Subject]*overlap // by filters that were asked for; see Table.answer
	used       map[string]bool             // streams in use, by name
	missed     map[string]missed           // streams deleted a moment ago, by name
	unreadable map[string]*bar             // streams that cannot be read, by name
	awaited    bridge.Subject              // the filter of a bucket that is being made; see KeyValue
	news       js.Signal                   // now, overlaps or unreadable have changed
}

// overlap is the answer to which streams overlap a filter.
type overlap struct {
	streams []string
	isUsed  bool // since unused answers were last forgotten; guarded by the table's lock
}

// Config is the configuration of a table.
type Config struct {
	History History
	// Began returns when the present life of a stream began. nil stands for its creation.
	Began func(stream string, created time.Time) time.Time
}

// Current returns the known streams; nil if none are known.
func (t *Table) Current() *Streams {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.now
}

// Classify returns the origins of the subjects. It reports false if the streams are not known: before the first reading on this link, or while
// a stream that may hold some of the subjects is silent. changed is then called later.
//
// A filter belongs to a stream if one of the stream's subjects covers it completely. So there are at most as many portions as
// subjects, and up to bridge.MaxLogs always fit into one id. If there are more, the last streams may be left out.
func (t *Table) Classify(subjects []bridge.Subject) (o Origins, known bool) {
	served, o, known := t.divide(subjects)
	if !known {
		return Origins{}, false
	}
	for holder, subjects := range served {
		o.Stored = append(o.Stored, Portion{holder, subjects})
	}
	// Every bridge must choose the same streams, because clients bring an id of one to another.
	slices.SortFunc(o.Stored, func(x, y Portion) int {
		return cmp.Or(cmp.Compare(x.rank(), y.rank()), strings.Compare(x.Stream.Name(), y.Stream.Name()))
	})
	if most := bridge.MaxLogs; len(o.Stored) > most || len(o.Stored) == most && len(o.Unstored) > 0 {
		t.leaveOut(&o, most-1)
	}
	slices.Sort(o.Unstored)
	return o, true
}

// leaveOut keeps so many portions. The messages of the others are passed on as they arrive, as if their streams could not be
// read.
func (t *Table) leaveOut(o *Origins, most int) {
	count := len(o.Stored)
	var names []string
	for _, beyond := range o.Stored[most:] {
		o.Unstored = append(o.Unstored, beyond.Subjects...)
		names = append(names, beyond.Stream.Name())
	}
	o.Stored, o.Unreadable = o.Stored[:most], true
	t.beyond.Do(func() {
		t.log.Warn("subjects read on one connection lie in more streams than an event id has room for; those left out are passed on as they arrive, without history, and their readers are told by a gap",
			"streams", count, "left out", names, "remedy", "read them on several connections, or hold them in fewer streams")
	})
}

// divide returns the subjects by the stream that serves them, and the others.
func (t *Table) divide(subjects []bridge.Subject) (served map[*Stream][]bridge.Subject, o Origins, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	served = map[*Stream][]bridge.Subject{}
	known = t.isKnown()
	for _, subject := range subjects {
		holder, isFound := t.find(subject)
		isUnreadable := false
		switch {
		case !isFound, holder == nil && t.awaited != "" && t.awaited.Covers(subject):
			return nil, Origins{}, false
		case holder == nil:
			isHidden, isTold := t.isHidden(subject)
			isUnreadable = isHidden
			known = known && isTold // and the next is asked for at the same time
		case holder.Untapped() != "":
		case t.isUnreadable(holder.Name()):
			isUnreadable = true
		default:
			served[holder] = append(served[holder], subject)
			continue
		}
		o.Unstored, o.Unreadable = append(o.Unstored, subject), o.Unreadable || isUnreadable
	}
	return served, o, known
}

// isKnown reports whether anything is known on this link. The lock must be held.
func (t *Table) isKnown() bool { return t.now != nil && t.now.link == t.api.Link() }

// find returns the stream that holds all of a filter, if that is known. The lock must be held.
func (t *Table) find(filter bridge.Subject) (holder *Stream, known bool) {
	if !t.isKnown() {
		return nil, false
	}
	if holder = t.now.covering(filter); holder != nil {
		t.used[holder.Name()] = true
	}
	if holder == nil && t.isMissed(filter) {
		return nil, false
	}
	if holder != nil || len(t.now.silent) == 0 {
		return holder, true
	}
	overlapping, asked := t.overlapping(filter)
	silent := func(name string) bool { return slices.Contains(t.now.silent, name) }
	return nil, asked && !slices.ContainsFunc(overlapping, silent)
}

// overlapping returns the names of the streams that overlap a filter, or asks for them. The lock must be held.
func (t *Table) overlapping(filter bridge.Subject) (names []string, asked bool) {
	if known := t.overlaps[filter]; known != nil {
		known.isUsed = true
		return known.streams, true
	}
	if !t.doubts.filters[filter] && len(t.doubts.filters) < maxQuestions {
		t.doubts.filters[filter] = true
		js.Wake(t.wake)
	}
	return nil, false
}

// isHidden reports whether an invisible stream may hold a filter that no known stream holds: NATS refuses to describe that stream, or all streams, or
// JetStream is gone. Callers choose subjects, so NATS is asked only for their first tokens, and for no more than maxQuestions; a stream may hold the
// others. Old answers do not make room for new ones: the feeds that need them would ask again, without end. The lock must be held.
func (t *Table) isHidden(filter bridge.Subject) (isHidden, known bool) {
	if absence := t.now.absence; absence.why != "" {
		return absence.remedy != "" || absence.lost != nil && absence.lost.covering(filter) != nil, true
	}
	if len(t.now.hidden) == 0 {
		return false, true
	}
	if first, _, isLong := strings.Cut(string(filter), "."); isLong {
		filter = bridge.Subject(first + ".>")
	}
	if _, asked := t.overlaps[filter]; !asked && len(t.now.silent) == 0 && len(t.overlaps) >= maxQuestions {
		return true, true
	}
	overlapping, asked := t.overlapping(filter)
	return slices.ContainsFunc(overlapping, t.now.hides), asked
}

// Await is Classify, and waits until the streams are known.
func (t *Table) Await(ctx context.Context, subjects []bridge.Subject) (o Origins, err error) {
	err = t.until(ctx, func() (known bool) {
		o, known = t.Classify(subjects)
		return known
	})
	return o, err
}

// Holding returns the stream that stores and acknowledges messages on a concrete subject, whether or not feeds can read it; nil
// if there is none. It waits until that is known.
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

// until waits until isKnown returns true.
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
