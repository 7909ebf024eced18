package load

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Run executes a plan. If ctx ends, Run ends early, and reports the results so far.
func Run(ctx context.Context, plan Plan) (*Report, error) {
	if err := plan.Check(); err != nil {
		return nil, err
	}
	r, err := newRun(plan)
	if err != nil {
		return nil, err
	}
	if err := r.open(); err != nil {
		r.close()
		return nil, err
	}
	watched := r.startWatching()
	err = r.phases(ctx)
	watched()
	r.close()
	if err != nil {
		return nil, err
	}
	return r.report(), nil
}

// run is one measurement.
type run struct {
	plan      Plan
	asked     int // connections
	files     int // that this process may open
	target    *target
	tag       []byte
	window    *window // nil without InFlight
	tallies   []*tally
	client    client
	publisher *publisher // nil with Idle
	server    processes
	watching  watching

	opened         time.Duration   // time to open the connections
	first, last    snapshot        // before and after the measurement
	used           [moments]usages // by the server
	gone           error           // error if a process of the server has ended
	published      int
	seconds        float64 // from the first message to the end of publishing
	early, isStuck bool
}

// The moments at which the server's memory is read, and its processor time.
const (
	beforeOpening = iota
	afterOpening
	atEnd
	moments
)

// openFiles is a variable so that tests can set another limit.
var openFiles = raiseFiles

// spareFiles is how many files are open beside the connections.
const spareFiles = 64

func newRun(plan Plan) (*run, error) {
	r := &run{plan: plan, asked: plan.Connections, tag: newTag()}
	r.files = openFiles(plan.Connections + plan.Stalled + spareFiles)
	r.plan.Connections = min(plan.Connections, r.files-plan.Stalled-spareFiles)
	if r.plan.Connections < min(plan.Connections, plan.Subjects) {
		return nil, fmt.Errorf("this process may open %d files, too few for one connection per subject: raise the limit (ulimit -n)", r.files)
	}
	var err error
	if r.target, err = newTarget(&r.plan, time.Now()); err != nil {
		return nil, err
	}
	if r.server, err = findProcesses(plan.PIDs); err != nil {
		return nil, err
	}
	if plan.InFlight > 0 {
		r.window = newWindow(plan.InFlight, plan.Subjects, plan.Patience)
	}
	number := loops()
	for first := range number {
		r.tallies = append(r.tallies, newTally(&r.plan, r.tag, r.window, first, number))
	}
	return r, nil
}

func (r *run) open() error {
	if !r.plan.Idle {
		publisher, err := openPublisher(&r.plan, r.target, r.tag, r.window)
		if err != nil {
			return err
		}
		r.publisher = publisher
	}
	client, err := chooseClient(r.target, r.tallies)
	if err != nil {
		return err
	}
	r.client = client
	return nil
}

func (r *run) close() {
	if r.client != nil {
		r.client.close()
	}
	if r.publisher != nil {
		r.publisher.close()
	}
}

// phases runs the parts of a run in order. An end of ctx ends each part, and is not an error.
func (r *run) phases(ctx context.Context) error {
	steps := []func(context.Context) error{r.connect, r.settle, r.probe, r.measure}
	if r.plan.Idle {
		steps = steps[:2]
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
		if ctx.Err() != nil {
			r.early = true
			return nil
		}
	}
	return nil
}

// connect opens all connections.
func (r *run) connect(ctx context.Context) error {
	r.used[beforeOpening] = r.usage()
	begun := r.target.now()
	r.watching.enter("opening")
	r.client.begin()
	total := r.plan.Connections + r.plan.Stalled
	is, err := r.await(ctx, r.plan.Patience, func(c counts) (int, bool) { return c.opened + c.skipped, c.opened+c.skipped == total })
	r.opened = r.target.now() - begun
	switch {
	case err != nil:
		return fmt.Errorf("read %s: %w", r.plan.fill(strings.Join(r.plan.URLs, " and "), 0), err)
	case is.opened == 0 && is.skipped == total:
		return fmt.Errorf("no connection was opened: %w", r.machine())
	case is.opened+is.skipped < total && ctx.Err() == nil:
		return fmt.Errorf("%d of %d connections are open, and the others got no answer within %v", is.opened, total, r.plan.Patience)
	}
	return nil
}

