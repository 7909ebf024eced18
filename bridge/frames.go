package bridge

import (
	"slices"
	"sort"
	"unsafe"
)

// What a feed holds in memory: its recent frames, within the limits of Memory.

// Memory limits what feeds hold. Each feed always holds its newest frame, however large.
type Memory struct {
	Frames int // of one feed
	Bytes  int // of one feed
	// Total limits the frames of all feeds of a hub together: if there are many feeds, each may hold no more than its share. 0 for no limit.
	Total int
	// Pages limits the pages read from streams for readers that are behind. Beyond the limit, unused pages are dropped. 0 for no limit.
	Pages int
}

// DefaultMemory holds a burst of a few thousand small messages, and a few seconds of most feeds.
var DefaultMemory = Memory{Frames: 4096, Bytes: 4 << 20, Total: 64 << 20, Pages: 64 << 20}

// frame is one encoded message or gap, immutable and shared by every reader.
type frame struct {
	data []byte
	part uint16
	kind RunKind // what the message means to a run
	seq  uint64
	time int64
	// vector is the feed's position after the frame, in every part, for ids; nil if there is only one part.
	vector ID
	gap    string // the reason, if the frame is a gap
	// subject is the message's subject. It is empty for gaps, deletions and ends of runs, which are never too large.
	subject string
}

// trim drops the oldest frames while they are too many. If their array has become far too large, it is replaced.
func (f *Feed) trim() {
	for f.isOverfull() {
		oldest := &f.frames[0]
		floor := &f.parts[oldest.part].floor
		floor.Seq, floor.Time = oldest.seq, oldest.time
		f.bytes -= len(oldest.data)
		*oldest = frame{} // the array stays for a while, and must not keep the bytes alive
		f.frames = f.frames[1:]
		f.first++
	}
	if n := len(f.frames); len(f.array) > 4*n+minSpare {
		f.array = make([]frame, 2*n)
		f.frames = f.array[:copy(f.array, f.frames)]
	}
}

// minSpare is how many elements of the array may always be unused.
const minSpare = 16

// trimNow is trim for a feed that may hold less than before, and whose next message may be far off.
func (f *Feed) trimNow() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.frames) > 0 {
		f.trim()
	}
}

// held returns about how much memory the frames use: their bytes, their elements of an array that may be half empty, and the vectors.
func (f *Feed) held() int {
	each := 2*frameSize + allocation
	if len(f.parts) > 1 {
		each += len(f.parts) * positionSize
	}
	return f.bytes + len(f.frames)*each
}

// The size of a frame, of a position, and of an allocation's overhead.
const (
	frameSize    = int(unsafe.Sizeof(frame{}))
	positionSize = int(unsafe.Sizeof(Position{}))
	allocation   = 16
)

// append adds a frame. If half of the array is free in front, the frames move up; otherwise they move into an array of twice the size, so that
// the next time half of it is free.
func (f *Feed) append(added frame) {
	if n := len(f.frames); n == cap(f.frames) {
		if 2*n <= len(f.array) {
			copy(f.array, f.frames)
			clear(f.array[n:])
			f.frames = f.array[:n]
		} else {
			f.frames = slices.Grow(f.frames, n+1)
			f.array = f.frames[:cap(f.frames)]
		}
	}
	f.frames = append(f.frames, added)
}

// isOverfull reports whether the oldest frame has to be dropped.
func (f *Feed) isOverfull() bool {
	n := len(f.frames)
	return n > 1 && (n > f.hub.memory.Frames || f.bytes > f.hub.memory.Bytes || int64(f.held()) > f.hub.perFeed.Load())
}

// end returns the number that the next frame will have.
func (f *Feed) end() uint64 { return f.first + uint64(len(f.frames)) }

// after returns the number of the first frame above a sequence, in a feed with one part.
func (f *Feed) after(seq uint64) uint64 {
	i := sort.Search(len(f.frames), func(i int) bool { return f.frames[i].seq > seq })
	return f.first + uint64(i)
}

// find returns the frame with that sequence in a part; nil if it is not held.
func (f *Feed) find(part int, seq uint64) *frame {
	for i := len(f.frames) - 1; i >= 0; i-- { // from the newest on: most clients come back soon
		if fr := &f.frames[i]; int(fr.part) == part && fr.seq <= seq {
			if fr.seq == seq {
				return fr
			}
			return nil
		}
	}
	return nil
}
