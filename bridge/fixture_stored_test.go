package bridge_test

import (
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// stored is a node whose feed of chat.room1 is durable, and holds only the last few of the messages 1 to last.
type stored struct {
	hub    *bridge.Hub
	source *fakeSource
	stream *fakeStream
	log    *fakeLog
	feed   *bridge.Feed
}

func newStored(t testing.TB, held, last int) *stored {
	s := &stored{stream: newStream("CHAT", time.Unix(1, 0))}
	s.hub, s.source = newHub(t, bridge.Memory{Frames: held, Bytes: 1 << 30})
	s.log = s.stream.tap()
	read(t, s.hub, bridge.Resume{}, "chat.room1")
	s.feed = s.source.feed(t)
	s.feed.Begin([]bridge.Part{s.log.part("chat.room1")})
	s.publish(last)
	return s
}

// publish stores and delivers messages that say m<seq>.
func (s *stored) publish(count int) {
	for range count {
		seq := s.log.Last().Seq + 1
		s.stream.publish("chat.room1", fmt.Sprintf("m%d", seq), time.Unix(1_000_000+int64(seq), 0))
		s.log.deliver(seq, s.feed)
	}
}

// at returns the position of a message.
func (s *stored) at(seq uint64) bridge.Position {
	if seq == 0 {
		return bridge.Position{Epoch: s.stream.epoch}
	}
	return s.stream.content.history[seq-1].Position
}

func (s *stored) after(seq uint64) bridge.Resume { return bridge.Resume{After: bridge.ID{s.at(seq)}} }

// words returns frames in the words of sketch, ids as sequences.
func words(t testing.TB, batch ...[]byte) (all []string) {
	t.Helper()
	for _, e := range events(t, batch...) {
		all = append(all, plain(sketch(e)))
	}
	return all
}

// all reads until nothing comes for a while, and gives what came in words.
func (s *stored) all(t testing.TB, reader *bridge.Reader) []string {
	t.Helper()
	var got []string
	for quiet := 0; quiet < 100; {
		batch, wait := bridgetest.Next(reader, nil, 1<<20)
		got = append(got, words(t, batch...)...)
		if quiet++; wait == nil {
			quiet = 0
			continue
		}
		pass(20 * time.Millisecond)
	}
	return got
}

func (s *stored) expect(t testing.TB, resume bridge.Resume, want ...string) {
	t.Helper()
	reader := read(t, s.hub, resume, "chat.room1")
	defer reader.Close()
	if got := s.all(t, reader); !slices.Equal(got, want) {
		t.Errorf("%+v gives %q, want %q", resume, got, want)
	}
}

var spelled = regexp.MustCompile("[0-9a-zA-Z]{12}-([0-9]+)(-[0-9a-z]+)?")

// plain writes the sequence for each position.
func plain(text string) string { return spelled.ReplaceAllString(text, "$1") }

// span returns the words for messages in a row.
func span(first, last int) []string {
	var all []string
	for i := first; i <= last; i++ {
		all = append(all, fmt.Sprintf("m%d@%d", i, i))
	}
	return all
}

// herd opens many readers at once and waits until all have their opening.
func herd(t *testing.T, s *stored, resumes []bridge.Resume) {
	t.Helper()
	readers := make([]*bridge.Reader, len(resumes))
	for i, resume := range resumes {
		readers[i] = read(t, s.hub, resume, "chat.room1")
	}
	waiting := readers
	for range 10 {
		var still []*bridge.Reader
		for _, reader := range waiting {
			if _, wait := bridgetest.Next(reader, nil, 0); wait != nil {
				still = append(still, reader)
			}
		}
		waiting = still
		pass(10 * time.Millisecond)
	}
	if len(waiting) > 0 {
		t.Fatalf("%d of %d readers have no opening", len(waiting), len(readers))
	}
	for _, reader := range readers {
		if batch, _ := bridgetest.Next(reader, nil, 0); len(batch) != 1 {
			t.Fatal("a reader gets nothing after its opening")
		}
	}
}

// heap returns how many bytes are in use.
func heap() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
