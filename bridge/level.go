package bridge

import "slices"

// Readers of one feed that have everything in it are level. They all receive the same from then on, so one of them can be read for all, and its
// frames written to many sockets. Their different beginnings, and what they were owed, do not matter any more.

// Feed returns the reader's feed.
func (r *Reader) Feed() *Feed { return r.feed }

// Kin is what readers must share to be written together once they are level: subjects, framing, and the largest frame that they accept. It
// stays the same when a reader opens anew on another feed.
type Kin struct {
	feed feedKey
	most int
}

// Kin returns the reader's Kin.
func (r *Reader) Kin() Kin { return Kin{r.feed.key, r.most} }

// Fork returns another reader at r's position. A fork does not keep the feed open: close it before the last reader that the hub returned. When
// the feed ends, the fork receives nothing more.
func (r *Reader) Fork() *Reader {
	fork := &Reader{feed: r.feed, isFork: true, most: r.most, waits: waiter{account: r.waits.account}}
	fork.CopyCursor(r)
	return fork
}

// HasEnded reports whether the reader's feed has ended, so that a fork receives nothing more.
func (r *Reader) HasEnded() bool {
	r.feed.mu.Lock()
	defer r.feed.mu.Unlock()
	return r.feed.ended
}

// Level reports whether two readers with the same Kin receive the same from now on.
func (r *Reader) Level(other *Reader) bool {
	r.feed.mu.Lock()
	defer r.feed.mu.Unlock()
	return r.feed == other.feed && !r.feed.ended && r.hasAll() && other.hasAll()
}

// hasAll reports whether the client has exactly what the feed holds. A client that is ahead, because another bridge was, must not get all
// future messages. The feed's lock must be held.
func (r *Reader) hasAll() bool {
	if !r.isLevel() {
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

// isLevel reports whether the client lacks nothing that the feed has. The feed's lock must be held.
func (r *Reader) isLevel() bool {
	return r.isOpen() && r.next == r.feed.end()
}

// CopyCursor copies other's cursor to r. Both must have been level.
func (r *Reader) CopyCursor(other *Reader) {
	had := r.have
	r.next, r.have = other.next, slices.Clone(other.have)
	for i := range had {
		// In a quiet part r may have a later position; there was nothing in between.
		if had[i].Seq > r.have[i].Seq {
			r.have[i].Position = had[i].Position
		}
	}
}
