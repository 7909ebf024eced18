package bridge

import (
	"cmp"
	"slices"
)

// Where the replay of a part begins, if the client has no position, and where it ends.

// arrival returns the part's position when the reader arrived, or the part began after that. What is known to be stored was published before, although
// it may have arrived here later.
func (r *Reader) arrival(p *part) Position {
	at, has := r.id().in(p.At.Epoch)
	if !has {
		at = p.At
	}
	if through := r.through(p); through.Seq > at.Seq {
		return through
	}
	return at
}

// through returns what is known to be stored of a part, although it may not have arrived here (Resume.Through); zero if nothing is.
func (r *Reader) through(p *part) (at Position) {
	if r.count != nil {
		at, _ = r.count.through.in(p.At.Epoch)
	}
	return at
}

// lacks notes that a result is missing.
func (o *opening) lacks() standing {
	o.lacking = true
	return standing{}
}

// beginAtPage returns the position just before the first message from a sequence on.
func (o *opening) beginAtPage(p *part, from uint64) standing {
	if from > p.floor.Seq {
		return standing{Position: Position{Epoch: p.At.Epoch, Seq: min(from-1, o.reach(p))}}
	}
	through := p.floor.Seq
	if o.isBounded() {
		through = min(through, o.replayEnd(p))
	}
	page := o.feed.hub.replays.page(p.replay, from, through, gatherTime, o.asker())
	if page == nil {
		return o.lacks()
	}
	return standing{Position: page.before(from - 1), told: page.lostBelow} // earlier losses are not owed
}

// beginUntil returns where a part begins if all parts together deliver the newest messages up to a position. A part that the position
// does not name delivers none.
func (o *opening) beginUntil(p *part, since Since) standing {
	var newest ID // oldest first
	for i := range o.feed.parts {
		part := &o.feed.parts[i]
		until, has := since.ID.in(part.At.Epoch)
		if !has || part.Log == nil {
			continue
		}
		result := o.feed.hub.replays.back(part.Log, part.Subjects, until.Seq, since.Most, o.asker())
		if result == nil {
			o.lacks() // the other parts can be asked meanwhile
			continue
		}
		newest = append(newest, result.back...)
	}
	if o.lacking {
		return standing{}
	}
	slices.SortStableFunc(newest, func(a, b Position) int { return cmp.Compare(a.Time, b.Time) })
	if first, has := newest[max(0, len(newest)-since.Most):].in(p.At.Epoch); has {
		return o.beginAtPage(p, first.Seq)
	}
	at, _ := since.ID.in(p.At.Epoch)
	return standing{Position: Position{Epoch: p.At.Epoch, Seq: min(at.Seq, o.reach(p)), Time: at.Time}}
}

// goal returns the sequence up to which a part is read from its log: to the beginning of the feed's memory, but first only to the end of the
// newest values, and to that of the requested replay, so that it can be announced there.
func (r *Reader) goal(part int) uint64 {
	floor, at := r.feed.parts[part].floor.Seq, &r.have[part]
	switch {
	case at.newest > 0:
		return at.newest
	case !r.syncing:
		return floor
	case at.isAhead:
		return at.sync
	default:
		return min(floor, at.sync)
	}
}

// replayEnd returns the sequence up to which a part is replayed.
func (r *Reader) replayEnd(p *part) uint64 {
	end := r.reach(p)
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
func (r *Reader) reach(p *part) uint64 {
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
