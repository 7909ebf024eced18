package bridge_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// store publishes messages that are stored, and have not arrived at the node.
func (s *stored) store(count int) {
	for range count {
		seq := s.stream.copy().last.Seq + 1
		s.stream.publish("chat.room1", fmt.Sprintf("m%d", seq), time.Unix(1_000_000+int64(seq), 0))
	}
}

// The feed holds 18, 19 and 20 of twenty messages; five more are stored. A reader that ends has what was stored before it came, whether it has arrived
// here or not, in order and once, also if it arrives while the reader reads.
func TestReplayReachesWhatIsStored(t *testing.T) {
	through := func(s *stored, r bridge.Resume, seq uint64) bridge.Resume {
		r.Through, r.Sync = bridge.ID{s.at(seq)}, true
		return r
	}
	all := bridge.Resume{Since: bridge.Since{Kind: bridge.SinceAll}}
	for _, test := range []struct {
		name   string
		resume func(*stored) bridge.Resume
		want   []string
	}{
		{"all", func(s *stored) bridge.Resume { return through(s, all, 25) }, slices.Concat([]string{"open@0"}, span(1, 25), []string{"synced {}@25"})},
		{"after the newest that has arrived", func(s *stored) bridge.Resume { return through(s, s.after(20), 25) }, slices.Concat([]string{"open@20"}, span(21, 25), []string{"synced {}@25"})},
		{"after what has not arrived", func(s *stored) bridge.Resume { return through(s, s.after(23), 25) }, slices.Concat([]string{"open@23"}, span(24, 25), []string{"synced {}@25"})},
		{"after what is in memory", func(s *stored) bridge.Resume { return through(s, s.after(18), 25) }, slices.Concat([]string{"open@18"}, span(19, 25), []string{"synced {}@25"})},
		{"since a time after what has arrived", func(s *stored) bridge.Resume {
			return through(s, bridge.Resume{Since: bridge.Since{Kind: bridge.SinceTime, Time: time.Unix(1_000_023, 0)}}, 25)
		}, slices.Concat([]string{"open@22"}, span(23, 25), []string{"synced {}@25"})},
		{"new", func(s *stored) bridge.Resume { return through(s, bridge.Resume{}, 25) }, []string{"open@25", "synced {}@25"}},
		{"up to what has not arrived", func(s *stored) bridge.Resume { return through(s, until(4, s.at(22)), 25) }, slices.Concat([]string{"open@18"}, span(19, 22), []string{"synced {}@22"})},
		{"up to what has not arrived, all removed", func(s *stored) bridge.Resume {
			s.stream.purge(25)
			return through(s, until(4, s.at(22)), 25)
		}, []string{"open@22", "synced {}@22"}},
		{"no further than it has to", func(s *stored) bridge.Resume { return through(s, s.after(19), 22) }, slices.Concat([]string{"open@19"}, span(20, 22), []string{"synced {}@22"})},
		{"what has arrived", func(s *stored) bridge.Resume { return through(s, s.after(19), 20) }, []string{"open@19", "m20@20", "synced {}@20"}},
		{"the end of another log", func(s *stored) bridge.Resume {
			r := through(s, s.after(19), 20)
			r.Through[0].Epoch = "another"
			return r
		}, []string{"open@19", "m20@20", "synced {}@20"}},
	} {
		for _, arrives := range []bool{false, true} {
			t.Run(fmt.Sprint(test.name, ", arrives: ", arrives), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newStored(t, 3, 20)
					s.store(5)
					reader := read(t, s.hub, test.resume(s), "chat.room1")
					defer reader.Close()
					got := words(t, reader.Next(nil, 1, bridge.NewSignal())...)
					if arrives {
						s.log.deliver(23, s.feed)
					}
					got = append(got, s.all(t, reader)...)
					if end := slices.Index(got, test.want[len(test.want)-1]); end >= 0 {
						got = got[:end+1] // where a poll ends
					}
					if !slices.Equal(got, test.want) || !reader.Done() {
						t.Errorf("done %t with %q, want %q", reader.Done(), got, test.want)
					}
				})
			})
		}
	}
}

// Where a poll ends at a message of another subject, its last id has that message's time too: if the stream is restored from a backup, the client is
// told, although the stream has grown beyond the id again. The message may not have arrived here, or the feed may have begun after it.
func TestEndOfAReplayHasATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStored(t, 3, 20)
		s.stream.publish("chat.room2", "another", time.Unix(2_000_000, 0))
		hub, source := newHub(t, bridge.DefaultMemory)
		through := bridge.Resume{After: bridge.ID{s.at(20)}, Sync: true, Through: bridge.ID{s.at(21)}}
		begun := bridge.Resume{After: bridge.ID{s.at(20)}, Sync: true}
		readers := []*bridge.Reader{read(t, s.hub, through, "chat.room1"), read(t, hub, begun, "chat.room1")}
		source.feed(t).Begin([]bridge.Part{s.stream.tap().part("chat.room1")})
		for i, reader := range readers {
			last := ""
			for _, e := range events(t, soon(t, reader)...) {
				last = e.ID
			}
			if want := s.at(21).String(); last != want {
				t.Errorf("reader %d ends at %s, not at %s", i, last, want)
			}
		}
	})
}

// A reader that goes on after its replay has each message once: what it was ahead of is not repeated when it arrives.
func TestReaderGoesOnAfterWhatHadNotArrived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStored(t, 3, 20)
		s.store(5)
		reader := read(t, s.hub, bridge.Resume{Since: bridge.Since{Kind: bridge.SinceAll}, Through: bridge.ID{s.at(25)}}, "chat.room1")
		defer reader.Close()
		want := slices.Concat([]string{"open@0"}, span(1, 25), []string{"synced {}@25"})
		if got := s.all(t, reader); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		s.log.deliver(25, s.feed)
		s.publish(2)
		if got, want := s.all(t, reader), span(26, 27); !slices.Equal(got, want) {
			t.Errorf("then %q, want %q", got, want)
		}
	})
}
