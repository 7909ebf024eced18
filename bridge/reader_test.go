package bridge_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// The feed of this test has begun at 10, and holds three of the messages 11, 13, 15, 17: the last three.
func TestOpening(t *testing.T) {
	foreign := bridge.Position{Epoch: "e2", Seq: 13, Time: 1}
	p12, p13, p15 := at(12), at(13), at(15)
	timeless := bridge.Position{Epoch: "e1", Seq: 13}
	for _, test := range []struct {
		name   string
		resume bridge.Resume
		want   []string
	}{
		{"new", bridge.Resume{}, []string{"open@17"}},
		{"up to date", after(17), []string{"open@17"}},
		{"one behind", after(15), []string{"open@15", "m17@17"}},
		{"two behind", after(13), []string{"open@13", "m15@15", "m17@17"}},
		{"as far as memory reaches", after(11), []string{"open@11", "m13@13", "m15@15", "m17@17"}},
		{"below memory", after(10), []string{"gap retention 10..11@11", "m13@13", "m15@15", "m17@17"}},
		{"below the beginning", after(3), []string{"gap retention 3..11@11", "m13@13", "m15@15", "m17@17"}},
		{"between two messages", after(14), []string{"open@14", "m15@15", "m17@17"}},
		{"without the time", bridge.Resume{After: bridge.ID{timeless}}, []string{"open@13", "m15@15", "m17@17"}},
		{"another epoch", bridge.Resume{After: bridge.ID{foreign}}, []string{"reset unknown@17"}},
		{"another epoch, since", bridge.Resume{After: bridge.ID{foreign}, Since: sinceID(p15)}, []string{"reset unknown@15", "m17@17", "synced {}@17"}},
		{"another epoch twice", bridge.Resume{After: bridge.ID{foreign}, Since: sinceID(foreign)}, []string{"reset unknown@17", "synced {}@17"}},
		{"malformed", bridge.Resume{Malformed: true}, []string{"reset malformed@17"}},
		{"malformed, since", bridge.Resume{Malformed: true, Since: sinceID(p13)}, []string{"reset malformed@13", "m15@15", "m17@17", "synced {}@17"}},
		{"malformed, since below memory", bridge.Resume{Malformed: true, Since: sinceID(at(2))}, []string{"reset malformed@11", "m13@13", "m15@15", "m17@17", "synced {}@17"}},
		{"malformed, since another epoch", bridge.Resume{Malformed: true, Since: sinceID(foreign)}, []string{"reset malformed@17", "synced {}@17"}},
		{"since", bridge.Resume{Since: sinceID(p12)}, []string{"open@12", "m13@13", "m15@15", "m17@17", "synced {}@17"}},
		{"since below memory", bridge.Resume{Since: sinceID(at(2))}, []string{"gap retention 2..11@11", "m13@13", "m15@15", "m17@17", "synced {}@17"}},
		{"since another epoch", bridge.Resume{Since: sinceID(foreign)}, []string{"reset unknown@17", "synced {}@17"}},
		{"the header beats the URL", bridge.Resume{After: bridge.ID{p15}, Since: sinceID(p12)}, []string{"open@15", "m17@17", "synced {}@17"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			hub, source := newHub(t, bridge.Memory{Frames: 3, Bytes: 1 << 20})
			read(t, hub, bridge.Resume{}, "chat.room1")
			feed := source.feed(t)
			feed.Begin(unstored(at(10)))
			for seq := uint64(11); seq <= 17; seq += 2 {
				feed.Append(message(seq))
			}
			reader := read(t, hub, test.resume, "chat.room1")
			expect(t, reader, test.want...)
			feed.Append(message(18))
			expect(t, reader, "m18@18")
		})
	}
}

// Whoever asks for history that cannot be read, or comes while some subjects deliver nothing, is told that something may be missing.
func TestOpeningWithAGap(t *testing.T) {
	hub, source := newHub(t, bridge.DefaultMemory)
	all := bridge.Resume{Since: bridge.Since{Kind: bridge.SinceAll}}
	read(t, hub, bridge.Resume{}, "chat.room1")
	feed := source.feed(t)
	feed.Begin([]bridge.Part{{At: at(10), Unreadable: true}})
	expect(t, read(t, hub, bridge.Resume{}, "chat.room1"), "open@10")
	expect(t, read(t, hub, all, "chat.room1"), "gap disconnected e1-0..10@10", "synced {}@10")

	read(t, hub, bridge.Resume{}, "chat.room2")
	feed = source.feed(t)
	feed.Begin(unstored(at(10)))
	feed.Deafen(at(11), bridge.GapOverrun)
	expect(t, read(t, hub, bridge.Resume{}, "chat.room2"), "gap disconnected e1-0..11@11")
	feed.Begin(unstored(at(12)))
	expect(t, read(t, hub, bridge.Resume{}, "chat.room2"), "open@12")
}

