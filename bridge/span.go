package bridge

import (
	"cmp"
	"slices"
)

// Where the replay of a part begins, if the client has no position, and where it ends.

// arrival returns the part's position when the reader arrived, or the part began after that. What is known to be stored was published before, although
// it may have arrived here later.
func (r *Reader) arrival(p *part) Position {
	at := p.At
	for _, had := range r.have {
		if had.Epoch == p.At.Epoch {
			at = had.Position
		}
	}
	if through := r.through(p); through.Seq > at.Seq {
		return through
	}
	return at
}

// through returns what is known to be stored of a part, although it may not have arrived here (Resume.Through); zero if nothing is.
func (r *Reader) through(p *part) (at Position) {
	if r.count != nil && p.Log != nil {
		at, _ = r.count.through.in(p.At.Epoch)
	}
	return at
}

// beginAtPage returns the position just before the first message from a sequence on.
func (r *Reader) beginAtPage(part int, from uint64) (standing, bool) {
	p := &r.feed.parts[part]
	if from > p.floor.Seq {
		return standing{Position: Position{Epoch: p.At.Epoch, Seq: min(from-1, r.reach(part))}}, true
	}
	through := p.floor.Seq
	if r.isBounded() {
		through = min(through, r.replayEnd(part))
	}
	page := r.feed.hub.replays.page(p.replay, from, through, gatherTime, r.asker())
	if page == nil {
		return standing{}, false
	}
	return standing{Position: page.before(from - 1), told: page.lostBelow}, true // earlier losses are not owed
}

// beginUntil returns where a part begins if all parts together deliver the newest messages up to a position. A part that the position
// does not name delivers none.
func (r *Reader) beginUntil(part int, since Since) (standing, bool) {
	at, _ := since.ID.in(r.feed.parts[part].At.Epoch)
	at.Epoch = r.feed.parts[part].At.Epoch
	newest, known := r.newestUntil(since)
	if !known {
		return standing{}, false
	}
	for _, found := range newest {
		if found.Epoch == at.Epoch {
			return r.beginAtPage(part, found.Seq)
		}
	}
	at.Seq = min(at.Seq, r.reach(part))
	return standing{Position: at}, true
}

// newestUntil returns the positions of the newest messages up to a position, oldest first.
func (r *Reader) newestUntil(since Since) (newest ID, known bool) {
	known = true
	for i := range r.feed.parts {
		p := &r.feed.parts[i]
		until, has := since.ID.in(p.At.Epoch)
		if !has || p.Log == nil {
			continue
		}
		result := r.feed.hub.replays.back(p.Log, p.Subjects, until.Seq, since.Most, r.asker())
		if result == nil {
			known = false // continue: the other parts can be asked meanwhile
			continue
		}
		newest = append(newest, result.back...)
	}
	slices.SortStableFunc(newest, func(a, b Position) int { return cmp.Compare(a.Time, b.Time) })
	return newest[max(0, len(newest)-since.Most):], known
}

// goal returns the sequence up to which a part is read from its log: to the beginning of the feed's memory, but first only to the end of the
// requested replay, so that this end can be announced there.
func (r *Reader) goal(part int) uint64 {
	floor, sync := r.feed.parts[part].floor.Seq, r.have[part].sync
	switch {
	case !r.syncing:
		return floor
	case r.have[part].isAhead:
		return sync
	default:
		return min(floor, sync)
	}
}

// replayEnd returns the sequence up to which a part is replayed.
func (r *Reader) replayEnd(part int) uint64 {
	p := &r.feed.parts[part]
	end := r.reach(part)
	if !r.isBounded() {
		return end
	}
	if had, left := r.resume.leftAt(p.At.Epoch); left != nil {
		return min(end, had.sync)
	}
	until, _ := r.resume.Since.ID.in(p.At.Epoch)
	return min(end, until.Seq)
}

// reach returns the sequence up to which a part has what was published before the reader came: as far as that has arrived, or is known to be stored.
func (r *Reader) reach(part int) uint64 {
	p := &r.feed.parts[part]
	return max(p.end().Seq, r.through(p).Seq)
}

// leftAt returns what a reader had of a part in the feed that it has left, and that part; zero and nil if there is none.
func (r *resume) leftAt(epoch string) (standing, *part) {
	for i := range r.have {
		if r.have[i].Epoch == epoch {
			return r.have[i], &r.left.parts[i]
		}
	}
	return standing{}, nil
}

// end returns the number after the last frame to deliver: that of the feed, but first only that of the requested replay.
func (r *Reader) end() uint64 {
	if r.syncing {
		return min(r.syncAt, r.feed.end())
	}
	return r.feed.end()
}
