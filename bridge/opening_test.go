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

// The feed of this test holds 18, 19 and 20 of twenty messages on a subject that is stored; prepare says what became of
// the rest.
func TestOpeningOfALog(t *testing.T) {
	nothing := func(*stored) {}
	rolledBack := func(s *stored) { // before the node has noticed
		c := s.stream.copy()
		c.history, c.last = c.history[:10], c.history[9].Position
		s.stream.restore(c)
		for range 5 {
			s.stream.publish("chat.room1", "again", time.Unix(2_000_000, 0))
		}
	}
	timeless := func(seq uint64) func(s *stored) bridge.Resume {
		return func(s *stored) bridge.Resume {
			return bridge.Resume{After: bridge.ID{{Epoch: s.stream.epoch, Seq: seq}}}
		}
	}
	after := func(seq uint64) func(s *stored) bridge.Resume {
		return func(s *stored) bridge.Resume { return s.after(seq) }
	}
	wrongTime := func(seq uint64) func(s *stored) bridge.Resume {
		return func(s *stored) bridge.Resume {
			return bridge.Resume{After: bridge.ID{{Epoch: s.stream.epoch, Seq: seq, Time: 5}}}
		}
	}
	since := func(since bridge.Since) func(s *stored) bridge.Resume {
		return func(*stored) bridge.Resume { return bridge.Resume{Since: since} }
	}
	from := func(seq uint64) time.Time { return time.Unix(1_000_000+int64(seq), 0) }
	then := func(first string, last ...string) func(from int) []string {
		return func(from int) []string { return slices.Concat([]string{first}, span(from, 20), last) }
	}
	for _, test := range []struct {
		name    string
		prepare func(*stored)
		resume  func(*stored) bridge.Resume
		want    []string
	}{
		{"up to date", nothing, after(20), then("open@20")(21)},
		{"from memory", nothing, after(18), then("open@18")(19)},
		{"at the floor", nothing, after(17), then("open@17")(18)},
		{"below the floor", nothing, after(5), then("open@5")(6)},
		{"from the beginning", nothing, timeless(0), then("open@0")(1)},
		{"timeless, below the floor", nothing, timeless(5), then("open@5")(6)},
		{"timeless, from memory", nothing, timeless(19), then("open@19")(20)},
		{"timeless, beyond the last", nothing, timeless(21), then("reset rolled back@20")(21)},
		{"beyond the last", nothing, wrongTime(21), then("reset rolled back@20")(21)},
		{"another time, in the page", nothing, wrongTime(5), then("reset rolled back@20")(21)},
		{"another time, at the floor", nothing, wrongTime(17), then("reset rolled back@20")(21)},
		{"another time, in memory", nothing, wrongTime(19), then("reset rolled back@20")(21)},
		{"another time, the last", nothing, wrongTime(20), then("reset rolled back@20")(21)},
		{"another time, deleted", func(s *stored) { s.stream.delete(5) }, wrongTime(5), then("open@5")(6)},
		{"the message is deleted", func(s *stored) { s.stream.delete(5) }, after(5), then("open@5")(6)},
		{"purged far below", func(s *stored) { s.stream.purge(3) }, after(5), then("open@5")(6)},
		{"purged just below", func(s *stored) { s.stream.purge(5) }, after(5), then("open@5")(6)},
		{"purged just above", func(s *stored) { s.stream.purge(6) }, after(5), then("gap retention 5..6@6")(7)},
		{"purged far above", func(s *stored) { s.stream.purge(12) }, after(5), then("gap retention 5..12@12")(13)},
		{"purged up to memory", func(s *stored) { s.stream.purge(17) }, after(5), then("gap retention 5..17@17")(18)},
		{"purged, from the beginning", func(s *stored) { s.stream.purge(2) }, timeless(0), then("gap retention 0..2@2")(3)},
		{"memory has what was purged", func(s *stored) { s.stream.purge(20) }, after(17), then("open@17")(18)},
		{"purged with memory", func(s *stored) { s.stream.purge(20) }, after(5), then("gap retention 5..17@17")(18)},
		{"rolled back, used again", rolledBack, after(12), then("reset rolled back@20")(21)},
		{"rolled back, before the copy", rolledBack, after(20), then("open@20")(21)},
		{"rolled back, beyond", rolledBack, wrongTime(22), then("reset rolled back@20")(21)},
		{"all", nothing, since(bridge.Since{Kind: bridge.SinceAll}), then("open@0", "synced {}@20")(1)},
		{"all that is left", func(s *stored) { s.stream.purge(6) }, since(bridge.Since{Kind: bridge.SinceAll}), then("open@6", "synced {}@20")(7)},
		{"last", nothing, since(bridge.Since{Kind: bridge.SinceLast}), then("open@19", "synced {}@20")(20)},
		{"time", nothing, since(bridge.Since{Kind: bridge.SinceTime, Time: from(5)}), then("open@4", "synced {}@20")(5)},
		{"time in memory", nothing, since(bridge.Since{Kind: bridge.SinceTime, Time: from(19)}), then("open@18", "synced {}@20")(19)},
		{"time to come", nothing, since(bridge.Since{Kind: bridge.SinceTime, Time: from(99)}), then("open@20", "synced {}@20")(21)},
		{"time that is gone", func(s *stored) { s.stream.purge(6) }, since(bridge.Since{Kind: bridge.SinceTime, Time: from(3)}), then("open@6", "synced {}@20")(7)},
		{"malformed", nothing, func(*stored) bridge.Resume { return bridge.Resume{Malformed: true} }, then("reset malformed@20")(21)},
		{"malformed, all", nothing, func(*stored) bridge.Resume {
			return bridge.Resume{Malformed: true, Since: bridge.Since{Kind: bridge.SinceAll}}
		}, then("reset malformed@0", "synced {}@20")(1)},
		{"malformed, since an id", nothing, func(s *stored) bridge.Resume {
			return bridge.Resume{Malformed: true, Since: sinceID(s.at(15))}
		}, then("reset malformed@15", "synced {}@20")(16)},
		{"unknown", nothing, func(*stored) bridge.Resume {
			return bridge.Resume{After: bridge.ID{{Epoch: "another00000", Seq: 3}}}
		}, then("reset unknown@20")(21)},
		{"recreated", nothing, func(s *stored) bridge.Resume {
			return bridge.Resume{After: bridge.ID{{Epoch: bridge.Epoch("CHAT", time.Unix(9, 0)), Seq: 3}}, Since: bridge.Since{Kind: bridge.SinceTime, Time: from(16)}}
		}, then("reset recreated@15", "synced {}@20")(16)},
		{"rolled back, all", nothing, func(s *stored) bridge.Resume {
			r := wrongTime(5)(s)
			r.Since.Kind = bridge.SinceAll
			return r
		}, then("reset rolled back@0", "synced {}@20")(1)},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStored(t, 3, 20)
				s.stream.pageSize = 4
				resume := test.resume(s)
				test.prepare(s)
				s.expect(t, resume, test.want...)
			})
		})
	}
}

