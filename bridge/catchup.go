package bridge

// A reader that is behind its feed's memory is served by its log: pages that all readers share, until it has reached the memory. If there is no
// log, it gets a gap.

// catchUp puts what the client lacks and the feed's memory does not hold, and moves the cursor into the memory. It reports false like replay.
func (r *Reader) catchUp(out *output) bool {
	for i := range r.have {
		for r.behind(i) {
			if r.isFull() || !r.replay(i, out) {
				return false
			}
		}
	}
	r.next = r.feed.first
	if len(r.have) == 1 {
		r.next = r.feed.after(r.have[0].Seq)
	}
	r.next = min(r.next, r.end())
	return true
}

// behind reports whether the client lacks something of a part that the feed's memory does not hold.
func (r *Reader) behind(part int) bool {
	return r.have[part].newest > 0 || r.have[part].Seq < r.goal(part)
}

// replay puts frames of a part that the feed's memory no longer holds, or a gap if there is no log to read them from. It reports false if it
// cannot continue: a result is missing, which will wake the waker, or the batch is full.
func (r *Reader) replay(part int, out *output) bool {
	f, at := r.feed, &r.have[part]
	p := &f.parts[part]
	if p.Log == nil {
		after := r.id()
		at.Position = p.floor
		if !p.isMembers {
			out.put(f.gap(greeting{}, after, r.id(), GapOverrun))
		}
		for _, event := range f.ownMembers() {
			out.put(event)
		}
		return true
	}
	if at.newest > 0 {
		return r.replayNewest(part, out)
	}
	page := f.hub.replays.page(p.replay, at.Seq+1, r.goal(part), 0, r.asker())
	if page == nil {
		return false
	}
	if at.Seq < page.lostBelow && at.told < page.lostBelow {
		after := r.id()
		at.Position, at.told = page.before(at.Seq), page.lostBelow
		if !p.isMembers {
			out.put(f.gap(greeting{}, after, r.id(), GapRetention))
		}
	}
	goal := r.goal(part)
	if !r.putPage(part, page, goal, out) {
		return false
	}
	switch reached := min(page.through, goal); {
	case reached == p.floor.Seq:
		at.Position = p.floor
	case reached > at.Seq:
		at.Position = Position{Epoch: p.At.Epoch, Seq: reached}
		if through := r.through(p); through.Seq == reached {
			at.Position = through // with its time: only then can the client be told that the stream was restored from a backup
		}
	}
	return true
}

// replayNewest puts the newest values of a part. The normal replay follows.
func (r *Reader) replayNewest(part int, out *output) bool {
	p, at := &r.feed.parts[part], &r.have[part]
	page := r.feed.hub.replays.newestPage(p.replay, at.Seq+1, at.newest, r.asker())
	if page == nil {
		return false
	}
	if !r.putPage(part, page, at.newest, out) {
		return false
	}
	if reached := min(page.through, at.newest); reached > at.Seq {
		at.Position = Position{Epoch: p.At.Epoch, Seq: reached}
	}
	if at.Seq >= at.newest {
		at.newest = 0
	}
	return true
}

// putPage puts the frames of a page that the client has not received, up to a sequence, or reports that the batch is full.
func (r *Reader) putPage(part int, page *page, upTo uint64, out *output) bool {
	for i := page.after(r.have[part].Seq); i < len(page.frames) && page.frames[i].seq <= upTo; i++ {
		if !r.deliver(part, &page.frames[i], out) {
			return false
		}
	}
	return true
}
