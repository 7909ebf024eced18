package bridge

import "slices"

// Readers of one feed that have all it holds are level: they are given the same from then on, so that one of them can be
// asked for all, and what it gives written to many sockets. What tells them apart is over by then: where each began, and
// what it was owed.

// Feed returns the feed that the reader reads.
func (r *Reader) Feed() *Feed { return r.feed }

// Kin is what readers have in common that can be level: what they read, and how large the frame of a message may be. It
// stays when a reader opens anew on another feed.
type Kin struct {
	feed feedKey
	most int
}

// Kin returns the reader's.
func (r *Reader) Kin() Kin { return Kin{r.feed.key, r.most} }

// Fork gives another reader that stands where r does. It does not keep the feed open: close it before the last of the
// readers that the hub gave. When the feed ends, it is given nothing more.
func (r *Reader) Fork() *Reader {
	fork := &Reader{feed: r.feed, isFork: true, most: r.most, waits: waiter{account: r.waits.account}}
	fork.StandAs(r)
	return fork
}

// HasEnded reports whether a fork is given nothing more, because its feed has ended.
func (r *Reader) HasEnded() bool {
	r.feed.mu.Lock()
	defer r.feed.mu.Unlock()
	return r.isFork && r.feed.ended
}

// Level tells whether two readers with one Kin are given the same from now on.
func (r *Reader) Level(other *Reader) bool {
	r.feed.mu.Lock()
	defer r.feed.mu.Unlock()
	return r.feed == other.feed && !r.feed.ended && r.hasAll() && other.hasAll()
}

// hasAll tells whether the client has exactly what the feed holds. A client that is ahead, because another bridge was, is
// not to be given all that comes next. The feed's lock must be held.
func (r *Reader) hasAll() bool {
	if !r.isLevel() || r.syncing {
		return false
	}
	for i := range r.have {
		at, p := &r.have[i], &r.feed.parts[i]
		if at.Seq > p.end().Seq || at.told > at.Seq {
			return false
		}
	}
	return true
}

// isLevel tells whether the client lacks nothing that the feed has. The feed's lock must be held.
func (r *Reader) isLevel() bool {
	if !r.opened || r.next != r.feed.end() {
		return false
	}
	for i := range r.have {
		if r.behind(i) {
			return false
		}
	}
	return true
}

// StandAs lets r stand where another reader of its feed does, whose frames were given to its client: they were level.
func (r *Reader) StandAs(other *Reader) {
	had := r.have
	r.opened, r.next = other.opened, other.next
	r.have = slices.Clone(other.have)
	for i := range had {
		// In a quiet part a reader may know a later position, and between the two there was nothing.
		if had[i].Seq > r.have[i].Seq {
			r.have[i].Position = had[i].Position
		}
	}
}
