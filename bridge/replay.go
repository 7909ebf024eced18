package bridge

import (
	"container/list"
	"context"
	"errors"
	"slices"
	"sort"
	"time"
)

const (
	// gatherTime is how long the first read for opening readers gathers others: after a restart many readers return, each with its own
	// position.
	gatherTime = 5 * time.Millisecond
	// herdReach is how many sequences lower a read may begin for other waiting readers: less than a page has messages.
	herdReach = 1000
	// pageAge is how long a page is used: messages deleted meanwhile are still in it.
	pageAge = 30 * time.Second
	// resultAge is how long the result of a lookup is used for others.
	resultAge = time.Second
)

// replays reads logs for readers that are behind their feeds' memory: each page once, for any number of readers. Its methods return an available
// page or result, or nil, and then wake the waker when asking again is worth while. They are called with a feed's lock held, and never block.
type replays struct {
	counters *counters

	*turns            // and its lock, which guards the fields below
	used    list.List // of *page, the longest unused first
	bytes   int
	most    int // bytes of pages kept for readers at the same position; 0 for no limit
	lookups map[lookup]*result
}

// replay is what was read from the log of one part of a feed.
type replay struct {
	feed *Feed
	part *part // of the feed

	// The fields below are guarded by the lock of replays.
	pages    []*page // by from
	newest   []*page // of Log.Newest, in the order in which they were read
	fetching *task   // reads pages
	looking  *task   // reads newest
	through  uint64  // the end up to which pages are read
	dropped  bool
}

// page is an encoded stretch of a log.
type page struct {
	of        *replay
	frames    []frame // ascending
	from      uint64
	through   uint64 // nothing up to here is missing, except as lostBelow says
	lostBelow uint64
	upTo      uint64 // for newest values: the sequence as of which they are valid
	made      time.Time
	bytes     int
	element   *list.Element // nil once forgotten
}

// after returns the index of the first frame above a sequence.
func (p *page) after(seq uint64) int {
	return sort.Search(len(p.frames), func(i int) bool { return p.frames[i].seq > seq })
}

// before returns the position just before the first frame above a sequence, or the end of the page.
func (p *page) before(seq uint64) Position {
	i := p.after(seq)
	switch {
	case i == len(p.frames):
		return Position{Epoch: p.of.part.At.Epoch, Seq: max(p.through, seq)}
	case i > 0 && p.frames[i-1].seq+1 == p.frames[i].seq:
		return Position{Epoch: p.of.part.At.Epoch, Seq: p.frames[i-1].seq, Time: p.frames[i-1].time}
	default:
		return Position{Epoch: p.of.part.At.Epoch, Seq: p.frames[i].seq - 1}
	}
}

func newReplays(counters *counters) *replays {
	return &replays{counters: counters, turns: newTurns(), lookups: map[lookup]*result{}}
}

