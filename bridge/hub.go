package bridge

import (
	"container/list"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Source delivers messages to feeds.
type Source interface {
	// Attach starts delivering messages on the feed's subjects to it, until Detach. It returns at once. The feed begins when the source is
	// sure to receive everything published from then on, however long that takes.
	Attach(*Feed)
	// Detach stops that. Nothing is appended after it returns. A feed that has ended is detached too, after another one was attached for its
	// readers.
	Detach(*Feed)
}

// Hub opens a feed for the first reader of a set of subjects in a framing, shares it among all readers, and closes it a while after the last
// reader has left.
type Hub struct {
	source   Source
	linger   time.Duration
	memory   Memory
	perFeed  atomic.Int64 // each feed's share of Memory.Total
	counters counters
	replays  *replays
	members  func(Subject) []Presence // see KeepMembers; nil for none

	mu      sync.Mutex
	feeds   map[feedKey]*Feed
	retired map[*Feed]struct{} // feeds that have ended and still have readers
	closed  bool
	trimmed int // the number of feeds when all were last trimmed, or the least since

	// The feeds without readers, longest first, and the number of their subjects.
	lingering         list.List // of *Feed
	lingeringSubjects int

	calls sync.WaitGroup // to the source, outside the lock; none starts once closed is set
}

type feedKey struct {
	subjects string // joined by blanks, which subjects cannot contain
	framing  Framing
}

// maxLingeringSubjects limits the subscriptions that connections leave behind: otherwise a client that opens and cuts connections could hold any
// number of them while feeds linger. Above the limit, the feeds that have lingered longest are closed first.
const maxLingeringSubjects = 1 << 14

// lingering is the wait of a feed without readers. Waits are compared by address: a timer that fired while it was being stopped must not end a
// later wait.
type lingering struct {
	timer   *time.Timer
	element *list.Element
}

// NewHub returns a hub on a source. A feed stays open for linger after its last reader, so that a browser that reconnects, or a page that is
// reloaded, continues from memory.
func NewHub(source Source, linger time.Duration, memory Memory) *Hub {
	h := &Hub{source: source, linger: linger, memory: memory, feeds: map[feedKey]*Feed{}, retired: map[*Feed]struct{}{}, counters: newCounters()}
	h.replays = newReplays(&h.counters)
	h.replays.most = memory.Pages
	h.divide()
	return h
}

// Read returns a reader of subjects, which may be filters. The error wraps ErrClosed if the hub is closed, and ErrBusy if the account waits for
// too much already.
func (h *Hub) Read(subjects []Subject, framing Framing, from Resume) (*Reader, error) {
	if !h.replays.mayWait(from.Account) {
		return nil, fmt.Errorf("open a feed: %w", ErrBusy)
	}
	subjects = Reduce(subjects)
	reader := &Reader{resume: &resume{Resume: from}, waits: waiter{account: from.Account}}
	if framing.Run {
		reader.count = &count{isWhole: from.Since.Kind == SinceAll && len(from.After) == 0}
	}
	if len(from.Through) > 0 {
		reader.counted().through = from.Through
	}
	if from.Since.Kind == SinceUntil {
		reader.counted().isBounded = true
	}
	if err := h.join(reader, feedKey{joined(subjects), framing}, subjects); err != nil {
		return nil, fmt.Errorf("open a feed: %w", err)
	}
	return reader, nil
}

// join makes a reader read the feed of that key, and attaches a new feed if there is none. The error is ErrClosed.
func (h *Hub) join(r *Reader, key feedKey, subjects []Subject) error {
	isNew, err := h.enter(r, key, subjects)
	if isNew {
		// Outside the lock, so that readers of other feeds need not wait.
		h.source.Attach(r.feed)
		h.calls.Done()
	}
	return err
}

// enter is the part of join under the hub's lock. It joins the feed and records the reader's position in it.
func (h *Hub) enter(r *Reader, key feedKey, subjects []Subject) (isNew bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false, ErrClosed
	}
	feed, found := h.feeds[key]
	if !found {
		feed = &Feed{hub: h, key: key, subjects: subjects, first: 1}
		h.feeds[key] = feed
		h.divide()
		h.trim()
		h.calls.Add(1)
	}
	h.stopLingering(feed)
	feed.readers++
	feed.mu.Lock()
	defer feed.mu.Unlock()
	r.feed = feed
	r.arrive()
	return !found, nil
}

