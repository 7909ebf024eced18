package bridge

import (
	"slices"
	"strings"
	"sync"
)

// Feed is a set of subjects in one framing, with at least one reader here. It holds the recent frames, in order. A connection that reads
// several subjects has one feed for all of them, so that they have one order and one position.
//
// A source fills a feed by Begin, Append and Lost; calls for one part come from one goroutine at a time. A feed never changes where its
// messages come from. If that has to change, the source ends the feed by End, and its readers open anew on another feed. Hub.Read returns
// readers.
type Feed struct {
	hub *Hub
	key feedKey

	// Each message needs these fields; they are adjacent for the cache.
	mu      sync.Mutex
	parts   []part    // see compare; empty until the feed has begun
	ended   bool      // nothing is appended any more, and parts do not change
	refused bool      // the feed has not begun, because NATS refuses its subjects to this bridge
	first   uint64    // the number of the first frame held; frames are numbered from 1
	frames  []frame   // the frames held: numbers first, first+1, …
	array   []frame   // frames is a slice of it
	bytes   int       // their size
	waiting []*Reader // to be woken at the next change

	early    ID // the newest messages that arrived, or were lost, before it had begun; guarded by mu
	subjects []Subject

	// readers and linger belong to the hub, under its lock.
	readers int
	linger  *lingering
}

// part is a Part, and what the feed holds of it. The fields that each message needs come first.
type part struct {
	floor  Position // just before the first frame held
	last   Position // of the newest frame, or the beginning
	replay *replay  // pages read from the log; nil without a log

	isMembers bool // all messages are lists of members, and become presence events
	Part
}

// Subjects returns the filters whose messages the source appends: sorted, none within another.
func (f *Feed) Subjects() []Subject { return f.subjects }

// Begin sets where the feed's messages come from: everything published on a part's subjects from now on will be appended, with positions above
// Part.At. The parts have different epochs. A part with a log may be appended to, or have losses, before Begin; then it begins after the newest
// message appended or lost.
//
// Called again with the same parts, after an interruption, Begin leaves a gap in each part without a log; the others continue.
func (f *Feed) Begin(parts []Part) {
	parts = slices.SortedFunc(slices.Values(parts), f.compare)
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.ended:
		return
	case len(f.parts) > 0:
		f.goOn(parts)
		return
	}
	f.parts = make([]part, len(parts))
	for i, p := range parts {
		made := &f.parts[i]
		if p.Log != nil {
			made.replay = &replay{feed: f, part: made}
			if came, has := f.early.in(p.At.Epoch); has && came.Seq > p.At.Seq {
				p.At = came
			}
		}
		made.Part, made.floor, made.last = p, p.At, p.At
		made.isMembers = f.areMembers(p.Subjects)
	}
	f.early, f.refused = nil, false
	f.wakeUp()
}

// compare orders parts: what a reader lacks of the first is delivered first. Members come before messages, however many messages there are.
func (f *Feed) compare(a, b Part) int {
	if isMembers := f.areMembers(a.Subjects); isMembers != f.areMembers(b.Subjects) {
		if isMembers {
			return -1
		}
		return 1
	}
	return strings.Compare(a.At.Epoch, b.At.Epoch)
}

// Refuse records whether the feed cannot begin, because NATS refuses all its subjects to this bridge. Once they are allowed, the feed begins;
// while NATS is away, nothing is known.
func (f *Feed) Refuse(isSo bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.parts) > 0 || f.ended || f.refused == isSo {
		return
	}
	f.refused = isSo
	f.wakeUp()
}

// goOn is Begin after an interruption.
func (f *Feed) goOn(parts []Part) {
	for i, p := range parts {
		f.parts[i].Deaf = p.Deaf
		if p.Log == nil {
			f.lost(i, p.At, GapDisconnected)
		}
	}
}

// Lost records that messages which should have been appended are lost, and leaves a gap at that position. Before Begin, a part with a log begins
// after that position, and its log reports the loss to the readers concerned.
func (f *Feed) Lost(at Position, reason string) { f.lose(at, reason, false) }

