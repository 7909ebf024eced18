package presence

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/tailwater/tailwater/bridge"
)

// Store is the bucket. Errors other than bridge.ErrConflict and bridge.ErrNoBucket mean that nobody knows what became of the call.
type Store interface {
	// Prepare makes the bucket, if there is none. The error wraps bridge.ErrNoBucket if there cannot be one.
	Prepare(ctx context.Context) error
	// Get returns the value of a key, as the stream's leader has it, and its revision; 0 if there is no value.
	Get(ctx context.Context, key string) (value []byte, revision uint64, err error)
	// Put writes a value that is removed after ttl, 0 for never, if the newest has that revision; else the error wraps bridge.ErrConflict, as that of Delete.
	Put(ctx context.Context, key string, value []byte, revision uint64, ttl time.Duration) (uint64, error)
	// Delete removes a value if it has that revision.
	Delete(ctx context.Context, key string, revision uint64) error
	// List returns the newest value of every key that matches a filter.
	List(ctx context.Context, filter bridge.Subject) (map[string][]byte, error)
}

// Config says whose members are kept, and where.
type Config struct {
	Subjects []bridge.Subject // filters: the members of all subjects within them are kept
	Shared   Store            // of all bridges
	// Tell tells the readers of this bridge who is on a subject, for as long as there is no Shared bucket.
	Tell func(bridge.Subject, bridge.Presence)
	Log  *slog.Logger
}

const (
	// grace is how long a member may be without a connection: a page that is loaded again does not leave.
	grace = 5 * time.Second
	// interval is the least time between two writes of a subject by one bridge.
	interval = 250 * time.Millisecond
	// perMember makes the interval grow with the room: each write is read by all of its members.
	perMember = time.Millisecond
	// mostInterval is how old the list of a very large room may be.
	mostInterval = 30 * time.Second
	// mostWrites is how many subjects a bridge writes at once.
	mostWrites = 16
	// patience is how long the store may take for one call.
	patience = 5 * time.Second
)

// who is somebody who opens a connection. Without a name, the connection is counted, and nobody named. Without a sub, the name is
// anybody's.
type who struct{ name, sub string }

// Tracker keeps the members that this bridge has.
type Tracker struct {
	config Config
	name   string // of this bridge in the bucket
	stop   context.CancelFunc
	alive  context.Context
	runs   sync.WaitGroup
	more   bridge.Signal // wakes run
	writes chan struct{} // holds one for each write
	fails  rate.Sometimes
	stats  counters

	own *own

	mu       sync.Mutex
	rooms    map[bridge.Subject]*room
	schedule schedule
	store    Store // nil until it is known which
	lease    lease
}

// Open starts to keep members. It returns at once, and goes on trying for as long as NATS is unreachable.
func Open(config Config) *Tracker {
	t := &Tracker{
		config: config,
		name:   strings.ToLower(rand.Text()[:10]),
		more:   bridge.NewSignal(),
		writes: make(chan struct{}, mostWrites),
		fails:  rate.Sometimes{First: 3, Interval: time.Minute},
		rooms:  map[bridge.Subject]*room{},
		own:    newOwn(config.Tell),
	}
	t.alive, t.stop = context.WithCancel(context.Background())
	t.runs.Go(t.run)
	t.runs.Go(t.keepLease)
	return t
}

// Close stops. The members of this bridge stay listed for a moment, in which they can move to another bridge: see farewell.
func (t *Tracker) Close() {
	t.stop()
	t.runs.Wait()
	t.farewell()
}

// Covers reports whether the members of a subject are kept.
func (t *Tracker) Covers(subject bridge.Subject) bool {
	return !subject.Wild() && !strings.HasPrefix(string(subject), leasePrefix) &&
		slices.ContainsFunc(t.config.Subjects, func(f bridge.Subject) bool { return f.Covers(subject) })
}

// Overlaps reports whether the members of any subject within a filter are kept.
func (t *Tracker) Overlaps(filter bridge.Subject) bool {
	return slices.ContainsFunc(t.config.Subjects, filter.Overlaps)
}

// Join adds a connection to those of the subjects whose members are kept, until leave is called, which must be once. sub is the caller's,
// by its token; without it the name may be anybody's. Without a name, the connection is counted, and nobody named.
func (t *Tracker) Join(subjects []bridge.Subject, name, sub string) (leave func()) {
	kept := slices.DeleteFunc(slices.Clone(subjects), func(s bridge.Subject) bool { return !t.Covers(s) })
	slices.Sort(kept)
	kept = slices.Compact(kept)
	if len(kept) == 0 {
		return func() {}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	w, now := who{name, sub}, time.Now()
	for _, subject := range kept {
		r := t.rooms[subject]
		if r == nil {
			r = newRoom(subject)
			t.rooms[subject] = r
		}
		r.isChanged = r.enter(w, now) || r.isChanged
		t.plan(r)
	}
	return func() { t.leave(kept, w) }
}

func (t *Tracker) leave(subjects []bridge.Subject, w who) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := time.Now().Add(grace)
	for _, subject := range subjects {
		r := t.rooms[subject]
		r.exit(w, at)
		t.plan(r)
	}
}