func TestOpeningNamesTheSubjects(t *testing.T) {
	hub, source := newHub(t, bridge.DefaultMemory)
	reader := read(t, hub, bridge.Resume{}, "b.>", "a", "b.c")
	source.feed(t).Begin(unstored(at(1)))
	if got := events(t, frames(t, reader)...); len(got) != 1 || got[0].Data != `{"subjects":["a","b.>"]}` {
		t.Errorf("the opening is %+v", got)
	}
}

func TestReaderBeginsAtItsArrival(t *testing.T) {
	hub, source := newHub(t, bridge.DefaultMemory)
	early := read(t, hub, bridge.Resume{}, "chat.room1")
	feed := source.feed(t)
	feed.Begin(unstored(at(10)))
	feed.Append(message(11))
	late := read(t, hub, bridge.Resume{}, "chat.room1")
	feed.Append(message(12))
	expect(t, late, "open@11", "m12@12")
	expect(t, early, "open@10", "m11@11", "m12@12")
}

func TestNothingBeforeBegin(t *testing.T) {
	hub, source := newHub(t, bridge.DefaultMemory)
	reader := read(t, hub, after(5), "chat.room1")
	feed := source.feed(t)
	feed.Append(message(6))
	feed.Lost(at(7), bridge.GapOverrun)
	batch, wait := bridgetest.Next(reader, nil, 1<<20)
	if len(batch) != 0 || wait == nil || isClosed(wait) {
		t.Fatalf("before Begin the reader has %q, and a channel that is closed: %v", batch, isClosed(wait))
	}
	feed.Begin(unstored(at(8)))
	if !isClosed(wait) {
		t.Error("Begin does not wake the reader")
	}
	expect(t, reader, "gap retention 5..8@8")
	feed.Append(message(9))
	expect(t, reader, "m9@9")
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestWakes(t *testing.T) {
	hub, source := newHub(t, bridge.DefaultMemory)
	one, two := read(t, hub, bridge.Resume{}, "chat.room1"), read(t, hub, bridge.Resume{}, "chat.room1")
	feed := source.feed(t)
	feed.Begin(unstored(at(0)))
	for i, change := range []func(){
		func() { feed.Append(message(1)) },
		func() { feed.Append(message(2)) },
		func() { feed.Lost(at(3), bridge.GapOverrun) },
		func() { feed.Begin(unstored(at(4))) },
	} {
		frames(t, one)
		frames(t, two)
		batch, a := bridgetest.Next(one, nil, 1)
		_, b := bridgetest.Next(two, nil, 1)
		if len(batch) != 0 || isClosed(a) || isClosed(b) {
			t.Fatalf("change %d: the channel is closed, or %q is there, before anything has come", i, batch)
		}
		change()
		if !isClosed(a) || !isClosed(b) {
			t.Errorf("change %d does not wake both readers", i)
		}
	}
}

func TestBatchSize(t *testing.T) {
	hub, source := newHub(t, bridge.DefaultMemory)
	reader := read(t, hub, bridge.Resume{}, "chat.room1")
	feed := source.feed(t)
	feed.Begin(unstored(at(0)))
	for seq := range uint64(9) {
		feed.Append(message(seq + 1))
	}
	all := frames(t, read(t, hub, after(0), "chat.room1"))[1:]
	size := len(all[0]) // all nine have the same

	kept := [][]byte{[]byte("kept")}
	batch, wait := bridgetest.Next(reader, kept, 0)
	if len(batch) != 2 || string(batch[0]) != "kept" || !bytes.Contains(batch[1], []byte(bridge.EventOpen)) || wait != nil {
		t.Fatalf("0 bytes should take one frame, appended: %q, %v", batch, wait)
	}
	var got [][]byte
	for _, step := range []struct{ maxBytes, frames int }{
		{0, 1}, {1, 1}, {size, 1}, {2*size - 1, 1}, {2 * size, 2}, {3*size + 1, 3}, {1 << 20, 0},
	} {
		batch, wait := bridgetest.Next(reader, kept, step.maxBytes)
		batch = batch[len(kept):]
		if len(batch) != step.frames || (wait == nil) != (step.frames > 0) {
			t.Errorf("%d bytes with frames of %d: %d frames, want %d", step.maxBytes, size, len(batch), step.frames)
		}
		got = append(got, batch...)
	}
	if !slices.EqualFunc(got, all, bytes.Equal) {
		t.Errorf("the batches hold %q, want %q", got, all)
	}
}

func sinceID(p bridge.Position) bridge.Since {
	return bridge.Since{Kind: bridge.SinceID, ID: bridge.ID{p}}
}

// There are tens of thousands of readers, and most have nothing to do.
func TestReaderIsSmall(t *testing.T) {
	if bridge.SizeOfReader > 112 {
		t.Errorf("a reader takes %d bytes, and it has been 112: is a new field needed while it is idle?", bridge.SizeOfReader)
	}
}