// Between messages of its own, a client's position is a message of others.
func TestQuietPosition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStored(t, 3, 10)
		other := s.stream.publish("chat.room2", "", time.Unix(1_500_000, 0))
		s.log.deliver(11, s.feed)
		s.expect(t, bridge.Resume{}, "open@11")
		s.publish(2)
		s.expect(t, bridge.Resume{After: bridge.ID{other.Position}}, "open@11", "m12@12", "m13@13")
		s.publish(7)
		s.expect(t, bridge.Resume{After: bridge.ID{other.Position}}, append([]string{"open@11"}, span(12, 20)...)...)
		wrong := other.Position
		wrong.Time++
		s.expect(t, bridge.Resume{After: bridge.ID{wrong}}, "reset rolled back@20")
	})
}

// Another node may be ahead: the stream's leader knows the position, and what the client has does not come again.
func TestPositionAheadOfTheNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStored(t, 3, 10)
		for range 4 {
			s.stream.publish("chat.room1", "ahead", time.Unix(1_500_000, 0))
		}
		reader := read(t, s.hub, s.after(12), "chat.room1")
		if got := s.all(t, reader); !slices.Equal(got, []string{"open@12"}) {
			t.Errorf("it begins with %q", got)
		}
		s.log.deliver(14, s.feed)
		if got := s.all(t, reader); !slices.Equal(got, []string{"ahead@13", "ahead@14"}) {
			t.Errorf("then comes %q", got)
		}
	})
}

// A loss while a client is being served is told once, before what follows it.
func TestLossDuringReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStored(t, 3, 40)
		s.stream.pageSize = 5
		s.stream.purge(3)
		reader := read(t, s.hub, bridge.Resume{After: bridge.ID{{Epoch: s.stream.epoch, Seq: 1}}}, "chat.room1")
		bridgetest.Next(reader, nil, 1)
		pass(10 * time.Millisecond)
		batch, _ := bridgetest.Next(reader, nil, 1) // the opening; the first page is here
		if got := words(t, batch...)[0]; got != "gap retention 1..3@3" {
			t.Fatalf("it begins with %q", got)
		}
		synctest.Wait() // the second page is here as well
		s.stream.purge(30)
		want := slices.Concat(span(4, 13), []string{"gap retention 13..30@30"}, span(31, 40))
		if got := s.all(t, reader); !slices.Equal(got, want) {
			t.Errorf("it goes on with %q", got)
		}
	})
}

