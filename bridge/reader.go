package bridge

import (
	"math"
	"slices"
	"strings"
	"time"
)

// Reader is one connection's cursor into a feed. When the feed ends, the reader opens anew on another one. Its methods are
// called by one goroutine at a time.
type Reader struct {
	// What each call of Next needs stands together.
	feed    *Feed
	waker   Waker      // of the last call of Next
	next    uint64     // the number of the frame to deliver next, once have has reached the feed's memory
	have    []standing // what the client has, in each of the feed's parts
	isFork  bool
	opened  bool // the client was told where it continues on this feed, if there was something to tell
	syncing bool // the end of a replay is to be announced, and is not yet
	closed  bool
	place   int32 // in Feed.waiting, from 1 on; 0 if it is not there. Belongs to the feed, under its lock
	stop    int32 // how many messages are given at most; 0 for any number
	given   int32 // messages; it means nothing if stop is 0
	most    int   // how many bytes the frame of a message may have; 0 for any number

	syncAt uint64  // the replay ends before the frame of that number, and behind standing.sync
	resume *resume // until it is open
	waits  waiter  // for what is read from logs
}

// standing is where a client stands in one part.
type standing struct {
	Position
	told   uint64 // what was lost below this sequence is not owed, or was announced
	newest uint64 // the client is being given the newest values as of this sequence; 0 if not
	sync   uint64 // so far goes the replay that was asked for
}

// resume is what a reader needs to open.
type resume struct {
	Resume
	greeting

	// Of a reader whose feed has ended: the feed, and what its client has in each of the feed's parts. nil for a reader that
	// was told nothing yet.
	left *Feed
	have []standing
}

// Greet lets the first event tell how long the client is to wait before it reconnects, and how long a silence is at most.
// It is called before Next, if at all.
func (r *Reader) Greet(retry, heartbeat time.Duration) {
	r.resume.greeting = greeting{retry: retry, heartbeat: heartbeat}
}

// arrive notes where the feed stands: that is where a client begins who asks for what is new.
func (r *Reader) arrive() {
	r.have = nil
	if r.resume.left != nil {
		return // nor was it told that it follows this feed; what it misses of parts that are new to it, a gap tells
	}
	for _, at := range r.feed.standing() {
		r.have = append(r.have, standing{Position: at})
	}
}

// Framing gives how the connection's own bytes, such as heartbeats, are to be encoded.
func (r *Reader) Framing() Framing { return r.feed.key.framing }

// Limit makes the reader give an EventLarge in the place of each message whose frame has more bytes than most; 0 for no
// limit. It is called before the first Next.
func (r *Reader) Limit(most int) { r.most = most }

// Stop makes the reader give no more than so many messages; 0 for no limit. It is called before the first Next.
func (r *Reader) Stop(after int) { r.stop = int32(min(after, math.MaxInt32)) }

// Next appends to batch the frames that the client has not had, oldest first: as many as fit in maxBytes, and at least
// one. The frames are shared: they must not be changed. Where there are none, the waker is woken as soon as calling again
// is worth while; it may also be woken for nothing.
//
// The first frame of a connection is an open, a gap or a reset: the position from which it continues. It comes once the
// feed is live, and what is owed was found.
func (r *Reader) Next(batch [][]byte, maxBytes int, waker Waker) [][]byte {
	f := r.feed
	f.mu.Lock()
	if f.ended {
		f.mu.Unlock()
		if r.reopen() {
			return r.Next(batch, maxBytes, waker)
		}
		return batch
	}
	defer f.mu.Unlock()
	r.waker = waker
	out := output{batch: batch, had: len(batch), room: maxBytes}
	r.fill(&out)
	return out.batch
}

// reopen lets a reader whose feed has ended open on the feed that there is now for what it reads. It reports false for a fork,
// which others take the place of, and where the hub is closed.
func (r *Reader) reopen() bool {
	if r.isFork || r.closed {
		return false
	}
	left := r.feed
	left.hub.replays.turns.leave(&r.waits)
	if r.opened {
		r.resume, r.opened = r.leave(), false
	}
	if err := left.hub.join(r, left.key, left.subjects); err != nil {
		return false
	}
	left.hub.release(left)
	return true
}