// retire frees the key of a feed that is about to end for another feed.
func (h *Hub) retire(feed *Feed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.feeds[feed.key] != feed {
		return
	}
	if feed.readers > 0 {
		h.retired[feed] = struct{}{}
		delete(h.feeds, feed.key)
		h.divide()
		return
	}
	h.forget(feed)
	h.detachSoon(feed)
}

// release removes a reader from its feed. A feed without readers lingers, unless it has ended.
func (h *Hub) release(feed *Feed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	feed.readers--
	if feed.readers > 0 || h.closed {
		return
	}
	if _, isRetired := h.retired[feed]; isRetired {
		delete(h.retired, feed)
		h.calls.Add(1)
		h.detachSoon(feed)
		return
	}
	h.await(feed)
}

// await keeps a feed without readers for a while. The lock must be held.
func (h *Hub) await(feed *Feed) {
	wait := &lingering{element: h.lingering.PushBack(feed)}
	wait.timer = time.AfterFunc(h.linger, func() { h.expire(feed, wait) })
	feed.linger = wait
	h.lingeringSubjects += len(feed.subjects)
	for h.lingeringSubjects > maxLingeringSubjects {
		oldest := h.lingering.Front().Value.(*Feed)
		h.forget(oldest)
		h.detachSoon(oldest)
	}
}

// detachSoon is detach for callers that must not block, such as event loops: a source may be slow.
func (h *Hub) detachSoon(feed *Feed) { time.AfterFunc(0, func() { h.detach(feed) }) }

func (h *Hub) expire(feed *Feed, wait *lingering) {
	h.mu.Lock()
	if feed.linger != wait {
		h.mu.Unlock()
		return
	}
	h.forget(feed)
	h.mu.Unlock()
	h.detach(feed)
}

// stopLingering ends a feed's wait, if there is one. The lock must be held.
func (h *Hub) stopLingering(feed *Feed) {
	if feed.linger == nil {
		return
	}
	feed.linger.timer.Stop()
	h.lingering.Remove(feed.linger.element)
	h.lingeringSubjects -= len(feed.subjects)
	feed.linger = nil
}

// forget removes a feed without readers; the caller must detach it afterwards. The lock must be held.
func (h *Hub) forget(feed *Feed) {
	h.stopLingering(feed)
	delete(h.feeds, feed.key)
	h.divide()
	h.calls.Add(1)
}

// divide sets how much each feed may hold. The lock must be held.
func (h *Hub) divide() {
	perFeed := math.MaxInt
	if h.memory.Total > 0 {
		perFeed = h.memory.Total / 5 * 4 / max(1, len(h.feeds))
		h.trimmed = min(h.trimmed, len(h.feeds))
	}
	h.perFeed.Store(int64(perFeed))
}

// trim makes feeds drop frames beyond perFeed, whenever there are a quarter more feeds than the last time. So all feeds together hold at
// most a quarter more than they may. The lock must be held.
func (h *Hub) trim() {
	if 4*len(h.feeds) < 5*h.trimmed {
		return
	}
	h.trimmed = len(h.feeds)
	for _, feed := range h.feeds {
		feed.trimNow()
	}
}

func (h *Hub) detach(feed *Feed) {
	h.source.Detach(feed)
	feed.mu.Lock()
	h.replays.drop(feed.parts)
	feed.mu.Unlock()
	h.calls.Done()
}

// Close detaches every feed from the source, and returns when that is done. Open readers receive nothing more.
func (h *Hub) Close() {
	h.mu.Lock()
	for h.lingering.Len() > 0 {
		h.stopLingering(h.lingering.Front().Value.(*Feed))
	}
	feeds := slices.AppendSeq(slices.Collect(maps.Values(h.feeds)), maps.Keys(h.retired))
	h.feeds, h.retired, h.closed = nil, nil, true
	h.mu.Unlock()
	h.calls.Wait()
	h.replays.close()
	for _, feed := range feeds {
		h.source.Detach(feed)
	}
}

// End ends the feed, because its messages will come from elsewhere, or from another life of a stream. The feed may not have begun. Nothing is
// appended any more. Each reader opens anew on another feed in its next call of Next, from its position. The hub detaches the feed when the last
// reader has left.
func (f *Feed) End() {
	f.hub.retire(f) // first, so that readers that open anew find another feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return
	}
	f.ended = true
	for i := range f.parts {
		f.parts[i].last = f.parts[i].end()
	}
	f.first, f.frames, f.array, f.bytes = f.end(), nil, nil, 0
	f.hub.replays.drop(f.parts)
	f.hub.replays.abandon(f.parts)
	f.wakeUp()
}
