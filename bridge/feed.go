package bridge

import (
	"sort"
	"sync"
)

// Memory bounds what a feed holds. It always holds its newest frame, however large.
type Memory struct {
	Frames int
	Bytes  int
}

// DefaultMemory holds a burst of a few thousand small messages, and a few seconds of most feeds.
var DefaultMemory = Memory{Frames: 4096, Bytes: 4 << 20}

// Feed is a set of subjects in one framing, with at least one reader here: the recent frames, in order. A connection
// that reads several subjects has one feed for all of them, so that their order and the position are one.
//
// A source fills it by Begin, Append and Lost, from one goroutine at a time. Readers come from Hub.Read.
type Feed struct {
	subjects []Subject
	framing  Framing
	memory   Memory
	counters *counters

	// readers and linger belong to the hub, under its lock.
	readers int
	linger  *lingering

	mu     sync.Mutex
	begun  bool
	floor  Position      // the position just before the first frame that is held
	first  uint64        // the number of that frame; frames are numbered from 0 as they come
	frames []frame       // the frames held: numbers first, first+1, …
	bytes  int           // their sum
	wake   chan struct{} // closed at the next change; nil while nobody waits
}

// frame is one encoded message or gap, immutable and shared by every reader.
type frame struct {
	data []byte
	seq  uint64
	time int64
}

// Subjects gives the filters whose messages the source is to append: sorted, none within another.
func (f *Feed) Subjects() []Subject { return f.subjects }

// Takes reports whether the message that came in by the filter via is the feed's. Where several filters of a feed match
// one subject, its message comes in by each; the feed takes it by the first.
func (f *Feed) Takes(via Subject, subject string) bool {
	for _, s := range f.subjects {
		if s == via {
			return true
		}
		if s.Matches(subject) {
			return false
		}
	}
	return false
}

// Begin says that everything published from now on will be appended, with positions above at. Called again, after an
// interruption, it leaves in the feed a gap for the given reason, at that position.
func (f *Feed) Begin(at Position, reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.begun {
		f.lost(at, reason)
		return
	}
	f.begun, f.floor = true, at
	f.wakeUp()
}

// Lost says that messages which should have been appended are gone, and leaves a gap at that position.
func (f *Feed) Lost(at Position, reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.begun {
		f.lost(at, reason)
	}
}

func (f *Feed) lost(at Position, reason string) {
	data := f.gap(f.before(f.end()), at, reason)
	f.push(frame{data: data, seq: at.Seq, time: at.Time})
}

// Append adds a message. What comes before the feed has begun is nobody's: no reader was told yet that it is open.
func (f *Feed) Append(m *Message) {
	data := m.frame(f.framing)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.begun {
		f.push(frame{data: data, seq: m.Position.Seq, time: m.Position.Time})
	}
}

func (f *Feed) push(added frame) {
	f.frames = append(f.frames, added)
	f.bytes += len(added.data)
	for len(f.frames) > 1 && (len(f.frames) > f.memory.Frames || f.bytes > f.memory.Bytes) {
		f.floor = f.before(f.first + 1)
		f.bytes -= len(f.frames[0].data)
		f.frames[0] = frame{} // append leaves the old array behind; it must not keep the bytes alive
		f.frames = f.frames[1:]
		f.first++
	}
	f.wakeUp()
}

func (f *Feed) wakeUp() {
	if f.wake != nil {
		close(f.wake)
		f.wake = nil
	}
}

// waiting gives a channel that is closed at the next change.
func (f *Feed) waiting() <-chan struct{} {
	if f.wake == nil {
		f.wake = make(chan struct{})
	}
	return f.wake
}

// end is the number that the next frame will have.
func (f *Feed) end() uint64 { return f.first + uint64(len(f.frames)) }

// before gives the position just before the frame of that number, which lies between first and end.
func (f *Feed) before(number uint64) Position {
	if number == f.first {
		return f.floor
	}
	last := f.frames[number-1-f.first]
	return Position{Epoch: f.floor.Epoch, Seq: last.seq, Time: last.time}
}

// after gives the number of the first frame above a sequence.
func (f *Feed) after(seq uint64) uint64 {
	i := sort.Search(len(f.frames), func(i int) bool { return f.frames[i].seq > seq })
	return f.first + uint64(i)
}

// gap encodes a gap event: what lay between the positions after and first is not known here.
func (f *Feed) gap(after, first Position, reason string) []byte {
	f.counters.gap(reason)
	return f.framing.control(EventGap, struct {
		After  string `json:"after"`
		First  string `json:"first"`
		Reason string `json:"reason"`
	}{after.String(), first.String(), reason}, first.String())
}