// settle waits until the server has released what opening connections used, and reads its memory.
func (r *run) settle(ctx context.Context) error {
	r.watching.enter("settling")
	timer := time.NewTimer(r.plan.Settle)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	r.used[afterOpening] = r.usage()
	return nil
}

// How long to wait for a probe before sending it again: a server may answer before it subscribes.
const (
	firstProbe = 100 * time.Millisecond
	laterProbe = 2 * time.Second
)

// probe publishes on each subject until every connection has received something. From then on, no message may be lost.
func (r *run) probe(ctx context.Context) error {
	r.watching.enter("waiting for a first message on each connection")
	reached, since := 0, time.Now()
	for pause := firstProbe; ; pause = min(2*pause, laterProbe) {
		for subject := range r.unreached() {
			r.publisher.put(sending{subject: subject, seq: probe})
		}
		is, err := r.await(ctx, min(pause, r.plan.Patience), func(c counts) (int, bool) { return c.reached, c.waited == 0 })
		if is.reached > reached {
			reached, since = is.reached, time.Now()
		}
		err = errors.Join(err, r.publisher.failure())
		switch {
		case err != nil || ctx.Err() != nil:
			return err
		case is.streams == 0:
			return errors.New("the server has closed every connection")
		case is.waited == 0:
			return nil
		case time.Since(since) > r.plan.Patience:
			return fmt.Errorf("%d of %d connections got no message within %v: does their URL read the subjects of %s, and does the server pass payloads on unchanged?",
				is.waited, is.streams, r.plan.Patience, r.plan.subject(0))
		}
	}
}

// unreached returns the subjects of connections that no probe has reached.
func (r *run) unreached() map[int]bool {
	subjects := map[int]bool{}
	for _, t := range r.tallies {
		t.mu.Lock()
		for i := range t.readers {
			if reader := &t.readers[i]; reader.phase == open && !reader.stalled && !reader.reached {
				subjects[int(reader.subject)] = true
			}
		}
		t.mu.Unlock()
	}
	return subjects
}

// measure publishes, and waits until everything has arrived.
func (r *run) measure(ctx context.Context) error {
	r.watching.enter("measuring")
	r.first = r.snapshot()
	begins := r.target.now()
	var throttle throttle = &pace{r.target, begins, r.plan.Rate, r.plan.Duration}
	loop := &closedLoop{target: r.target, window: r.window, ends: begins + r.plan.Duration}
	if r.window != nil {
		throttle = loop
	}
	r.published = r.publisher.run(ctx, throttle)
	r.seconds = (r.target.now() - begins).Seconds()
	r.isStuck = loop.stuck
	if !r.isStuck {
		r.arrive(ctx)
	}
	r.last = r.snapshot()
	r.used[atEnd] = r.usage()
	return nil
}

// impatience is how long to wait in silence after the user has asked for the end.
const impatience = 2 * time.Second

// arrive waits until published messages have arrived, even after the end of ctx: otherwise they would count as lost.
func (r *run) arrive(ctx context.Context) {
	r.watching.enter("waiting for the rest")
	patience := r.plan.Patience
	if ctx.Err() != nil {
		patience = min(patience, impatience)
	}
	_, _ = r.await(context.WithoutCancel(ctx), patience, func(c counts) (int, bool) {
		return c.received, int(r.publisher.sent.Load()) == r.published && r.hasArrived()
	})
}

// pollEvery is how often a condition is checked.
const pollEvery = 10 * time.Millisecond

// await waits until a condition of the counts holds, ctx ends, or the growing count has not grown for patience. The error is that of a
// connection that could not be opened.
func (r *run) await(ctx context.Context, patience time.Duration, look func(counts) (grows int, holds bool)) (counts, error) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	before, since := -1, time.Now()
	for {
		is, failure := r.counts()
		grows, holds := look(is)
		if grows != before {
			before, since = grows, time.Now()
		}
		if failure != nil || holds || time.Since(since) > patience {
			return is, failure
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return is, nil
		}
	}
}

// hasArrived reports whether every open connection has received the newest message of its subject.
func (r *run) hasArrived() bool {
	return !slices.ContainsFunc(r.tallies, func(t *tally) bool {
		t.mu.Lock()
		defer t.mu.Unlock()
		for i := range t.readers {
			reader := &t.readers[i]
			if reader.phase == open && !reader.stalled && reader.order.highest < published(r.published, int(reader.subject), r.plan.Subjects) {
				return true
			}
		}
		return false
	})
}
