package bridge

import "time"

// Cursor is where a reader is in its feed. Any goroutine may ask it how far that is behind, also while the reader waits for its client.
type Cursor struct {
	feed      *Feed
	next      uint64 // the number of the frame to deliver next
	at        int64  // when the newest delivered message was published, in nanoseconds of Unix time; 0 if unknown
	older     uint64 // sequences of streams between what the client has and the feed's memory
	isOpening bool
}

// Cursor returns where the reader is.
func (r *Reader) Cursor() Cursor {
	c := Cursor{feed: r.feed, next: r.next, isOpening: !r.isOpen()}
	r.feed.mu.Lock()
	defer r.feed.mu.Unlock()
	for i := range r.have {
		at := &r.have[i]
		c.at = max(c.at, at.Time)
		if r.isOpen() && !r.feed.ended {
			c.older += max(r.goal(i), at.Seq) - at.Seq
		}
	}
	return c
}

// Lag is how far a client is behind what has arrived for it. The zero value means that it has everything.
type Lag struct {
	Messages  uint64    // that arrived for it here, are in memory, and were not written to it
	Bytes     int       // of these, encoded
	Older     uint64    // at most so many others come before these: all messages of the stream, whatever their subject
	Since     time.Time // when about the oldest of them was published; zero if it lacks none, or this is unknown
	IsOpening bool      // nothing was written to it yet, because NATS or the stream has not answered
}

// IsZero reports whether the client has everything.
func (l Lag) IsZero() bool { return l == Lag{} }

// Lag returns how far the cursor is behind.
func (c Cursor) Lag() Lag {
	f := c.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	lag := Lag{Older: c.older, IsOpening: c.isOpening}
	end, since := f.end(), int64(0)
	switch {
	case c.isOpening || f.ended: // its position in another feed is not known yet
		return lag
	case c.older > 0 || c.next < f.first:
		since = c.at // the next one is newer
	case c.next < end:
		since = f.frames[c.next-f.first].time
	}
	lag.Messages = end - min(max(c.next, f.first), end)
	passed := len(f.frames) - int(lag.Messages)
	if passed < len(f.frames)/2 { // every scrape of metrics asks for each client, and those that are far behind are many at once
		lag.Bytes = f.bytes - bytesOf(f.frames[:passed])
	} else {
		lag.Bytes = bytesOf(f.frames[passed:])
	}
	if since > 0 {
		lag.Since = time.Unix(0, since)
	}
	return lag
}

func bytesOf(frames []frame) (size int) {
	for i := range frames {
		size += len(frames[i].data)
	}
	return size
}
