package presence

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/tailwater/tailwater/bridge"
)

// Config determines whose members are kept, and where.
type Config struct {
	Subjects []bridge.Subject // filters: the members of all subjects within them are kept
	Shared   Store            // the bucket of all bridges
	// Tell announces the value of a subject to this bridge's readers, nil if it was deleted, as long as there is no Shared bucket.
	Tell func(_ bridge.Subject, value []byte)
	// Most is how many places one account may have at once; 0 for no limit. A connection takes one on each subject, and keeps it
	// for a moment after its end.
	Most int
	Log  *slog.Logger
}

const (
	// grace is how long a member may be without a connection, so that reloading a page is not leaving.
	grace = 5 * time.Second
	// interval is the shortest time between two writes of a subject by one bridge.
	interval = 250 * time.Millisecond
	// perMember lengthens the interval with the room, because all members read each write.
	perMember = time.Millisecond
	// mostInterval is how outdated the list of a very large room may be.
	mostInterval = 30 * time.Second
	// checkInterval is how often the value of an unchanged room is compared with the present members: what watch has missed is
	// corrected then.
	checkInterval = 5 * time.Minute
	// mostWrites is how many subjects a bridge writes at once.
	mostWrites = 16
	// patience is how long one call of the store may take.
	patience = 5 * time.Second
)

// Tracker keeps the members of this bridge.
type Tracker struct {
	config Config
	name   string // this bridge's name in the bucket
	stop   context.CancelFunc
	alive  context.Context
	runs   sync.WaitGroup
	more   bridge.Signal // wakes run
	fails  rate.Sometimes
	stats  counters
	drains atomic.Bool

	own *own

	mu       sync.Mutex
	rooms    map[bridge.Subject]*room
	held     map[bridge.Account]int // how many places in rooms each has
	schedule schedule
	writing  int     // running writes
	waiting  backlog // to be written when a write has ended, or a store is known
	store    Store   // nil until known
	lease    lease
}

// Open starts to keep members. It returns at once, and keeps trying while NATS is unreachable.
func Open(config Config) *Tracker {
	t := &Tracker{
		config:   config,
		name:     newBridge(),
		more:     bridge.NewSignal(),
		fails:    rate.Sometimes{First: 3, Interval: time.Minute},
		rooms:    map[bridge.Subject]*room{},
		held:     map[bridge.Account]int{},
		schedule: newSchedule(),
		waiting:  newBacklog(),
		own:      newOwn(config.Tell),
	}
	t.alive, t.stop = context.WithCancel(context.Background())
	t.runs.Go(t.run)
	t.runs.Go(t.keepLease)
	t.runs.Go(t.watch)
	return t
}

// Close stops the tracker. Its members stay listed for a moment, in which they can move to another bridge: see farewell.
func (t *Tracker) Close() {
	t.stop()
	t.runs.Wait()
	t.farewell()
}

// Overlaps reports whether the members of any subject within a filter are kept.
func (t *Tracker) Overlaps(filter bridge.Subject) bool {
	return slices.ContainsFunc(t.config.Subjects, filter.Overlaps)
}

// Drain keeps members listed that leave from now on, until this bridge's lease ends, soon after Close: the clients of a stopping
// bridge are about to reconnect, to another bridge or to this one.
func (t *Tracker) Drain() { t.drains.Store(true) }

// Join adds a connection to the subjects whose members are kept, until leave is called, exactly once. isDead means that the
// client was gone for long by then, so its return is not waited for.
func (t *Tracker) Join(subjects []bridge.Subject, v bridge.Visitor) (leave func(isDead bool)) {
	var kept []bridge.Subject
	for _, subject := range subjects {
		if t.Covers(subject) && !slices.Contains(kept, subject) {
			kept = append(kept, subject)
		}
	}
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(kept) == 0 || !t.admit(v.Account, len(kept)) {
		return func(bool) {}
	}
	places := make([]place, len(kept))
	for i, subject := range kept {
		r := t.room(subject)
		w, changed := r.enter(v, now)
		if changed {
			t.change(r, v.Account)
		}
		t.plan(r)
		places[i] = place{r, w}
	}
	return func(isDead bool) { t.leave(places, isDead) }
}

// place is a connection's place in a room. It may have a name in one room, and none in another.
type place struct {
	*room
	who
}

func (t *Tracker) leave(places []place, isDead bool) {
	if t.drains.Load() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	at := time.Now()
	if !isDead {
		at = at.Add(grace)
	}
	for _, p := range places {
		p.exit(p.who, at)
		t.plan(p.room)
	}
}

// Own returns the members of a subject known to this bridge, if there is no shared bucket; otherwise none. For a filter, it
// returns none, followed by the members of each subject inside.
func (t *Tracker) Own(subject bridge.Subject) []bridge.Presence {
	t.mu.Lock()
	own, isOwn := t.store.(*own)
	t.mu.Unlock()
	if !isOwn {
		return nil
	}
	return own.members(subject)
}

// run handles every room when it is due.
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

// idle is how long run sleeps if no room is planned.
const idle = time.Hour

// step handles the rooms that are due, and returns the time until the next.
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
		t.depart(r, now)
		if r.isChanged && !r.isWriting && !now.Before(r.next) {
			r.isWriting = true
			t.waiting.add(r)
			t.startWrites()
		}
		t.plan(r)
	}
}

// depart removes members who have left. The lock must be held.
func (t *Tracker) depart(r *room, now time.Time) {
	r.depart(now, func(account bridge.Account, changed bool) {
		if changed {
			t.change(r, account)
		}
		t.free(account)
	})
	if !now.Before(r.check) {
		t.change(r, 0)
	}
}
