package bridge

import (
	"context"
	"slices"
	"strings"
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

// standing is a client's state in one part.
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
	r.resume.greeting = greeting{retry: retry, heartbeat: heartbeat}
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

// uncount ends the counting of a reader that reads for ever, once it has its replay.
func (r *Reader) uncount() {
	if c := r.count; c != nil && c.stop == 0 && !c.isBounded && !c.isRun {
		r.count = nil
	}
}

// counted returns the reader's count, and makes it count.
func (r *Reader) counted() *count {
	if r.count == nil {
		r.count = &count{}
	}
	return r.count
}

// Await waits until it is known where the connection begins, or ctx ends: a client without a position misses nothing that is published after
// that. It is called before the first Next.
func (r *Reader) Await(ctx context.Context) {
	begun := NewSignal()
	for !r.begins(begun) {
		select {
		case <-begun:
		case <-ctx.Done():
			return
		}
	}
}

// begins reports whether the feed has begun, or ended, or NATS refuses it. If not, the waker will be woken then.
func (r *Reader) begins(waker Waker) bool {
	f := r.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.parts) > 0 || f.ended || f.refused {
		return true
	}
	r.waker = waker
	f.await(r)
	return false
}

// Next appends to batch the frames that the client has not received, oldest first: as many as fit into maxBytes, and at least one. Frames are
// shared and must not be changed. If there are none, the waker is woken when Next is worth calling again; it may also be woken needlessly.
//
// The first frame of a connection is an open, a gap or a reset: the position from which it continues. It is returned when the feed is live and
// the client's position has been judged.
func (r *Reader) Next(batch [][]byte, maxBytes int, waker Waker) [][]byte {
	batch, _ = r.NextSince(batch, maxBytes, waker)
	return batch
}

// NextSince is Next, and returns when the oldest live message that it appended was published, in nanoseconds of Unix time; 0 if there is none.
// Replayed messages do not count: they say nothing about how fast this process is.
func (r *Reader) NextSince(batch [][]byte, maxBytes int, waker Waker) (filled [][]byte, since int64) {
	f := r.feed
	f.mu.Lock()
	if f.ended {
		f.mu.Unlock()
		if r.reopen() {
			return r.NextSince(batch, maxBytes, waker)
		}
		return batch, 0
	}
	defer f.mu.Unlock()
	r.waker = waker
	out := output{batch: batch, had: len(batch), left: maxBytes}
	r.fill(&out)
	return out.batch, out.since
}

// reopen opens a reader whose feed has ended on the present feed of its subjects. It reports false for a fork, which is replaced, and if the
// hub is closed.
func (r *Reader) reopen() bool {
	if r.isFork || r.closed {
		return false
	}
	left := r.feed
	left.hub.replays.leave(&r.waits)
	if r.isOpen() {
		r.resume, r.next = r.leave(), 0
	}
	if err := left.hub.join(r, left.key, left.subjects); err != nil {
		return false
	}
	left.hub.release(left)
	return true
}

// leave returns what a reader needs to open on another feed. If it had everything, its position is the feed's: in a quiet part, that of the
// log's newest message.
func (r *Reader) leave() *resume {
	f := r.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.isLevel() {
		for i := range r.have {
			if at := &r.have[i]; f.parts[i].last.Seq >= at.Seq {
				at.Position = f.parts[i].last
			}
		}
	}
	return &resume{Resume: Resume{After: r.id(), Sync: r.syncing}, left: f, have: r.have}
}

// output is a batch being filled.
type output struct {
	batch [][]byte
	had   int
	left  int   // bytes
	since int64 // see NextSince
}

// put appends a frame of any size, unless it is empty.
func (o *output) put(data []byte) {
	if len(data) == 0 {
		return
	}
	o.left -= len(data)
	o.batch = append(o.batch, data)
}

// fits reports whether another frame fits.
func (o *output) fits(data []byte) bool { return len(data) <= o.left || len(o.batch) == o.had }

