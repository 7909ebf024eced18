package bridge

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// Source is where messages come from.
type Source interface {
	// Attach lets what is published on the feed's subjects flow into it until Detach. It returns at once: the feed begins
	// when the source is sure to receive all that is published from then on, however long that takes.
	Attach(*Feed)
	// Detach ends that. Nothing is appended after it returns.
	Detach(*Feed)
}

// Hub opens a feed for the first reader of a set of subjects in a framing, shares it among all of them, and closes it a
// while after the last has gone.
type Hub struct {
	source   Source
	linger   time.Duration
	memory   Memory
	counters counters

	mu     sync.Mutex
	feeds  map[feedKey]*Feed
	closed bool
	calls  sync.WaitGroup // into the source, made outside of the lock; none begins once closed is set
}

type feedKey struct {
	subjects string // joined by blanks, which no subject holds
	framing  Framing
}

func (f *Feed) key() feedKey {
	var joined strings.Builder
	for _, s := range f.subjects {
		joined.WriteString(string(s))
		joined.WriteByte(' ')
	}
	return feedKey{joined.String(), f.framing}
}

// lingering is the wait of a feed without readers. It is compared by address: a timer that fired just as it was stopped
// must not end a later wait.
type lingering struct{ timer *time.Timer }

// NewHub gives a hub over a source. A feed lingers that long after its last reader, so that a browser which reconnects,
// or a page which is loaded again, continues from memory.
func NewHub(source Source, linger time.Duration, memory Memory) *Hub {
	return &Hub{source: source, linger: linger, memory: memory, feeds: map[feedKey]*Feed{}}
}

// Read gives a reader of the subjects, which may be filters. The error is ErrClosed once the hub is closed.
func (h *Hub) Read(subjects []Subject, framing Framing, resume Resume) (*Reader, error) {
	wanted := &Feed{subjects: Reduce(subjects), framing: framing, memory: h.memory, counters: &h.counters}
	feed, isNew, err := h.join(wanted)
	if err != nil {
		return nil, fmt.Errorf("open a feed: %w", err)
	}
	if isNew {
		// Outside the lock: readers of other feeds need not wait for this one's subscription.
		h.source.Attach(feed)
		h.calls.Done()
	}
	reader := &Reader{hub: h, feed: feed, resume: resume}
	feed.mu.Lock()
	reader.next = feed.end()
	feed.mu.Unlock()
	return reader, nil
}

// join counts a reader on the feed like wanted, which becomes that feed where there is none.
func (h *Hub) join(wanted *Feed) (feed *Feed, isNew bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, false, ErrClosed
	}
	key := wanted.key()
	feed, found := h.feeds[key]
	if !found {
		feed = wanted
		h.feeds[key] = feed
		h.calls.Add(1)
	}
	if feed.linger != nil {
		feed.linger.timer.Stop()
		feed.linger = nil
	}
	feed.readers++
	return feed, !found, nil
}

func (h *Hub) release(feed *Feed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	feed.readers--
	if feed.readers > 0 || h.closed {
		return
	}
	wait := &lingering{}
	wait.timer = time.AfterFunc(h.linger, func() { h.expire(feed, wait) })
	feed.linger = wait
}

func (h *Hub) expire(feed *Feed, wait *lingering) {
	h.mu.Lock()
	if h.closed || feed.linger != wait {
		h.mu.Unlock()
		return
	}
	delete(h.feeds, feed.key())
	h.calls.Add(1)
	h.mu.Unlock()
	h.source.Detach(feed)
	h.calls.Done()
}

// Close detaches every feed from the source, and returns when that is done. Readers that are still open get nothing more.
func (h *Hub) Close() {
	h.mu.Lock()
	feeds := h.feeds
	h.feeds, h.closed = nil, true
	for _, feed := range feeds {
		if feed.linger != nil {
			feed.linger.timer.Stop()
		}
	}
	h.mu.Unlock()
	h.calls.Wait()
	for _, feed := range feeds {
		h.source.Detach(feed)
	}
}
