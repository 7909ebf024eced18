package bridge_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// A client that comes from another bridge may be ahead of this one in one stream. What it is given of another stream does not take its
// position back there, or it would get messages again.
func TestIDDoesNotGoBackInAnotherPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, source := newHub(t, bridge.DefaultMemory)
		a, b := newStream("a", time.Unix(1, 0)), newStream("b", time.Unix(1, 0))
		logs := []*fakeLog{a.tap(), b.tap()}
		for i := range int64(3) {
			b.publish("b", "b", time.Unix(10+i, 0))
		}
		reader := read(t, hub, bridge.Resume{After: bridge.ID{logs[0].Last(), b.content.last}}, "a", "b")
		feed := source.feed(t)
		feed.Begin([]bridge.Part{logs[0].part("a"), logs[1].part("b")})
		here(t, reader)
		lost := bridge.Position{Epoch: a.epoch, Seq: 2, Time: 1}
		a1 := a.publish("a", "a1", time.Unix(20, 0)).Position
		logs[0].deliver(1, feed)
		feed.Lost(lost, bridge.GapOverrun)
		got := events(t, frames(t, reader)...)
		if len(got) != 2 || got[0].Data != "a1" || got[1].Type != bridge.EventGap {
			t.Fatalf("got %+v, want a1 and a gap", got)
		}
		ids := []string{bridge.ID{b.content.last, a1}.String(), bridge.ID{b.content.last, lost}.String()}
		if gap := fmt.Sprintf(`{"after":%q,"first":%q,"reason":"overrun"}`, ids[0], ids[1]); got[0].ID != ids[0] || got[1].ID != ids[1] || got[1].Data != gap {
			t.Errorf("got %+v, not at %q", got, ids)
		}
	})
}

// A reader that had everything when its feed ended has, in a quiet part, also seen that nothing came for it. What the stream's limits remove
// of that is no loss.
func TestReaderOfAQuietSubjectMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStored(t, 3, 2)
		s.stream.careful = true // as a stream is of which only the first sequence is known
		reader := read(t, s.hub, bridge.Resume{}, "chat.room1")
		here(t, reader)
		for i := range int64(8) {
			s.stream.publish("chat.room2", "another", time.Unix(2_000_000+i, 0))
		}
		s.log.deliver(10, s.feed)
		s.stream.purge(9)
		exchange(t, s.source, reader, s.log.part("chat.room1"))
		s.feed = s.source.feed(t)
		s.publish(1)
		if got, want := s.all(t, reader), []string{"m11@11"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// A poll up to a position ends there, also on the feed that follows the one on which it began.
func TestUntilMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStored(t, 3, 20)
		s.stream.pageSize = 2
		reader := read(t, s.hub, until(2, s.at(18)), "chat.room1")
		var got []string
		for len(got) < 2 { // the opening, and the first of two messages
			batch, wait := bridgetest.Next(reader, nil, 1)
			got = append(got, words(t, batch...)...)
			if wait != nil {
				<-wait
			}
		}
		exchange(t, s.source, reader, s.log.part("chat.room1"))
		got = append(got, s.all(t, reader)...)
		if want := []string{"open@16", "m17@17", "m18@18", "synced {}@18"}; !slices.Equal(got, want) || !reader.Done() {
			t.Errorf("done %t with %q, want %q", reader.Done(), got, want)
		}
	})
}

// A poll for the newest messages up to a position does not read a page of what comes after it.
func TestUntilReadsNoMoreThanItGives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, source := newHub(t, bridge.DefaultMemory)
		stream := newStream("CHAT", time.Unix(1, 0))
		for i := range int64(500) {
			stream.publish("chat.room1", "m", time.Unix(1000+i, 0))
		}
		reader := read(t, hub, until(2, stream.content.history[99].Position), "chat.room1")
		source.feed(t).Begin([]bridge.Part{stream.tap().part("chat.room1")})
		for !reader.Done() {
			if _, wait := bridgetest.Next(reader, nil, 1<<20); wait != nil {
				<-wait
			}
		}
		if n := hub.Stats().ReplayMessages; n > 4 {
			t.Errorf("%d messages were read for a poll of two", n)
		}
	})
}
