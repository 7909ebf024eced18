package bridge_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// begun returns a feed that has begun at 0, and a reader whose client has its opening.
func begun(t testing.TB, memory bridge.Memory) (*bridge.Hub, *bridge.Feed, *bridge.Reader) {
	t.Helper()
	hub, source := newHub(t, memory)
	reader := read(t, hub, bridge.Resume{}, "chat.room1")
	feed := source.feed(t)
	feed.Begin(unstored(at(0)))
	expect(t, reader, "open@0")
	return hub, feed, reader
}

func TestOverrunByFrames(t *testing.T) {
	_, feed, reader := begun(t, bridge.Memory{Frames: 3, Bytes: 1 << 20})
	feed.Append(message(1))
	expect(t, reader, "m1@1")
	for seq := uint64(2); seq <= 4; seq++ {
		feed.Append(message(seq))
	}
	expect(t, reader, "m2@2", "m3@3", "m4@4") // just as many as there is room for
	for seq := uint64(5); seq <= 8; seq++ {
		feed.Append(message(seq))
	}
	expect(t, reader, "gap overrun 4..5@5", "m6@6", "m7@7", "m8@8")
	feed.Append(message(9))
	expect(t, reader, "m9@9")
}

func TestOverrunByBytes(t *testing.T) {
	hub, probe, probed := begun(t, bridge.DefaultMemory)
	probe.Append(message(1))
	size := len(frames(t, probed)[0])
	hub.Close()

	_, feed, reader := begun(t, bridge.Memory{Frames: 100, Bytes: 3*size + size/2})
	for seq := uint64(1); seq <= 3; seq++ {
		feed.Append(message(seq))
	}
	expect(t, reader, "m1@1", "m2@2", "m3@3")
	for seq := uint64(4); seq <= 8; seq++ {
		feed.Append(message(seq))
	}
	expect(t, reader, "gap overrun 3..5@5", "m6@6", "m7@7", "m8@8")
}

// A frame larger than the whole memory replaces all others.
func TestNewestFrameIsAlwaysHeld(t *testing.T) {
	for _, memory := range []bridge.Memory{{}, {Frames: 1, Bytes: 1}, {Frames: 100, Bytes: 500}} {
		_, feed, reader := begun(t, memory)
		large := message(1)
		large.Data = bytes.Repeat([]byte("x"), 1<<20)
		feed.Append(large)
		if got := events(t, frames(t, reader)...); len(got) != 1 || got[0].Data != string(large.Data) {
			t.Fatalf("%+v: the large message gives %.100v", memory, got)
		}
		feed.Append(message(2))
		expect(t, reader, "m2@2")
	}
}

// The opening of a connection lies where it was told, even if the feed has moved on before the next read.
func TestOverrunBehindTheOpening(t *testing.T) {
	hub, feed, _ := begun(t, bridge.Memory{Frames: 2, Bytes: 1 << 20})
	feed.Append(message(1))
	feed.Append(message(2))
	reader := read(t, hub, after(1), "chat.room1")
	if batch, _ := bridgetest.Next(reader, nil, 0); len(batch) != 1 || sketch(events(t, batch...)[0]) != "open@1" {
		t.Fatalf("the opening is %q", batch)
	}
	for seq := uint64(3); seq <= 5; seq++ {
		feed.Append(message(seq))
	}
	expect(t, reader, "gap overrun 1..3@3", "m4@4", "m5@5")
}

func TestInterruptions(t *testing.T) {
	hub, feed, reader := begun(t, bridge.DefaultMemory)
	feed.Append(message(1))
	feed.Begin(unstored(at(5)))
	feed.Append(message(6))
	feed.Lost(at(7), bridge.GapOverrun)
	feed.Append(message(8))
	flow := []string{"m1@1", "gap disconnected 1..5@5", "m6@6", "gap overrun 6..7@7", "m8@8"}
	expect(t, reader, flow...)
	for _, test := range []struct {
		after uint64
		want  []string
	}{
		{0, append([]string{"open@0"}, flow...)},
		{1, append([]string{"open@1"}, flow[1:]...)},
		{5, append([]string{"open@5"}, flow[2:]...)},
		{6, append([]string{"open@6"}, flow[3:]...)},
		{7, append([]string{"open@7"}, flow[4:]...)},
	} {
		expect(t, read(t, hub, after(test.after), "chat.room1"), test.want...)
	}
	if got := hub.Stats().Gaps; got[bridge.GapDisconnected] != 1 || got[bridge.GapOverrun] != 1 {
		t.Errorf("a gap of a feed counts once, however many read it: %v", got)
	}
}