// Own returns who is on a subject, as far as this bridge knows, if there is no bucket that all bridges share.
func (t *Tracker) Own(subject bridge.Subject) (members bridge.Presence, isOwn bool) {
	t.mu.Lock()
	isOwn = t.store == t.own
	t.mu.Unlock()
	if !isOwn {
		return bridge.Presence{}, false
	}
	return t.own.members(subject), true
}

// plan puts a room into the schedule, at its time. The lock must be held.
func (t *Tracker) plan(r *room) {
	if r.isOver() {
		t.schedule.remove(r)
		delete(t.rooms, r.subject)
		return
	}
	if t.schedule.put(r, r.wakes()) {
		t.more.Wake()
	}
}

// run sees to every room when its time comes.
func (t *Tracker) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-t.more:
		case <-t.alive.Done():
			return
		}
		timer.Reset(t.step(time.Now()))
	}
}

// idle is how long run sleeps if nothing is planned.
const idle = time.Hour

// step does what is due, and returns how long nothing else is.
func (t *Tracker) step(now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		r := t.schedule.first()
		if r == nil {
			return idle
		}
		if wait := r.due.Sub(now); wait > 0 {
			return wait
		}
		t.schedule.remove(r)
		r.isChanged = r.depart(now) || r.isChanged
		if r.isChanged && !r.isWriting && !now.Before(r.next) {
			if !t.startWrite(r) {
				r.next = now.Add(interval)
			}
		}
		t.plan(r)
	}
}

// startWrite writes a room in a goroutine of its own. It reports false if there are too many already, or no store. The lock must be held.
func (t *Tracker) startWrite(r *room) bool {
	if t.store == nil {
		return false
	}
	select {
	case t.writes <- struct{}{}:
	default:
		return false
	}
	store, has := t.store, r.snapshot()
	r.isWriting, r.isChanged = true, false
	t.runs.Go(func() {
		count, err := t.write(store, r.subject, has)
		<-t.writes
		t.wrote(r, has, count, err)
	})
	return true
}

// wrote notes what became of a write.
func (t *Tracker) wrote(r *room, has snapshot, count int, err error) {
	if err != nil {
		t.stats.failures.Add(1)
		t.fails.Do(func() {
			t.config.Log.Warn("cannot write who is here; trying again", "subject", r.subject, "error", err)
		})
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	r.isWriting = false
	pause := min(mostInterval, max(interval, perMember*time.Duration(r.count)))
	if err != nil {
		r.isChanged = true
		r.fails = min(r.fails+1, 6)
		pause = interval << r.fails
	} else {
		r.fails, r.count = 0, count
		for _, m := range has.here {
			m.isTold = true
		}
	}
	r.next = time.Now().Add(pause)
	t.plan(r)
}

// rewrite makes every room be written anew: the bucket may have lost what it said. The lock must be held.
func (t *Tracker) rewrite(now time.Time) {
	for _, r := range t.rooms {
		r.isChanged, r.next, r.fails = true, now, 0
		t.plan(r)
	}
}

// mostTries is how often a write that others were faster than is tried at once.
const mostTries = 8

// write makes the value of a subject say what this bridge has, and that no bridge without a lease has anything. It returns how many
// members there are.
func (t *Tracker) write(store Store, subject bridge.Subject, has snapshot) (count int, err error) {
	ctx, cancel := context.WithTimeout(t.alive, patience)
	defer cancel()
	for try := range mostTries {
		if try > 0 {
			t.stats.conflicts.Add(1)
			pause(ctx, try)
		}
		count, err = t.writeOnce(ctx, store, subject, has)
		if !errors.Is(err, bridge.ErrConflict) {
			break
		}
	}
	return count, err
}

func (t *Tracker) writeOnce(ctx context.Context, store Store, subject bridge.Subject, has snapshot) (count int, err error) {
	value, revision, err := store.Get(ctx, string(subject))
	if err != nil {
		return 0, fmt.Errorf("read who is on %s: %w", subject, err)
	}
	before := parse(subject, value)
	state := before.clone()
	has.apply(&state, t.name)
	if err := t.dropDead(ctx, store, &state); err != nil {
		return 0, err
	}
	state.settle()
	if state.isSame(&before) {
		return state.Count, nil
	}
	t.stats.writes.Add(1)
	if state.isEmpty() {
		return 0, store.Delete(ctx, string(subject), revision)
	}
	state.tell(&before)
	if value, err = state.encode(); err != nil {
		return 0, err
	}
	t.stats.bytes.Add(uint64(len(value)))
	_, err = store.Put(ctx, string(subject), value, revision, 0)
	return state.Count, err
}
