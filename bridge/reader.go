package bridge

import (
	"slices"
	"time"
)

// Reader is one connection's cursor into a feed. When the feed ends, the reader opens anew on another one. Its methods are for one goroutine at
// a time.
type Reader struct {
	// Each call of Next needs these fields; they are adjacent for the cache.
	feed      *Feed
	waker     Waker      // of the last call of Next
	next      uint64     // the number of the frame to deliver next; below Feed.first if the client lacks what memory does not hold
	have      []standing // what the client has, in each of the feed's parts
	isFork    bool
	syncing   bool // the end of a replay has to be announced
	closed    bool
	waitingAt int32 // in Feed.waiting, from 1 on; 0 if not in it. Guarded by the feed's lock
	most      int   // the largest frame of a message, in bytes; 0 for no limit

	syncAt uint64  // the replay ends before the frame of that number, and after standing.sync
	resume *resume // nil once the client knows where it continues on this feed
	count  *count  // for a poll, a run, or a replay with an end that may not have arrived; else nil
	waits  waiter  // for reads of logs
}

// isBounded reports whether nothing after the replay is delivered.
func (r *Reader) isBounded() bool { return r.count != nil && r.count.isBounded }

// standing is where a client stands in one part of a feed: its position there, and what it is still owed.
type standing struct {
	Position
	told   uint64 // losses below this sequence are not owed, or were announced
	newest uint64 // the client is receiving the newest values as of this sequence; 0 if not
	sync   uint64 // the end of the requested replay
	// isAhead means that the replay's end had not arrived yet when the reader opened, so that it is read from the log.
	isAhead bool
}

// resume is what a reader needs to open.
type resume struct {
	Resume
	greeting

	// For a reader whose feed has ended: the feed, and the client's state in each of its parts. nil for a reader whose client was told nothing
	// yet.
	left *Feed
	have []standing
}

// Greet makes the first event say how long the client should wait before it reconnects, and how long silence lasts at most. If used, it is
// called before Next.
func (r *Reader) Greet(retry, heartbeat time.Duration) {
	r.resume.greeting = greeting{retry, heartbeat.Seconds()}
}

// arrive records the feed's position: a client who asks for new messages begins there.
func (r *Reader) arrive() {
	r.have = nil
	if r.resume.left != nil {
		return // the client does not know this feed yet; a gap covers what it misses of new parts
	}
	for _, at := range r.feed.position() {
		r.have = append(r.have, standing{Position: at})
	}
}

// Framing returns the encoding of the connection's other bytes, such as heartbeats.
func (r *Reader) Framing() Framing { return r.feed.key.framing }

// Limit makes the reader deliver an EventLarge instead of each message whose frame has more than most bytes; 0 for no limit. It is called
// before the first Next.
func (r *Reader) Limit(most int) { r.most = most }

// Stop makes the reader give no more than so many messages; 0 for no limit. It is called before the first Next.
func (r *Reader) Stop(after int) {
	r.counted().stop = after
}

// counted returns the reader's count, and makes it count.
func (r *Reader) counted() *count {
	if r.count == nil {
		r.count = &count{}
	}
	return r.count
}

// isOpen reports whether the client knows where it continues on this feed.
func (r *Reader) isOpen() bool { return r.resume == nil }

// id returns the client's position as an event id.
func (r *Reader) id() ID {
	id := make(ID, len(r.have))
	for i := range r.have {
		id[i] = r.have[i].Position
	}
	return id
}

// Synced reports whether everything was delivered that was owed when the connection opened.
func (r *Reader) Synced() bool { return r.isOpen() && !r.syncing }

// Done reports whether an answer ends here: the limit of Stop was reached, or everything was delivered.
func (r *Reader) Done() bool { return r.isFull() || r.Synced() }

func (r *Reader) isFull() bool { return r.count.isFull() }

// Stored reports whether everything delivered came from streams, and includes all that was published before.
func (r *Reader) Stored() bool {
	r.feed.mu.Lock()
	defer r.feed.mu.Unlock()
	return !slices.ContainsFunc(r.feed.parts, func(p part) bool { return p.Log == nil })
}

// Refusal returns ErrRefused while nothing can arrive, because NATS refuses the subjects to this bridge; otherwise nil. If that changes, the
// waker of Next is woken.
func (r *Reader) Refusal() error {
	r.feed.mu.Lock()
	defer r.feed.mu.Unlock()
	if r.feed.refused {
		return ErrRefused
	}
	return nil
}

// IsUnreadable reports whether a stream holds some of the subjects that cannot be read: its messages are delivered only as they arrive.
func (r *Reader) IsUnreadable() bool {
	r.feed.mu.Lock()
	defer r.feed.mu.Unlock()
	return slices.ContainsFunc(r.feed.parts, func(p part) bool { return p.Unreadable })
}

// asker returns the asker that wakes this reader.
func (r *Reader) asker() asker { return asker{&r.waits, r.waker} }

// count is what a reader knows beside its cursor that does not read for ever, or until it has its replay.
type count struct {
	stop, given int  // messages to deliver at most, 0 for no limit; and those delivered
	isBounded   bool // nothing after standing.sync is delivered, as for a poll
	through     ID   // see Resume.Through
	isWhole     bool // the client is owed the beginning of the run
	run         RunState
}

// isFull reports whether no message follows. c may be nil.
func (c *count) isFull() bool { return c != nil && (c.stop > 0 && c.given >= c.stop || c.hasEnded()) }

func (c *count) hasEnded() bool { return c.run.Kind.IsEnd() }

// Run returns how far a reader of a run has read.
func (r *Reader) Run() RunState {
	if r.count == nil {
		return RunState{}
	}
	return r.count.run
}

// Ended reports whether the end of a run was delivered. Then Next returns nothing more.
func (r *Reader) Ended() bool { return r.count != nil && r.count.hasEnded() }