// A message that arrives before a feed begins is read from the log, even if the feed learns its first position before that.
func TestMessageBeforeTheFeedBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stored{stream: newStream("CHAT", time.Unix(1, 0))}
		s.hub, s.source = newHub(t, bridge.DefaultMemory)
		s.log = s.stream.tap()
		reader := read(t, s.hub, bridge.Resume{After: bridge.ID{s.at(0)}}, "chat.room1")
		s.feed = s.source.feed(t)
		begins := s.log.part("chat.room1")
		s.publish(1)
		s.feed.Begin([]bridge.Part{begins})
		s.publish(1)
		if got, want := s.all(t, reader), []string{"open@0", "m1@1", "m2@2"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// A loss to a limit before a feed begins is told, even if the feed learns its first position before the tap has passed the hole.
func TestLossBeforeTheFeedBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stored{stream: newStream("CHAT", time.Unix(1, 0))}
		s.stream.maxMessages = 4
		s.hub, s.source = newHub(t, bridge.DefaultMemory)
		s.log = s.stream.tap()
		for range 6 {
			s.stream.publish("chat.room1", fmt.Sprintf("m%d", s.stream.copy().last.Seq+1), time.Unix(9, 0))
		}
		reader := read(t, s.hub, bridge.Resume{After: bridge.ID{s.at(0)}}, "chat.room1")
		feed := s.source.feed(t)
		begins := s.log.part("chat.room1") // behind nothing
		feed.Lost(s.at(2), bridge.GapRetention)
		feed.Begin([]bridge.Part{begins})
		hole := s.at(2)
		s.log.tapped.Store(&hole) // which the tap passes over
		s.log.deliver(6, feed)
		if got, want := s.all(t, reader), append([]string{"gap retention 0..2@2"}, span(3, 6)...); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// A loss is told once, even if older messages are still stored.
func TestLossIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStored(t, 1, 0)
		s.stream.maxPerSubject, s.stream.pageSize = 2, 1
		read(t, s.hub, bridge.Resume{}, "chat.*")
		s.feed = s.source.feed(t)
		s.feed.Begin([]bridge.Part{s.log.part("chat.*")})
		s.stream.publish("chat.old", "m1", time.Unix(2, 0))
		s.stream.publish("chat.old", "m2", time.Unix(3, 0))
		s.log.deliver(2, s.feed)
		s.publish(7)
		start := bridge.ID{{Epoch: s.stream.epoch}}
		reader := read(t, s.hub, bridge.Resume{After: start}, "chat.*")
		want := []string{"gap retention 0..0@0", "m1@1", "m2@2", "m8@8", "m9@9"}
		if got := s.all(t, reader); !slices.Equal(got, want) {
			t.Errorf("it gets %q, want %q", got, want)
		}
		reader = read(t, s.hub, bridge.Resume{Since: bridge.Since{Kind: bridge.SinceAll}}, "chat.*")
		want = []string{"open@0", "m1@1", "m2@2", "m8@8", "m9@9", "synced {}@9"}
		if got := s.all(t, reader); !slices.Equal(got, want) {
			t.Errorf("it gets %q, want %q", got, want)
		}

		s.stream.publish("chat.old", "m10", time.Unix(2_000_000, 0))
		s.stream.publish("chat.old", "m11", time.Unix(2_000_001, 0))
		s.stream.publish("chat.old", "m12", time.Unix(2_000_002, 0)) // m11 and m12 are left
		s.log.deliver(12, s.feed)
		reader = read(t, s.hub, bridge.Resume{After: bridge.ID{s.at(10)}}, "chat.*")
		var batch [][]byte
		for len(batch) == 0 {
			batch, _ = bridgetest.Next(reader, batch, 1)
			pass(10 * time.Millisecond)
		}
		if got := words(t, batch...)[0]; got != "open@10" {
			t.Fatalf("it begins with %q", got)
		}
		s.publish(7) // 13 to 17 are lost
		s.stream.publish("chat.last", "m20", time.Unix(3_000_000, 0))
		s.log.deliver(20, s.feed)
		want = []string{"m11@11", "gap retention 11..11@11", "m12@12", "m18@18", "m19@19", "m20@20"}
		if got := s.all(t, reader); !slices.Equal(got, want) {
			t.Errorf("it gets %q, want %q", got, want)
		}
	})
}