// page returns a page that continues at a sequence (inclusive). It may reach further than through, or less far. See await for gather.
func (r *replays) page(of *replay, from, through uint64, gather time.Duration, by asker) *page {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := of.covering(from)
	for ; found != nil && time.Since(found.made) > pageAge; found = of.covering(from) {
		r.forget(found)
	}
	if found != nil {
		r.used.MoveToBack(found.element)
		// The next page is read while this one is being written.
		if found.through >= through || of.covering(found.through+1) != nil {
			return found
		}
		from, gather = found.through+1, 0
	}
	of.through = max(of.through, through)
	if of.fetching == nil {
		of.fetching = newTask(of.part.Log, func(ctx context.Context, at turn) error { return r.fetch(ctx, of, at) })
	}
	r.await(of.fetching, by, wanted{from: from}, gather)
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

// fetch reads a page for the reader whose turn it is. A first read begins low enough to serve other readers of a herd as well: it is likely to
// reach as far.
func (r *replays) fetch(ctx context.Context, of *replay, at turn) error {
	begin := at.from
	of.feed.mu.Lock()
	floor := of.part.floor.Seq
	of.feed.mu.Unlock()
	r.mu.Lock()
	if !at.again {
		begin = of.fetching.lowest(begin-min(begin, herdReach), begin)
	}
	through := of.through
	if floor > of.part.At.Seq { // it has risen: waiting readers need everything up to there by now
		through = max(through, floor)
	}
	r.mu.Unlock()
	read, err := of.part.Log.Page(ctx, of.part.Subjects, begin, through)
	if err == nil && read.Through < begin {
		err = errNoProgress
	}
	if err != nil {
		return err
	}
	made := r.encode(of, of.feed.key.framing, read)
	made.from = begin
	r.mu.Lock()
	defer r.mu.Unlock()
	i := sort.Search(len(of.pages), func(i int) bool { return of.pages[i].from > begin })
	r.keep(made, &of.pages, i)
	r.wake(of.fetching, begin, made.through, anyWanted)
	return nil
}

// errNoProgress means that a Log violates its contract, and would be read again and again.
var errNoProgress = errors.New("a page ends before it begins")

// newestPage returns a page of the newest values as of the sequence upTo (0 for now), from a sequence on.
func (r *replays) newestPage(of *replay, from, upTo uint64, by asker) *page {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := wanted{from, upTo}
	if p := of.newestAt(at); p != nil {
		r.used.MoveToBack(p.element)
		return p
	}
	if of.looking == nil {
		of.looking = newTask(of.part.Log, func(ctx context.Context, at turn) error { return r.fetchNewest(ctx, of, at.wanted) })
	}
	r.await(of.looking, by, at, 0)
	return nil
}

func (of *replay) newestAt(at wanted) *page {
	for _, p := range of.newest {
		if p.isNewestAt(at) {
			return p
		}
	}
	return nil
}

// isNewestAt reports whether the page serves readers that wait for the newest values at a position.
func (p *page) isNewestAt(at wanted) bool {
	if at.upTo == 0 {
		return p.from == at.from && time.Since(p.made) < p.newestAge()
	}
	return p.upTo == at.upTo && p.from <= at.from && at.from <= p.through
}

// newestAge is how long a page of the newest values is good for those who begin. What has changed since is replayed to them; where
// there are more values than a page holds, that is less than to read them all again.
func (p *page) newestAge() time.Duration {
	if p.through < p.upTo {
		return pageAge
	}
	return resultAge
}

func (r *replays) fetchNewest(ctx context.Context, of *replay, at wanted) error {
	read, err := of.part.Log.Newest(ctx, of.part.Subjects, at.from, at.upTo)
	if err != nil {
		return err
	}
	made := r.encode(of, of.feed.key.framing.initially(), read)
	made.from, made.upTo = at.from, read.UpTo
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keep(made, &of.newest, len(of.newest))
	r.wake(of.looking, at.from, max(at.from, made.through), made.isNewestAt)
	return nil
}

// encode makes a page of what was read.
func (r *replays) encode(of *replay, framing Framing, read Page) *page {
	p := &page{of: of, through: read.Through, lostBelow: read.LostBelow, made: time.Now()}
	p.frames = make([]frame, len(read.Messages))
	for i, m := range read.Messages {
		p.frames[i] = m.framed(framing, framing.message(m))
		p.bytes += len(p.frames[i].data)
	}
	r.counters.replayPages.Add(1)
	r.counters.replayMessages.Add(uint64(len(p.frames)))
	return p
}

// frameCost is about the size of a frame without its bytes; pageCost is that of a page.
const frameCost, pageCost = 136, 200

// keep inserts a page, unless nobody wants it any more, and drops the pages longest unused. The lock must be held.
func (r *replays) keep(added *page, among *[]*page, at int) {
	if added.of.dropped {
		return
	}
	added.bytes += len(added.frames)*frameCost + pageCost
	*among = slices.Insert(*among, at, added)
	added.element = r.used.PushBack(added)
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

// forget drops a page. The lock must be held.
func (r *replays) forget(p *page) {
	r.used.Remove(p.element)
	r.bytes -= p.bytes
	isIt := func(other *page) bool { return other == p }
	p.of.pages = slices.DeleteFunc(p.of.pages, isIt)
	p.of.newest = slices.DeleteFunc(p.of.newest, isIt)
}

// drop drops what was read for parts that nobody reads any more.
func (r *replays) drop(parts []part) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, part := range parts {
		of := part.replay
		if of == nil {
			continue
		}
		of.dropped = true
		for _, page := range slices.Concat(of.pages, of.newest) {
			r.forget(page)
		}
		for _, task := range []*task{of.fetching, of.looking} {
			if task != nil {
				r.wakeAll(task)
			}
		}
	}
}

// abandon forgets the lookups in logs of parts that have ended, and wakes the readers that wait for the results. They ask about another log,
// or again.
func (r *replays) abandon(parts []part) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, part := range parts {
		for key, a := range r.lookups {
			if part.Log != nil && key.of == part.Log {
				delete(r.lookups, key)
				r.wakeAll(a.task)
			}
		}
	}
}
