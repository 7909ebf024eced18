package bridge

import (
	"container/list"
	"context"
	"slices"
	"sort"
	"sync"
	"time"
)

const (
	// replayWorkers is how many reads may be under way at once: each keeps a server busy.
	replayWorkers = 16
	// replayTimeout is how long one read may take.
	replayTimeout = 10 * time.Second
	// replayBackoff is the wait after a read that failed.
	replayBackoff = time.Second
	// gatherTime is how long the first read for those who open waits for others: after a restart a herd comes, each from
	// a place of its own, and one read from the lowest serves them all.
	gatherTime = 5 * time.Millisecond
	// pageAge is how long a page is good: what is deleted meanwhile is still in it.
	pageAge = 30 * time.Second
	// answerAge is how long the answer to a question about one position is good for others.
	answerAge = time.Second
)

// replays reads logs for readers that are behind their feeds' memory: each page once, however many wait for it, as fast
// as they take it. Its methods give what is there, or nil, and wake the waker when asking again is worth while. They are
// called with a feed's lock held, and never wait.
type replays struct {
	counters *counters
	alive    context.Context
	stop     context.CancelFunc
	running  sync.WaitGroup
	timers   timers

	mu      sync.Mutex
	logs    []*reads  // that have any; the one whose turn it is comes first
	workers int       // that run
	used    list.List // of *page, the one longest unused first
	bytes   int
	most    int // bytes of pages that are kept for readers that come to the same place; 0 for any number
	answers map[question]*answer
}

// replay is what was read from the log of one part of a feed.
type replay struct {
	subjects []Subject
	framing  Framing

	// The rest is guarded by the lock of replays.
	pages    []*page  // by from
	newest   []*page  // of Log.Newest, in the order in which they were read
	fetching *bell    // rung when the read under way has ended; nil where there is none
	looking  *bell    // the same for newest
	wanted   []uint64 // the sequences to read from, ascending
	through  uint64   // how far
	dropped  bool
}

func newReplay(subjects []Subject, framing Framing) *replay {
	return &replay{subjects: subjects, framing: framing}
}

// want notes where to read from.
func (of *replay) want(from uint64) {
	if i, known := slices.BinarySearch(of.wanted, from); !known {
		of.wanted = slices.Insert(of.wanted, i, from)
	}
}

// take gives where to read from next: the lowest place that is wanted at or above a sequence, else the lowest. So all have
// their turn, those who are far behind and those who are not.
func (of *replay) take(above uint64) (from uint64, found bool) {
	of.wanted = slices.DeleteFunc(of.wanted, func(seq uint64) bool { return of.covering(seq) != nil })
	if len(of.wanted) == 0 || of.dropped {
		return 0, false
	}
	i, _ := slices.BinarySearch(of.wanted, above)
	i %= len(of.wanted)
	from = of.wanted[i]
	of.wanted = slices.Delete(of.wanted, i, i+1)
	return from, true
}

// page is a stretch of a log, encoded.
type page struct {
	of        *replay
	epoch     string
	frames    []frame // ascending
	from      uint64
	through   uint64 // nothing up to here is missing, but what LostBelow tells
	lostBelow uint64
	upTo      uint64 // of the newest values: the sequence as of which they are
	made      time.Time
	bytes     int
	place     *list.Element // nil once it is forgotten
}

// after gives the index of the first frame above a sequence.
func (p *page) after(seq uint64) int {
	return sort.Search(len(p.frames), func(i int) bool { return p.frames[i].seq > seq })
}

// before gives the position just before the first frame above a sequence, or where the page ends.
func (p *page) before(seq uint64) Position {
	i := p.after(seq)
	switch {
	case i == len(p.frames):
		return Position{Epoch: p.epoch, Seq: max(p.through, seq)}
	case i > 0 && p.frames[i-1].seq+1 == p.frames[i].seq:
		return Position{Epoch: p.epoch, Seq: p.frames[i-1].seq, Time: p.frames[i-1].time}
	default:
		return Position{Epoch: p.epoch, Seq: p.frames[i].seq - 1}
	}
}

// question is one that readers ask about a log; seq or time is not zero.
type question struct {
	log  Log
	seq  uint64
	time int64
}

type answer struct {
	done  bell
	ready bool
	at    Position // of Log.Stored
	last  uint64   // of Log.Stored
	since uint64   // of Log.Since
}

func newReplays(counters *counters) *replays {
	r := &replays{counters: counters, answers: map[question]*answer{}}
	r.alive, r.stop = context.WithCancel(context.Background())
	return r
}

// close ends all reads and waits for them.
func (r *replays) close() {
	r.mu.Lock()
	r.stop()
	r.mu.Unlock() // no worker begins from here on
	r.running.Wait()
	r.timers.close()
}