// Deafen is Lost for a part of which some subjects deliver nothing from now on, until the next Begin.
func (f *Feed) Deafen(at Position, reason string) { f.lose(at, reason, true) }

func (f *Feed) lose(at Position, reason string, isDeaf bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.parts) == 0 {
		f.note(at)
		return
	}
	if i := f.of(at); i >= 0 && !f.ended {
		f.parts[i].Deaf = f.parts[i].Deaf || isDeaf
		f.lost(i, at, reason)
	}
}

func (f *Feed) lost(part int, at Position, reason string) {
	if f.parts[part].isMembers {
		return // the next value tells all there is to know
	}
	first := f.positionWith(part, at)
	added := frame{data: f.gap(f.position(), first, reason), part: uint16(part), seq: at.Seq, time: at.Time, gap: reason}
	if len(f.parts) > 1 {
		added.vector = first
	}
	f.push(added)
}

// Append adds a message. Messages before Begin are not kept, because no reader was told yet that it is open. Messages after End belong to
// another feed.
func (f *Feed) Append(m *Message) {
	data := m.frame(f.key.framing)
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.parts) == 0 {
		f.note(m.Position)
		return
	}
	i := f.of(m.Position)
	if i < 0 || f.ended {
		return
	}
	added := m.framed(f.key.framing, data)
	added.part = uint16(i)
	if len(f.parts) > 1 {
		added.vector = f.positionWith(i, m.Position)
		added.data = f.key.framing.withID(data, added.vector)
	}
	f.push(added)
}

// note remembers the position of a message that arrived, or was lost, before the feed has begun.
func (f *Feed) note(at Position) {
	f.early = append(slices.DeleteFunc(f.early, func(p Position) bool { return p.Epoch == at.Epoch }), at)
}

// of returns the number of a position's part; -1 if there is none.
func (f *Feed) of(at Position) int {
	for i := range f.parts {
		if f.parts[i].last.Epoch == at.Epoch {
			return i
		}
	}
	return -1
}

// position returns the feed's position: everything published on its subjects up to there was appended.
func (f *Feed) position() ID {
	id := make(ID, len(f.parts))
	for i := range f.parts {
		id[i] = f.parts[i].end()
	}
	return id
}

// positionWith is position, with another position in one part.
func (f *Feed) positionWith(part int, at Position) ID {
	id := f.position()
	id[part] = at
	return id
}

// end returns the position up to which everything was appended. In a quiet part with a log, that is the log's.
func (p *part) end() Position {
	if p.Log != nil {
		if last := p.Log.Last(); last.Epoch == p.last.Epoch && last.Seq > p.last.Seq {
			return last
		}
	}
	return p.last
}

func (f *Feed) push(added frame) {
	last := &f.parts[added.part].last
	last.Seq, last.Time = added.seq, added.time
	f.append(added)
	f.bytes += len(added.data)
	f.trim()
	f.wakeUp()
}

func (f *Feed) wakeUp() {
	for _, r := range f.waiting {
		r.waitingAt = 0
		r.waker.Wake()
	}
	clear(f.waiting)
	f.waiting = f.waiting[:0]
}

// await registers a reader to be woken at the next change.
func (f *Feed) await(r *Reader) {
	if r.waitingAt == 0 {
		f.waiting = append(f.waiting, r)
		r.waitingAt = int32(len(f.waiting))
	}
}

// forget undoes await.
func (f *Feed) forget(r *Reader) {
	if r.waitingAt == 0 {
		return
	}
	end := len(f.waiting) - 1
	last := f.waiting[end]
	f.waiting[r.waitingAt-1], last.waitingAt = last, r.waitingAt
	f.waiting[end], r.waitingAt = nil, 0
	f.waiting = f.waiting[:end]
}

// gap encodes a gap event: messages between the positions after and first are missing.
func (f *Feed) gap(after, first ID, reason string) []byte {
	f.hub.counters.gaps.Add(reason)
	return f.key.framing.gap(greeting{}, after, first, reason)
}