// leave gives what a reader needs to open elsewhere. Where it had all of the feed it stands where the feed did: in a quiet
// part, that is the newest message of the log.
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

// output is a batch that is being filled.
type output struct {
	batch [][]byte
	had   int
	room  int
}

// put appends a frame, whatever its size.
func (o *output) put(data []byte) {
	o.room -= len(data)
	o.batch = append(o.batch, data)
}

// fits tells whether a frame may be put as well.
func (o *output) fits(data []byte) bool { return len(data) <= o.room || len(o.batch) == o.had }

// fill puts what there is. Where it has put nothing, the waker is going to be woken.
func (r *Reader) fill(out *output) {
	f := r.feed
	if len(f.parts) == 0 {
		f.await(r)
		return
	}
	if !r.opened && !r.tell(out) {
		return
	}
	for r.catchUp(out) {
		r.next = max(r.next, f.first)
		switch {
		case r.syncing && r.next >= r.syncAt:
			r.syncing = false
			out.put(f.key.framing.control(EventSynced, struct{}{}, r.id().String()))
		case r.next == f.end():
			f.await(r)
			return
		case !r.deliver(&f.frames[r.next-f.first], out):
			return
		default:
			r.next++
		}
	}
}

// tell puts where the connection continues, or reports that this is not known yet.
func (r *Reader) tell(out *output) bool {
	events, known := r.open()
	for _, event := range events {
		out.put(event)
	}
	return known
}

// catchUp puts what the client lacks and the feed's memory does not hold: first who is there, however much else there is. It reports
// false as replay does.
func (r *Reader) catchUp(out *output) bool {
	if r.feed.key.framing.Presence && !r.catchUpWith(true, out) {
		return false
	}
	return r.catchUpWith(false, out)
}

// catchUpWith is catchUp for the parts that hold members, or for the others.
func (r *Reader) catchUpWith(members bool, out *output) bool {
	for i := range r.have {
		for r.feed.parts[i].isMembers == members && r.behind(i) {
			if r.isFull() || !r.replay(i, out) {
				return false
			}
		}
	}
	return true
}

// deliver puts a frame of the feed's memory, unless the client has it, or reports that it does not fit.
func (r *Reader) deliver(fr *frame, out *output) bool {
	at := &r.have[fr.part]
	if fr.seq <= at.Seq {
		return true
	}
	isMessage := fr.gap == ""
	if isMessage && r.isFull() || !out.fits(fr.data) {
		return false
	}
	if isMessage {
		r.given++
	}
	if fr.vector == nil {
		at.Seq, at.Time = fr.seq, fr.time
		out.put(r.within(fr, fr.data))
		return true
	}
	if r.reaches(fr) {
		for i, p := range fr.vector {
			r.have[i].Position = p
		}
		out.put(r.within(fr, fr.data))
		return true
	}
	// In another part the client is ahead of where the feed was at this frame; an id that went back there would bring it
	// again what it has.
	after := r.id()
	at.Seq, at.Time = fr.seq, fr.time
	if fr.gap != "" {
		out.put(r.feed.key.framing.gap(greeting{}, after, r.id(), fr.gap))
	} else {
		out.put(r.within(fr, r.feed.key.framing.withID(fr.data, r.id())))
	}
	return true
}

// within gives a frame's data as it is to be put, unless it is larger than the client takes. The cursor stands behind the
// frame.
func (r *Reader) within(fr *frame, data []byte) []byte {
	if r.most == 0 || len(data) <= r.most || fr.subject == "" {
		return data
	}
	f, subject := r.feed.key.framing, fr.subject
	if of, isMembers := strings.CutPrefix(subject, presencePrefix); f.Presence && isMembers {
		if brief := f.brief(data, r.id()); len(brief) <= r.most {
			return brief
		}
		subject = of
	}
	return f.large(subject, r.id(), len(data))
}

// reaches tells whether a frame's id is, in no part, behind what the client has.
func (r *Reader) reaches(fr *frame) bool {
	for i, p := range fr.vector {
		if r.have[i].Seq > p.Seq {
			return false
		}
	}
	return true
}

