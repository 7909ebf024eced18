package bridge

// A reader that is behind its feed's memory is served by its log: pages that all readers share, until it has reached the memory. If there is no
// log, it gets a gap.

// catchUp puts what the client lacks and the feed's memory does not hold, and moves the cursor into the memory. It reports false like replay.
func (r *Reader) catchUp(out *output) bool {
	for i := range r.have {
		for r.have[i].Seq < r.goal(i) {
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

// replay puts frames of a part that the feed's memory no longer holds, or a gap if there is no log to read them from. It reports false if it
// cannot continue: a result is missing, which will wake the waker, or the batch is full.
func (r *Reader) replay(part int, out *output) bool {
	f, at, goal := r.feed, &r.have[part], r.goal(part)
	p := &f.parts[part]
	if p.Log == nil {
		after := r.id()
		at.Position = p.floor
		r.putGap(p, after, GapOverrun, out)
		for _, event := range f.ownMembers() {
			out.put(event)
		}
		return true
	}
	var page *page
	if at.newest > 0 {
		page = f.hub.replays.newestPage(p.replay, at.Seq+1, at.newest, r.asker())
	} else {
		page = f.hub.replays.page(p.replay, at.Seq+1, goal, 0, r.asker())
	}
	if page == nil {
		return false
	}
	if at.Seq < page.lostBelow && at.told < page.lostBelow {
		after := r.id()
		at.Position, at.told = page.before(at.Seq), page.lostBelow
		r.putGap(p, after, GapRetention, out)
	}
	for i := page.after(at.Seq); i < len(page.frames) && page.frames[i].seq <= goal; i++ {
		if !r.deliver(part, &page.frames[i], out) {
			return false
		}
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
	if at.Seq >= at.newest {
		at.newest = 0
	}
	return true
}

// putGap puts a gap that ends where the client now is. Of members nothing is missing: the next value tells all there is to know.
func (r *Reader) putGap(p *part, after ID, reason string, out *output) {
	if !p.isMembers {
		out.put(r.feed.gap(after, r.id(), reason))
	}
}