// A message is encoded once for each framing, for any number of feeds and readers.
func TestFramesAreShared(t *testing.T) {
	hub, source := newHub(t, bridge.DefaultMemory)
	framings := []bridge.Framing{{}, {SubjectEvents: true}, {Format: bridge.JSON}, {Format: bridge.JSON, SubjectEvents: true}, {Format: bridge.Lines}, {Format: bridge.Lines, SubjectEvents: true}, {Format: bridge.JSON, JSONPayloads: true}, {Format: bridge.Lines, SubjectEvents: true, JSONPayloads: true}, {Format: bridge.Datastar}}
	var feeds []*bridge.Feed
	var readers []*bridge.Reader
	for _, framing := range framings {
		for _, filter := range []bridge.Subject{"chat.room1", "chat.room1", "chat.*"} {
			readers = append(readers, readIn(t, hub, framing, bridge.Resume{}, filter))
			if feed := source.feed(t); !slices.Contains(feeds, feed) {
				feeds = append(feeds, feed)
			}
		}
	}
	if len(feeds) != 2*len(framings) {
		t.Fatalf("%d feeds are open, want one for each filter and framing: %d", len(feeds), 2*len(framings))
	}
	message := message(1)
	for _, feed := range feeds {
		feed.Begin(unstored(at(0)))
		feed.Append(message)
	}
	made := map[*byte]bool{}
	for i, reader := range readers {
		all := frames(t, reader)
		made[&all[1][0]] = true
		if framing := framings[i/3]; reader.Framing() != framing {
			t.Errorf("the framing is %+v, want %+v", reader.Framing(), framing)
		}
	}
	if len(made) != len(framings) {
		t.Errorf("%d frames were made for %d framings", len(made), len(framings))
	}
}

// Fast and slow readers see the same order, even while messages are being appended.
func TestOneOrder(t *testing.T) {
	const messages = 2000
	hub, source := newHub(t, bridge.Memory{Frames: messages, Bytes: 1 << 30})
	var done sync.WaitGroup
	got := make([][][]byte, 8)
	for i := range got {
		reader := read(t, hub, bridge.Resume{}, "chat.room1")
		done.Go(func() {
			for len(got[i]) < messages+1 {
				var wait <-chan struct{}
				if got[i], wait = bridgetest.Next(reader, got[i], 50<<i); wait != nil {
					<-wait
				}
			}
		})
	}
	feed := source.feed(t)
	feed.Begin(unstored(at(0)))
	for seq := range uint64(messages) {
		feed.Append(message(seq + 1))
	}
	done.Wait()
	for i, all := range got {
		if !slices.EqualFunc(all, got[0], bytes.Equal) {
			t.Errorf("readers 0 and %d have seen different things", i)
		}
	}
	if text := string(bytes.Join(got[0], nil)); strings.Count(text, "data: m") != messages {
		t.Errorf("%d messages were seen, want %d", strings.Count(text, "data: m"), messages)
	}
}

// Any number of feeds share the hub's memory; a single feed may use all that one feed may.
func TestFeedsShareTheMemory(t *testing.T) {
	const feeds, messages = 10, 100
	hub, source := newHub(t, bridge.Memory{Frames: messages, Bytes: 1 << 20, Total: 1 << 15})
	held := func(subject bridge.Subject) int {
		again := read(t, hub, after(0), subject)
		defer again.Close()
		return len(frames(t, again)) - 1 // the opening
	}
	read(t, hub, bridge.Resume{}, "alone")
	source.feed(t).Begin(unstored(at(0)))
	for seq := range uint64(messages) {
		source.feed(t).Append(message(seq + 1))
	}
	if n := held("alone"); n != messages {
		t.Errorf("a feed alone holds %d of %d messages", n, messages)
	}
	for i := range feeds - 1 {
		read(t, hub, bridge.Resume{}, bridge.Subject(fmt.Sprint("beside.", i)))
	}
	source.attached[0].Append(message(messages + 1))
	if n := held("alone"); n < messages/20 || n > messages/4 {
		t.Errorf("as one of %d it holds %d of %d messages", feeds, n, messages)
	}
}
