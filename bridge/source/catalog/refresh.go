package catalog

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

const (
	tableInterval    = 30 * time.Second // between two looks, in case advisories are missing
	tableShares      = 20               // each look reads one in this many of the unused streams
	tableRefused     = 10               // how much rarer looks are if NATS refuses them, because each refusal is logged here and there
	tableRound       = 20 * time.Second // the limit of one reading
	tableFirstRetry  = 100 * time.Millisecond
	tableLastRetry   = 5 * time.Second
	tableFirstLook   = 20 * time.Millisecond // after which an announced stream that was not found is looked for again
	tableLook        = 2 * time.Second       // for how long it is looked for
	tableAbsence     = time.Minute           // how long JetStream may be gone before that counts as permanent
	maxQuestions     = 10_000
	advisorySubjects = "$JS.EVENT.ADVISORY.STREAM.*.>"
)

// round reads what is to be read, and returns when to do so again at the latest.
func (t *Table) round(link *js.Link) time.Duration {
	ctx, cancel := context.WithTimeout(t.alive, tableRound)
	defer cancel()
	defer link.AfterLoss(cancel)() // no more answers can arrive
	work := t.take()
	before := t.Current()
	after, err := t.read(ctx, link, before, work)
	switch {
	case ctx.Err() == context.Canceled || t.api.Link() != link:
		t.putBack(work)
		return tableFirstRetry
	case err != nil:
		t.putBack(work)
		t.hold(link, err)
		return t.retry()
	}
	isNews := slices.ContainsFunc(slices.Collect(maps.Keys(work.names)), after.hides)
	overlaps, err := t.answer(ctx, before, after, work.filters, isNews)
	again, wait := lookAgain(after, work.names)
	for _, name := range after.silent {
		again.names[name] = time.Time{}
	}
	if err != nil {
		again.filters = work.filters
	}
	t.putBack(again) // first: who waits would ask at once
	t.publish(after, overlaps, isNews || len(work.filters) > 0)
	if err == nil && len(after.silent) == 0 && t.ensured == link && !after.absence.mayEnd() {
		t.retries = 0
		return wait
	}
	return min(wait, t.retry())
}

// lookAgain returns the streams that were not found, and when to look again: a server announces a stream some time before it finds it by name.
func lookAgain(after *Streams, names map[string]time.Time) (again todo, wait time.Duration) {
	again, wait = newTodo(), tableInterval
	for name, told := range names {
		age := time.Since(told)
		if after.Get(name) != nil || after.hides(name) || age > tableLook {
			continue
		}
		again.names[name] = told
		wait = min(wait, max(age, tableFirstLook))
	}
	return again, wait
}

func (t *Table) retry() time.Duration {
	t.retries++
	return min(tableFirstRetry<<min(t.retries, 10), tableLastRetry)
}

// read reads streams. An error means that nothing is known.
func (t *Table) read(ctx context.Context, link *js.Link, before *Streams, work todo) (*Streams, error) {
	if t.ensured != link {
		switch err := t.ensure(ctx); {
		case err == nil:
			t.ensured = link
		case isAbsence(err):
		case t.retries == 0: // at least one more attempt; then other streams need not wait for this one
			return nil, err
		default:
			t.failures.Do(func() { t.log.Warn("cannot make or check the stream "+t.config.History.Stream+" yet", "error", err) })
		}
	}
	named := slices.Collect(maps.Keys(work.names))
	isUnknown := before == nil || before.link != link || before.isHeld || before.absence.mayEnd() || work.look && !t.isAdvised(before)
	if !isUnknown && !work.look {
		return t.readAgain(ctx, before, named), nil
	}
	all, err := t.List(ctx, "")
	switch {
	case isAbsence(err):
		return t.absent(link, before, err)
	case err != nil:
		return nil, err
	}
	t.gone = time.Time{}
	if !isUnknown {
		return t.readAgain(ctx, before, append(named, t.due(before, all)...)), nil
	}
	return newStreams(link, t.readThese(ctx, before, all)), nil
}

// due returns the streams to look at regularly: those that appeared or disappeared, those in use, and a share of the others. An
// account may have thousands of streams, and many bridges.
func (t *Table) due(before *Streams, all []string) []string {
	t.looks++
	t.mu.Lock()
	defer t.mu.Unlock()
	var due []string
	for i, name := range all {
		if t.used[name] || before.Get(name) == nil || (uint64(i)+t.looks)%tableShares == 0 {
			due = append(due, name)
		}
	}
	for _, known := range before.streams {
		if _, exists := slices.BinarySearch(all, known.Name()); !exists {
			due = append(due, known.Name())
		}
	}
	return due
}

