package bridge

import "time"

// Resume says where a connection wants to begin. The zero value asks for what is published from now on.
type Resume struct {
	// After is the position that the client brought, by Last-Event-ID or in the URL: what follows it is owed.
	After ID
	// Malformed: the client brought an id that is none.
	Malformed bool
	// Since is where the URL asks to begin, when the client brought no id that can be used.
	Since Since
}

// Since is a place to begin at.
type Since struct {
	Kind SinceKind
	Time time.Time // with SinceTime
	ID   ID        // with SinceID
}

// SinceKind tells places to begin at apart.
type SinceKind uint8

const (
	SinceNew  SinceKind = iota // what is published from now on
	SinceAll                   // the oldest message that is stored
	SinceLast                  // the newest message of each subject, then what follows
	SinceTime                  // the first message that was stored at that time or later
	SinceID                    // what follows a position
)

// Reader is one connection's cursor into a feed. Its methods are called by one goroutine at a time.
type Reader struct {
	hub    *Hub
	feed   *Feed
	resume Resume

	opened bool
	next   uint64   // the number of the frame to deliver next
	last   Position // what the client knows: the position of the last frame delivered
	closed bool
}

// Framing gives how the connection's own bytes, such as heartbeats, are to be encoded.
func (r *Reader) Framing() Framing { return r.feed.framing }

// Next appends to batch the frames that the client has not had, oldest first: as many as fit in maxBytes, and at least
// one. The frames are shared: they must not be changed. Where there are none, the channel is not nil, and is closed as
// soon as calling again is worth while.
//
// The first frame of a connection is an open, a gap or a reset: the position from which it continues. It comes once the
// feed is live.
func (r *Reader) Next(batch [][]byte, maxBytes int) ([][]byte, <-chan struct{}) {
	f := r.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.begun {
		return batch, f.waiting()
	}
	had := len(batch)
	size := 0
	switch {
	case !r.opened:
		batch = append(batch, r.open())
	case r.next < f.first:
		batch = append(batch, f.gap(r.last, f.floor, GapOverrun))
		r.next = f.first
	}
	for _, own := range batch[had:] {
		size += len(own)
	}
	for ; r.next < f.end(); r.next++ {
		data := f.frames[r.next-f.first].data
		if size += len(data); size > maxBytes && len(batch) > had {
			break
		}
		batch = append(batch, data)
	}
	if len(batch) == had {
		return batch, f.waiting()
	}
	r.last = f.before(r.next)
	return batch, nil
}

// open places the cursor and gives the first event of the connection.
func (r *Reader) open() []byte {
	r.opened = true
	f := r.feed
	switch after := r.resume.After; {
	case r.resume.Malformed:
		return r.reset(ResetMalformed)
	case len(after) == 0:
		return r.begin()
	default:
		at, known := after.in(f.floor.Epoch)
		if !known {
			return r.reset(ResetUnknown)
		}
		return r.continueAfter(at)
	}
}

// begin opens a connection that brought no position: where its URL says, else at what is published from its arrival on.
func (r *Reader) begin() []byte {
	if since := r.resume.Since; since.Kind == SinceID {
		r.resume = Resume{After: since.ID}
		return r.open()
	}
	r.next = max(r.next, r.feed.first)
	return r.opening()
}

// continueAfter opens a connection behind a position of this epoch.
func (r *Reader) continueAfter(after Position) []byte {
	f := r.feed
	if after.Seq < f.floor.Seq {
		r.next = f.first
		return f.gap(after, f.floor, GapRetention)
	}
	r.next = f.after(after.Seq)
	return r.opening()
}

func (r *Reader) opening() []byte {
	return r.feed.framing.control(EventOpen, map[string][]Subject{"subjects": r.feed.subjects}, r.feed.before(r.next).String())
}

// reset tells the client that its position means nothing here, and begins as the URL says.
func (r *Reader) reset(reason string) []byte {
	f := r.feed
	f.counters.reset(reason)
	r.next = max(r.next, f.first)
	if since, known := r.resume.Since.ID.in(f.floor.Epoch); known {
		r.next = f.after(since.Seq)
	}
	return f.framing.control(EventReset, map[string]string{"reason": reason}, f.before(r.next).String())
}

// Close lets go of the feed. It may be called more than once.
func (r *Reader) Close() {
	if !r.closed {
		r.closed = true
		r.hub.release(r.feed)
	}
}