// behind tells whether the client lacks something of a part that the feed's memory does not hold.
func (r *Reader) behind(part int) bool {
	return r.have[part].newest > 0 || r.have[part].Seq < r.goal(part)
}

// goal gives the sequence up to which a part is read from its log: to where the feed's memory begins, but first no
// further than the replay that was asked for, so that its end can be announced there.
func (r *Reader) goal(part int) uint64 {
	floor := r.feed.parts[part].floor.Seq
	if r.syncing {
		return min(floor, r.have[part].sync)
	}
	return floor
}

// replay puts frames of a part that the feed's memory has lost, or a gap where there is no log to read them from. It
// reports false if it cannot go on: because something has to be waited for, which then wakes the waker, or because the
// batch is full.
func (r *Reader) replay(part int, out *output) bool {
	f, at := r.feed, &r.have[part]
	p := &f.parts[part]
	if p.Log == nil {
		after := r.id()
		at.Position = p.floor
		if !p.isMembers {
			out.put(f.gap(greeting{}, after, r.id(), GapOverrun))
		}
		for _, event := range r.ownMembers() {
			out.put(event)
		}
		return true
	}
	if at.newest > 0 {
		return r.replayNewest(part, out)
	}
	page := f.hub.replays.page(p.replay, p.Log, at.Seq+1, p.floor.Seq, false, r.asker())
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
	if !r.turn(part, page, goal, out) {
		return false
	}
	switch reached := min(page.through, goal); {
	case reached == p.floor.Seq:
		at.Position = p.floor
	case reached > at.Seq:
		at.Position = Position{Epoch: p.At.Epoch, Seq: reached}
	}
	return true
}

// replayNewest puts the newest values of a part. What follows them is replayed as always.
func (r *Reader) replayNewest(part int, out *output) bool {
	p, at := &r.feed.parts[part], &r.have[part]
	page := r.feed.hub.replays.newestPage(p.replay, p.Log, at.Seq+1, at.newest, r.asker())
	if page == nil {
		return false
	}
	if !r.turn(part, page, at.newest, out) {
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

// turn puts what the client has not had of a page, up to a sequence, or reports that the batch is full.
func (r *Reader) turn(part int, page *page, upTo uint64, out *output) bool {
	at := &r.have[part]
	frames := page.frames[page.after(at.Seq):]
	for i := range frames {
		fr := &frames[i]
		if fr.seq > upTo {
			break
		}
		data := fr.data
		if r.isFull() || !out.fits(data) {
			return false
		}
		r.given++
		at.Seq, at.Time = fr.seq, fr.time
		if len(r.have) > 1 {
			data = r.feed.key.framing.withID(data, r.id())
		}
		out.put(r.within(fr, data))
	}
	return true
}

// asker is the reader, to be woken when what it asks for is there.
func (r *Reader) asker() asker { return asker{&r.waits, r.waker} }

// id gives what the client has, as an event id.
func (r *Reader) id() ID {
	id := make(ID, len(r.have))
	for i := range r.have {
		id[i] = r.have[i].Position
	}
	return id
}

// Synced tells whether everything was delivered that was there when the connection opened, and that it was owed.
func (r *Reader) Synced() bool { return r.opened && !r.syncing }

// Done tells whether an answer ends here: as many messages were given as Stop allows, or everything that was there.
func (r *Reader) Done() bool { return r.isFull() || r.Synced() }

func (r *Reader) isFull() bool { return r.stop > 0 && r.given >= r.stop }

// Stored reports whether all that the reader was given came from streams: what was published before is among it.
func (r *Reader) Stored() bool {
	r.feed.mu.Lock()
	defer r.feed.mu.Unlock()
	return !slices.ContainsFunc(r.feed.parts, func(p part) bool { return p.Log == nil })
}

// Close lets go of the feed. It may be called more than once.
func (r *Reader) Close() {
	if r.closed {
		return
	}
	r.closed = true
	r.feed.mu.Lock()
	r.feed.forget(r)
	r.feed.mu.Unlock()
	r.feed.hub.replays.turns.leave(&r.waits)
	if !r.isFork {
		r.feed.hub.release(r.feed)
	}
}