// isAdvised reports whether advisories arrive about changes of streams, and there are streams to compare with.
func (t *Table) isAdvised(before *Streams) bool {
	return before.absence.why == "" && !before.link.Ever().SubscribeRefused(advisorySubjects)
}

// absent decides whether JetStream is permanently absent. An error means that it may be absent for a moment only.
func (t *Table) absent(link *js.Link, before *Streams, err error) (*Streams, error) {
	if errors.Is(err, nats.ErrNoResponders) && before != nil && before.absence.why == "" {
		if t.gone.IsZero() {
			t.gone = time.Now()
		}
		if time.Since(t.gone) < tableAbsence {
			return nil, err
		}
	}
	absent := newStreams(link, readings{})
	absent.absence = absence{why: "there is no JetStream on this NATS server, or not for this account"}
	switch {
	case before == nil:
	case len(before.streams) > 0:
		absent.absence.lost = before
	default:
		absent.absence.lost = before.absence.lost
	}
	level := slog.LevelInfo
	if before != nil && before.absence.why == "" {
		level = slog.LevelError // it was there before
	}
	if errors.Is(err, bridge.ErrRefused) {
		absent.absence = absence{why: "NATS does not let this bridge look at streams", remedy: t.allow()}
		level = slog.LevelError
	}
	if before == nil || before.link != link || before.absence != absent.absence {
		t.log.Log(t.alive, level, "nothing is served from streams: "+absent.absence.why, "error", err, "remedy", absent.absence.remedy)
	}
	return absent, nil
}

// hold makes the list of streams of an earlier link count on this one until it can be read, because JetStream does not answer.
func (t *Table) hold(link *js.Link, err error) {
	if errors.Is(err, nats.ErrReconnectBufExceeded) {
		return // there is no connection: another link is about to begin
	}
	t.failures.Do(func() {
		t.log.Warn("JetStream does not return the list of streams; the last known list stays valid, and browsers of unknown subjects wait", "error", err)
	})
	t.mu.Lock()
	now, overlaps := t.now, t.overlaps
	t.mu.Unlock()
	if now != nil && now.link != link {
		held := *now
		held.link, held.isHeld = link, true
		t.publish(&held, overlaps, false)
	}
}

// publish makes new knowledge available. answered means that filters were asked for, or have to be.
func (t *Table) publish(after *Streams, overlaps map[bridge.Subject]*overlap, answered bool) {
	t.mu.Lock()
	before := t.now
	t.now, t.overlaps = after, overlaps
	if before == nil || before.link != after.link {
		t.retryUnreadable()
	}
	t.miss(before, after)
	t.news.Send()
	t.mu.Unlock()
	t.tell(before, after)
	if !after.equals(before) || after.link != before.link || answered {
		t.changed()
	}
}

// answer finds out which streams overlap filters, if some stream is silent or hidden. Earlier answers are valid until a stream changes. isNews
// means that a hidden one may have.
func (t *Table) answer(ctx context.Context, before, after *Streams, filters map[bridge.Subject]bool, isNews bool) (map[bridge.Subject]*overlap, error) {
	overlaps := map[bridge.Subject]*overlap{}
	if len(after.silent)+len(after.hidden) == 0 {
		return overlaps, nil
	}
	if after.equals(before) && !isNews {
		overlaps = t.answers(len(after.silent) > 0)
	}
	var mu sync.Mutex
	var failed error
	isAnswered := func(filter bridge.Subject) bool { return overlaps[filter] != nil } // while it was asked for again
	asked := slices.DeleteFunc(slices.Collect(maps.Keys(filters)), isAnswered)
	js.Each(len(asked), func(i int) {
		found, err := t.List(ctx, asked[i])
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			failed = err
			return
		}
		overlaps[asked[i]] = &overlap{streams: found, isUsed: true}
	})
	return overlaps, failed
}

// answers returns the earlier answers. If there are many, it forgets those that nobody has used since it last did so: those of feeds that are gone,
// and of messages that were published. If it forgot others, their feeds would ask again, all of them each time.
func (t *Table) answers(forgets bool) map[bridge.Subject]*overlap {
	t.mu.Lock()
	defer t.mu.Unlock()
	kept := maps.Clone(t.overlaps)
	if forgets && len(kept) >= t.most {
		maps.DeleteFunc(kept, func(_ bridge.Subject, known *overlap) bool { return !known.isUsed })
		for _, known := range kept {
			known.isUsed = false
		}
		t.most = len(kept) + maxQuestions
	}
	return kept
}