// page gives a page that holds what follows from a sequence on, itself included; it may reach further than through, or
// not so far. gather says that others may be about to ask as well.
func (r *replays) page(of *replay, log Log, from, through uint64, gather bool, waker Waker) *page {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := of.covering(from)
	for ; found != nil && time.Since(found.made) > pageAge; found = of.covering(from) {
		r.forget(found)
	}
	if found != nil {
		r.used.MoveToBack(found.place)
		// The next page is read while this one is being written.
		if found.through >= through || of.covering(found.through+1) != nil {
			return found
		}
		from, gather = found.through+1, false
	}
	of.want(from)
	of.through = max(of.through, through)
	if of.fetching == nil {
		of.fetching = new(bell)
		begin := func() { r.enqueue(log, func() { r.fetch(of, log, 0) }) }
		if gather {
			r.timers.after(gatherTime, func() {
				r.mu.Lock()
				defer r.mu.Unlock()
				begin()
			})
		} else {
			begin()
		}
	}
	if found == nil {
		of.fetching.await(waker)
	}
	return found
}

func (of *replay) covering(seq uint64) *page {
	i := sort.Search(len(of.pages), func(i int) bool { return of.pages[i].from > seq })
	// Pages may overlap; the last that begins at or before seq need not be the one that reaches it, but usually is.
	for i--; i >= 0; i-- {
		if of.pages[i].through >= seq {
			return of.pages[i]
		}
	}
	return nil
}

// fetch reads the page that is wanted next, from a sequence on if there is one, and queues for the one after it: other
// feeds have their turn between.
func (r *replays) fetch(of *replay, log Log, above uint64) {
	r.mu.Lock()
	from, found := of.take(above)
	through := of.through
	if !found {
		of.ended()
		r.mu.Unlock()
		return
	}
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(r.alive, replayTimeout)
	defer cancel()
	read, err := log.Page(ctx, of.subjects, from, through)
	if err != nil || read.Through < from { // the second would be a Log that breaks its word, read again and again
		r.failed(func() {
			of.wanted = nil
			of.ended()
		})
		return
	}
	made := r.encode(of, log, read)
	made.from = from
	r.mu.Lock()
	defer r.mu.Unlock()
	i := sort.Search(len(of.pages), func(i int) bool { return of.pages[i].from > from })
	r.keep(made, func() { of.pages = slices.Insert(of.pages, i, made) })
	of.ended()
	of.fetching = new(bell)
	r.enqueue(log, func() { r.fetch(of, log, read.Through) })
}

// ended wakes those who wait for a read. The lock must be held.
func (of *replay) ended() {
	of.fetching.ring()
	of.fetching = nil
}

// newestPage gives a page of the newest values as of a sequence, from one on; upTo 0 stands for now.
func (r *replays) newestPage(of *replay, log Log, from, upTo uint64, waker Waker) *page {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range of.newest {
		if upTo == 0 && p.from == from && time.Since(p.made) < p.newestAge() || upTo != 0 && p.upTo == upTo && p.from <= from && from <= p.through {
			r.used.MoveToBack(p.place)
			return p
		}
	}
	if of.looking == nil {
		of.looking = new(bell)
		r.enqueue(log, func() { r.fetchNewest(of, log, from, upTo) })
	}
	of.looking.await(waker)
	return nil
}

// newestAge is how long a page of the newest values is good for those who begin. What has changed since is replayed to them; where
// there are more values than a page holds, that is less than to read them all again.
func (p *page) newestAge() time.Duration {
	if p.through < p.upTo {
		return pageAge
	}
	return answerAge
}

func (r *replays) fetchNewest(of *replay, log Log, from, upTo uint64) {
	ctx, cancel := context.WithTimeout(r.alive, replayTimeout)
	defer cancel()
	read, err := log.Newest(ctx, of.subjects, from, upTo)
	ended := func() {
		of.looking.ring()
		of.looking = nil
	}
	if err != nil {
		r.failed(ended)
		return
	}
	made := r.encode(of, log, read)
	made.from, made.upTo = from, read.UpTo
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keep(made, func() { of.newest = append(of.newest, made) })
	ended()
}

// failed wakes those who wait, but only after a while: they ask again at once.
func (r *replays) failed(wake func()) {
	r.counters.replayErrors.Add(1)
	if r.alive.Err() != nil {
		return
	}
	r.timers.after(replayBackoff, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		wake()
	})
}