// A feed of two logs and of subjects that are not stored.
func TestOpeningOfSeveralParts(t *testing.T) {
	a, b := newStream("A", time.Unix(1, 0)), newStream("B", time.Unix(1, 0))
	if a.epoch > b.epoch {
		a, b = b, a
	}
	core := bridge.Position{Epoch: "zPROCESS0000", Seq: 7, Time: 1}
	var seen [][]bridge.Position
	for i, s := range []*fakeStream{a, b} {
		seen = append(seen, nil)
		for j := range 5 {
			seen[i] = append(seen[i], s.publish(s.name, s.name+string(rune('1'+j)), time.Unix(int64(10*i+j), 0)).Position)
		}
	}
	strange, older := bridge.Position{Epoch: "zOTHER000000", Seq: 3}, bridge.Position{Epoch: bridge.Epoch(b.name, time.Unix(0, 5)), Seq: 3}
	wrong := seen[1][2]
	wrong.Time++
	all := bridge.Since{Kind: bridge.SinceAll}
	fromA, fromB := []string{a.name + "5@5.5.7"}, []string{b.name + "4@5.4.7", b.name + "5@5.5.7"}
	for _, test := range []struct {
		name  string
		id    bridge.ID
		since bridge.Since
		want  []string
	}{
		{"exact", bridge.ID{seen[0][3], seen[1][2], core}, bridge.Since{}, slices.Concat([]string{"open@4.3.7"}, []string{a.name + "5@5.3.7"}, fromB)},
		{"in another order", bridge.ID{core, seen[1][2], seen[0][3]}, bridge.Since{}, slices.Concat([]string{"open@4.3.7"}, []string{a.name + "5@5.3.7"}, fromB)},
		{"another process", bridge.ID{seen[0][3], seen[1][4], strange}, bridge.Since{}, slices.Concat([]string{"gap disconnected 4.5.3..4.5.7@4.5.7"}, fromA)},
		{"a part that is gone", bridge.ID{seen[0][3], seen[1][4], core, strange}, bridge.Since{}, slices.Concat([]string{"gap disconnected 4.5.7.3..4.5.7@4.5.7"}, fromA)},
		{"one part", bridge.ID{seen[0][3]}, bridge.Since{}, slices.Concat([]string{"gap disconnected 4..4.5.7@4.5.7"}, fromA)},
		{"recreated", bridge.ID{seen[0][3], older, core}, bridge.Since{}, slices.Concat([]string{"reset recreated@4.5.7"}, fromA)},
		{"recreated, all", bridge.ID{seen[0][4], older, core}, all, []string{"reset recreated@5.0.7", b.name + "1@5.1.7", b.name + "2@5.2.7", b.name + "3@5.3.7", b.name + "4@5.4.7", b.name + "5@5.5.7", "synced {}@5.5.7"}},
		{"rolled back", bridge.ID{seen[0][3], wrong, core}, bridge.Since{}, slices.Concat([]string{"reset rolled back@4.5.7"}, fromA)},
		{"none known", bridge.ID{strange}, bridge.Since{}, []string{"reset unknown@5.5.7"}},
		{"last", nil, bridge.Since{Kind: bridge.SinceLast}, []string{"open@4.4.7", a.name + "5@5.4.7", b.name + "5@5.5.7", "synced {}@5.5.7"}},
		{"time", nil, bridge.Since{Kind: bridge.SinceTime, Time: time.Unix(13, 0)}, slices.Concat([]string{"open@5.3.7"}, fromB, []string{"synced {}@5.5.7"})},
		{"id", nil, bridge.Since{Kind: bridge.SinceID, ID: bridge.ID{seen[0][4], seen[1][2], core}}, slices.Concat([]string{"open@5.3.7"}, fromB, []string{"synced {}@5.5.7"})},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &stored{}
				s.hub, s.source = newHub(t, bridge.DefaultMemory)
				subjects := []bridge.Subject{bridge.Subject(a.name), bridge.Subject(b.name), "c"}
				read(t, s.hub, bridge.Resume{}, subjects...)
				s.source.feed(t).Begin([]bridge.Part{
					a.tap().part(subjects[0]), {Subjects: subjects[2:], At: core}, b.tap().part(subjects[1]),
				})
				got := s.all(t, read(t, s.hub, bridge.Resume{After: test.id, Since: test.since}, subjects...))
				if !slices.Equal(got, test.want) {
					t.Errorf("it gets %q, want %q", got, test.want)
				}
			})
		})
	}
}
