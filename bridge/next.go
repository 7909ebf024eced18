package bridge

import "context"

// The calls in which a reader opens, catches up, and continues on another feed.

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
	for f.ended {
		f.mu.Unlock()
		if !r.reopen() {
			return batch, 0
		}
		f = r.feed
		f.mu.Lock()
	}
	defer f.mu.Unlock()
	r.waker = waker
	out := output{batch: batch, had: len(batch), left: maxBytes}
	r.fill(&out)
	return out.batch, out.since
}

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
			if r.isBounded() {
				return // what has left the memory meanwhile is not for this reader
			}
		default:
			f.await(r)
			return
		}
	}
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

// uncount ends the counting of a reader that reads for ever, once it has its replay.
func (r *Reader) uncount() {
	if c := r.count; c != nil && c.stop == 0 && !c.isBounded && !r.feed.key.framing.Run {
		r.count = nil
	}
}

// reopen opens a reader whose feed has ended on the present feed of its subjects. It reports false for a fork, which is replaced, and if the
// hub is closed.
func (r *Reader) reopen() bool {
	if r.isFork || r.closed {
		return false
	}
	left := r.feed
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