// encode makes a page of what was read.
func (r *replays) encode(of *replay, log Log, read Page) *page {
	p := &page{of: of, epoch: log.Last().Epoch, through: read.Through, lostBelow: read.LostBelow, made: time.Now()}
	p.frames = make([]frame, len(read.Messages))
	for i, m := range read.Messages {
		p.frames[i] = m.framed(of.framing.message(m))
		p.bytes += len(p.frames[i].data)
	}
	r.counters.replayPages.Add(1)
	r.counters.replayMessages.Add(uint64(len(p.frames)))
	return p
}

// frameCost is what a frame takes beside its bytes, about; pageCost is that of a page.
const frameCost, pageCost = 136, 200

// keep adds a page, unless nobody wants it any more, and lets go of those that were unused for longest. The lock must be
// held.
func (r *replays) keep(added *page, add func()) {
	if added.of.dropped {
		return
	}
	added.bytes += len(added.frames)*frameCost + pageCost
	add()
	added.place = r.used.PushBack(added)
	r.bytes += added.bytes
	for r.most > 0 && r.bytes > r.most && r.used.Len() > 1 {
		r.forget(r.used.Front().Value.(*page))
	}
}

// held returns how many bytes of pages are kept.
func (r *replays) held() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bytes
}

// forget lets go of a page. The lock must be held.
func (r *replays) forget(p *page) {
	r.used.Remove(p.place)
	r.bytes -= p.bytes
	isIt := func(other *page) bool { return other == p }
	p.of.pages = slices.DeleteFunc(p.of.pages, isIt)
	p.of.newest = slices.DeleteFunc(p.of.newest, isIt)
}

// drop forgets what was read for parts that nobody reads any more.
func (r *replays) drop(parts []part) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, part := range parts {
		if part.replay == nil {
			continue
		}
		part.replay.dropped = true
		for len(part.replay.pages) > 0 {
			r.forget(part.replay.pages[0])
		}
		for len(part.replay.newest) > 0 {
			r.forget(part.replay.newest[0])
		}
	}
}

// stored tells what is stored at a sequence; see Log.Stored.
func (r *replays) stored(log Log, seq uint64, waker Waker) *answer {
	return r.ask(question{log: log, seq: seq}, waker, func(ctx context.Context, a *answer) (err error) {
		a.at, a.last, err = log.Stored(ctx, seq)
		return err
	})
}

// since tells where a time begins; see Log.Since.
func (r *replays) since(log Log, t time.Time, waker Waker) *answer {
	return r.ask(question{log: log, time: t.UnixNano()}, waker, func(ctx context.Context, a *answer) (err error) {
		a.since, err = log.Since(ctx, t)
		return err
	})
}

func (r *replays) ask(q question, waker Waker, read func(context.Context, *answer) error) *answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a, asked := r.answers[q]; asked {
		if a.ready {
			return a
		}
		a.done.await(waker)
		return nil
	}
	a := new(answer)
	a.done.await(waker)
	r.answers[q] = a
	r.enqueue(q.log, func() {
		ctx, cancel := context.WithTimeout(r.alive, replayTimeout)
		defer cancel()
		if err := read(ctx, a); err != nil {
			r.failed(func() {
				delete(r.answers, q)
				a.done.ring()
			})
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		a.ready = true
		a.done.ring()
		r.timers.after(answerAge, func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			delete(r.answers, q)
		})
	})
	return nil
}

// reads are those of one log.
type reads struct {
	log     Log
	queue   []func() // what no worker has begun
	running int
}

// enqueue lets a worker run a read of a log. The lock must be held.
func (r *replays) enqueue(log Log, read func()) {
	i := slices.IndexFunc(r.logs, func(of *reads) bool { return of.log == log })
	if i < 0 {
		i = len(r.logs)
		r.logs = append(r.logs, &reads{log: log})
	}
	r.logs[i].queue = append(r.logs[i].queue, read)
	r.begin()
}

// begin lets workers begin with what may begin. The lock must be held.
func (r *replays) begin() {
	for of := r.turn(); of != nil && r.alive.Err() == nil; of = r.turn() {
		read := of.queue[0]
		of.queue = of.queue[1:]
		of.running++
		r.workers++
		r.running.Go(func() {
			read()
			r.mu.Lock()
			defer r.mu.Unlock()
			of.running--
			r.workers--
			r.begin()
		})
	}
}

// turn returns the reads of the log whose turn it is; nil for none. A log may have as many workers as are left for the others: so
// one that does not answer never has all of them. The lock must be held.
func (r *replays) turn() *reads {
	r.logs = slices.DeleteFunc(r.logs, func(of *reads) bool { return len(of.queue) == 0 && of.running == 0 })
	i := slices.IndexFunc(r.logs, func(of *reads) bool { return len(of.queue) > 0 && of.running < replayWorkers-r.workers })
	if i < 0 {
		return nil
	}
	of := r.logs[i]
	r.logs = append(slices.Delete(r.logs, i, i+1), of)
	return of
}
