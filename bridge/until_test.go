package bridge_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// until asks for the newest messages up to a position.
func until(most int, at ...bridge.Position) bridge.Resume {
	return bridge.Resume{Since: bridge.Since{Kind: bridge.SinceUntil, ID: at, Most: most}, Sync: true}
}

// The feed of this test holds 18, 19 and 20 of twenty messages. A reader that asks for what lies before a position gets the newest of it,
// and nothing behind, wherever it is read from; then the answer ends.
func TestUntil(t *testing.T) {
	page := func(from, to int) []string {
		return slices.Concat([]string{fmt.Sprintf("open@%d", from-1)}, span(from, to), []string{fmt.Sprintf("synced {}@%d", to)})
	}
	nothing := func(*stored) {}
	at := func(seq uint64) func(*stored) bridge.ID {
		return func(s *stored) bridge.ID { return bridge.ID{s.at(seq)} }
	}
	foreign := func(epoch string) func(*stored) bridge.ID {
		return func(*stored) bridge.ID { return bridge.ID{{Epoch: epoch, Seq: 15}} }
	}
	for _, test := range []struct {
		name    string
		prepare func(*stored)
		until   func(*stored) bridge.ID
		most    int
		want    []string
	}{
		{"from the log", nothing, at(10), 3, page(8, 10)},
		{"up to memory", nothing, at(17), 3, page(15, 17)},
		{"half from memory", nothing, at(19), 4, page(16, 19)},
		{"from memory", nothing, at(19), 2, page(18, 19)},
		{"the newest", nothing, at(20), 1, page(20, 20)},
		{"more than there are", nothing, at(4), 10, page(1, 4)},
		{"before the first", nothing, at(0), 10, []string{"open@0", "synced {}@0"}},
		{"its message is deleted", func(s *stored) { s.stream.delete(10) }, at(10), 3, []string{"open@6", "m7@7", "m8@8", "m9@9", "synced {}@10"}},
		{"deleted between", func(s *stored) { s.stream.delete(8); s.stream.delete(9) }, at(10), 3, []string{"open@5", "m6@6", "m7@7", "m10@10", "synced {}@10"}},
		{"what limits have removed", func(s *stored) { s.stream.purge(8) }, at(10), 5, []string{"open@8", "m9@9", "m10@10", "synced {}@10"}},
		{"all is removed", func(s *stored) { s.stream.purge(12) }, at(10), 5, []string{"open@10", "synced {}@10"}},
		{"beyond the last", nothing, func(s *stored) bridge.ID { return bridge.ID{{Epoch: s.stream.epoch, Seq: 30}} }, 2, page(21, 22)},
		{"a part of another feed beside", nothing, func(s *stored) bridge.ID { return bridge.ID{{Epoch: "other", Seq: 3}, s.at(10)} }, 2, page(9, 10)},
		{"an earlier life", nothing, foreign(bridge.Epoch("CHAT", time.Unix(7, 0))), 5, []string{"reset recreated@0", "synced {}@0"}},
		{"an unknown id", nothing, foreign("nobody"), 5, []string{"reset unknown@0", "synced {}@0"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStored(t, 3, 20)
				test.prepare(s)
				reader := read(t, s.hub, until(test.most, test.until(s)...), "chat.room1")
				defer reader.Close()
				s.publish(2) // it is not for this reader
				got := s.all(t, reader)
				if !slices.Equal(got, test.want) {
					t.Errorf("got %q, want %q", got, test.want)
				}
				if !reader.Done() {
					t.Error("the answer has no end")
				}
			})
		})
	}
}

// Positions lead backwards through a whole stream: each page begins where the one before it ends, and all together have every message once.
func TestUntilPageByPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStored(t, 3, 20)
		s.stream.delete(7)
		var all []string
		at := s.at(20)
		for pages := 0; ; pages++ {
			reader := read(t, s.hub, until(3, at), "chat.room1")
			got := s.all(t, reader)
			reader.Close()
			messages := got[1 : len(got)-1]
			if len(messages) == 0 {
				break
			}
			all = slices.Concat(messages, all)
			if _, err := fmt.Sscanf(got[0], "open@%d", &at.Seq); err != nil || pages > 20 {
				t.Fatal(got, err)
			}
			at.Time = 0
		}
		if want := slices.Concat(span(1, 6), span(8, 20)); !slices.Equal(all, want) {
			t.Errorf("got %q, want %q", all, want)
		}
	})
}

// Of several streams, the newest messages of all together are given.
func TestUntilInSeveralStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, source := newHub(t, bridge.Memory{Frames: 1, Bytes: 1 << 30})
		keeper := read(t, hub, bridge.Resume{}, "a.>", "b.>")
		defer keeper.Close()
		a, b := newStream("A", time.Unix(1, 0)), newStream("B", time.Unix(2, 0))
		logs := map[string]*fakeLog{"a": a.tap(), "b": b.tap()}
		feed := source.feed(t)
		feed.Begin([]bridge.Part{logs["a"].part("a.>"), logs["b"].part("b.>")})
		order := "abbbaabab" // as they were stored
		for i, name := range order {
			log := logs[string(name)]
			map[string]*fakeStream{"a": a, "b": b}[string(name)].publish(string(name)+".x", fmt.Sprint(string(name), i), time.Unix(1_000+int64(i), 0))
			log.deliver(log.Last().Seq+1, feed)
		}
		id := bridge.ID{a.content.last, b.content.last}
		for _, want := range []string{"a7 b6 b8", "a4 a5 b3", "a0 b1 b2", ""} {
			reader := read(t, hub, until(3, id...), "a.>", "b.>")
			opened, got := answer(t, reader)
			reader.Close()
			id = opened
			if got := strings.Join(got, " "); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	})
}

// answer reads until the reader is done, and returns the position at which its answer begins, and the payloads.
func answer(t *testing.T, reader *bridge.Reader) (opened bridge.ID, payloads []string) {
	t.Helper()
	for !reader.Done() {
		batch, wait := bridgetest.Next(reader, nil, 1<<20)
		for _, e := range events(t, batch...) {
			switch e.Type {
			case bridge.EventOpen:
				opened, _ = bridge.ParseID(e.ID)
			case bridge.EventSynced:
			default:
				payloads = append(payloads, e.Data)
			}
		}
		if wait != nil {
			pass(20 * time.Millisecond)
		}
	}
	return opened, payloads
}