// fill puts the available frames. If it puts none, the waker will be woken.
func (r *Reader) fill(out *output) {
	f := r.feed
	if r.resume != nil && !r.tell(out) || r.isBounded() && !r.syncing {
		return
	}
	for r.next >= f.first || r.catchUp(out) {
		for end := r.end(); r.next < end; r.next++ {
			fr := &f.frames[r.next-f.first]
			if r.has(fr) {
				continue
			}
			if !r.deliver(int(fr.part), fr, out) {
				return
			}
			if out.since == 0 && fr.gap == "" && r.next >= r.syncAt {
				out.since = fr.time
			}
		}
		switch {
		case r.Ended():
			return
		case r.syncing && r.next >= r.syncAt:
			r.syncing = false
			r.uncount()
			f.hub.counters.replaysDone.Add(1)
			out.put(f.key.framing.control(EventSynced, struct{}{}, r.id().String()))
		default:
			f.await(r)
			return
		}
	}
}

// end returns the number after the last frame to deliver: that of the feed, but first only that of the requested replay.
func (r *Reader) end() uint64 {
	if r.syncing {
		return min(r.syncAt, r.feed.end())
	}
	return r.feed.end()
}

// tell puts the event that says where the connection continues, or reports that this is unknown yet.
func (r *Reader) tell(out *output) bool {
	if len(r.feed.parts) == 0 {
		r.feed.await(r)
		return false
	}
	events, known := r.open()
	for _, event := range events {
		out.put(event)
	}
	return known
}

// has reports whether the client has a frame of the feed's memory, or is not to get it.
func (r *Reader) has(fr *frame) bool {
	at := &r.have[fr.part]
	return fr.seq <= at.Seq || r.isBounded() && fr.seq > at.sync
}

// deliver puts a frame of a part, of the feed's memory or of a page, or reports that the batch or the client is full.
func (r *Reader) deliver(part int, fr *frame, out *output) bool {
	isMessage, data := fr.gap == "", fr.data
	if isMessage && r.isFull() || !out.fits(data) {
		return false
	}
	if isMessage && r.count != nil {
		r.pass(part, fr, out)
	}
	at := &r.have[part]
	switch {
	case len(r.have) == 1:
		at.Seq, at.Time = fr.seq, fr.time
	case fr.vector != nil && r.reaches(fr):
		for i, p := range fr.vector {
			r.have[i].Position = p
		}
	default:
		// In another part the client may be ahead of the feed's position at this frame. An id that went back there would bring the client
		// again what it has.
		after := r.id()
		if at.Seq, at.Time = fr.seq, fr.time; isMessage {
			data = r.feed.key.framing.withID(data, r.id())
		} else {
			data = r.feed.key.framing.gap(greeting{}, after, r.id(), fr.gap)
		}
	}
	if r.most > 0 && len(data) > r.most && fr.subject != "" {
		data = r.smaller(fr, data)
	}
	out.put(data)
	return true
}

// smaller returns the replacement of a frame that is larger than the client accepts. The cursor is already after the frame.
func (r *Reader) smaller(fr *frame, data []byte) []byte {
	f, subject := r.feed.key.framing, fr.subject
	if of, isMembers := strings.CutPrefix(subject, presencePrefix); f.Presence && isMembers {
		if brief := f.brief(data, r.id()); len(brief) <= r.most {
			return brief
		}
		subject = of
	}
	return f.large(subject, r.id(), len(data))
}

// reaches reports whether a frame's id is behind the client's position in no part.
func (r *Reader) reaches(fr *frame) bool {
	for i, p := range fr.vector {
		if r.have[i].Seq > p.Seq {
			return false
		}
	}
	return true
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

// Close leaves the feed. It may be called more than once.
func (r *Reader) Close() {
	if r.closed {
		return
	}
	r.closed = true
	if r.syncing && !r.isFull() {
		r.feed.hub.counters.replaysLeft.Add(1)
	}
	r.feed.mu.Lock()
	r.feed.forget(r)
	r.feed.mu.Unlock()
	r.feed.hub.replays.leave(&r.waits)
	if !r.isFork {
		r.feed.hub.release(r.feed)
	}
}
