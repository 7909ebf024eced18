package bridge_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// expectFeeds fails unless so many feeds were attached and detached since the source began.
func expectFeeds(t *testing.T, source *fakeSource, attached, detached int) {
	t.Helper()
	in, out := source.attachments()
	if len(in) != attached || len(out) != detached {
		t.Fatalf("%d feeds were attached and %d detached, want %d and %d", len(in), len(out), attached, detached)
	}
}

func TestReadersShareAFeed(t *testing.T) {
	hub, source := newHub(t, bridge.DefaultMemory)
	read(t, hub, bridge.Resume{}, "a", "b.*")
	for _, same := range [][]bridge.Subject{{"a", "b.*"}, {"b.*", "a"}, {"a", "a", "b.*"}, {"b.c", "b.*", "a", "b.d"}} {
		read(t, hub, after(1), same...)
		expectFeeds(t, source, 1, 0)
	}
	for i, other := range [][]bridge.Subject{{"a"}, {"b.*"}, {"a", "b.c"}, {"a", "b.>"}, {"a", "b.*", "c"}, {"a", "b"}, {"a.b"}} {
		read(t, hub, bridge.Resume{}, other...)
		expectFeeds(t, source, i+2, 0)
	}
	readIn(t, hub, bridge.Framing{Format: bridge.JSON}, bridge.Resume{}, "a")
	readIn(t, hub, bridge.Framing{SubjectEvents: true}, bridge.Resume{}, "a")
	expectFeeds(t, source, 10, 0)
}

// A feed lingers for the configured time after its last reader.
func TestLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &fakeSource{}
		hub := bridge.NewHub(source, 10*time.Second, bridge.DefaultMemory)
		defer hub.Close()
		one, two := read(t, hub, bridge.Resume{}, "a"), read(t, hub, bridge.Resume{}, "a")
		source.feed(t).Begin(unstored(at(0)))
		source.feed(t).Append(message(1))
		one.Close()
		one.Close()
		time.Sleep(time.Minute)
		expectFeeds(t, source, 1, 0)

		two.Close()
		pass(10*time.Second - time.Nanosecond)
		expectFeeds(t, source, 1, 0)
		three := read(t, hub, after(0), "a") // the timer of two is stopped
		expect(t, three, "open@0", "m1@1")
		pass(5 * time.Second)
		three.Close()
		pass(10*time.Second - time.Nanosecond)
		expectFeeds(t, source, 1, 0)
		if got := hub.Stats().Feeds; got != 1 {
			t.Errorf("%d feeds are counted, want the one that lingers", got)
		}
		pass(time.Nanosecond)
		expectFeeds(t, source, 1, 1)
		if got := hub.Stats().Feeds; got != 0 {
			t.Errorf("%d feeds are counted, want none", got)
		}

		read(t, hub, after(1), "a")
		expectFeeds(t, source, 2, 1)
		if in, out := source.attachments(); in[0] != out[0] || in[1] == in[0] {
			t.Error("the feed that was detached is not the first, or was attached again")
		}
	})
}

func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// A reader that arrives just when the wait ends may or may not find the feed. A feed that it has found stays open, and lingers as usual
// afterwards.
func TestLingerIsNotCutShort(t *testing.T) {
	kept := 0
	for range 300 {
		synctest.Test(t, func(t *testing.T) {
			source := &fakeSource{}
			hub := bridge.NewHub(source, time.Second, bridge.DefaultMemory)
			defer hub.Close()
			arrival := time.NewTimer(time.Second)
			read(t, hub, bridge.Resume{}, "a").Close()
			<-arrival.C
			read(t, hub, bridge.Resume{}, "a").Close()
			synctest.Wait()
			in, out := source.attachments()
			if len(in)-len(out) != 1 {
				t.Fatalf("%d feeds were attached and %d detached, while one should linger", len(in), len(out))
			}
			if len(in) == 1 {
				kept++
			}
			pass(time.Second - time.Nanosecond)
			expectFeeds(t, source, len(in), len(in)-1)
			pass(time.Nanosecond)
			expectFeeds(t, source, len(in), len(in))
		})
	}
	t.Logf("in %d of 300 runs the reader has found the feed", kept)
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &fakeSource{}
		hub := bridge.NewHub(source, time.Minute, bridge.DefaultMemory)
		open := read(t, hub, bridge.Resume{}, "a")
		read(t, hub, bridge.Resume{}, "b").Close() // lingers
		hub.Close()
		expectFeeds(t, source, 2, 2)
		hub.Close()
		if reader, err := hub.Read([]bridge.Subject{"a"}, bridge.Framing{}, bridge.Resume{}); !errors.Is(err, bridge.ErrClosed) || reader != nil {
			t.Errorf("Read of a closed hub gives %v, %v", reader, err)
		}
		open.Close()
		pass(time.Hour)
		expectFeeds(t, source, 2, 2)
		if got := hub.Stats(); got.Feeds != 0 || got.Readers != 0 {
			t.Errorf("a closed hub counts %+v", got)
		}
	})
}

// A feed that has ended is detached when its last reader has left it, or when the hub is closed. Until then its readers are counted.
func TestEndedFeedIsDetached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, source := newHub(t, bridge.DefaultMemory)
		reader := read(t, hub, bridge.Resume{}, "a")
		ended := source.feed(t)
		ended.Begin(unstored(at(0)))
		expect(t, reader, "open@0")
		fork := reader.Fork()
		defer fork.Close()
		ended.End()
		if batch := fork.Next(nil, 1<<20, bridge.NewSignal()); len(batch) > 0 || !fork.HasEnded() {
			t.Errorf("a fork is given %q, ended %t", batch, fork.HasEnded())
		}
		if readers := hub.Stats().Readers; readers != 1 {
			t.Errorf("%d readers", readers)
		}
		synctest.Wait()
		expectFeeds(t, source, 1, 0)
		frames(t, reader)
		synctest.Wait()
		expectFeeds(t, source, 2, 1)
		if _, out := source.attachments(); out[0] != ended {
			t.Error("another feed was detached")
		}
		source.feed(t).End()
		hub.Close()
		expectFeeds(t, source, 2, 2)
	})
}

// Connections that are opened and cut leave a limited number of subjects behind; the oldest are closed first.
func TestLingeringIsBounded(t *testing.T) {
	synctest.Test(t, testLingeringIsBounded)
}

func testLingeringIsBounded(t *testing.T) {
	source := &fakeSource{}
	hub := bridge.NewHub(source, time.Hour, bridge.DefaultMemory)
	defer hub.Close()
	const each, most = 32, 1 << 14
	for i := range 2 * most / each {
		subjects := make([]bridge.Subject, each)
		for j := range subjects {
			subjects[j] = bridge.Subject(fmt.Sprintf("a.%d.%d", i, j))
		}
		reader, err := hub.Read(subjects, bridge.Framing{}, bridge.Resume{})
		if err != nil {
			t.Fatal(err)
		}
		reader.Close()
	}
	synctest.Wait()
	if feeds := hub.Stats().Feeds; feeds != most/each {
		t.Errorf("%d feeds linger", feeds)
	}
	if attached, detached := source.attachments(); len(detached) != most/each || !slices.Contains(detached, attached[0]) || slices.Contains(detached, attached[len(attached)-1]) {
		t.Errorf("%d were attached, %d detached", len(attached), len(detached))
	}
}

// slowSource takes until it is let go for a call, and says when one has begun.
type slowSource struct {
	fakeSource
	begun, letGo chan struct{}
}

func (s *slowSource) wait() {
	s.begun <- struct{}{}
	<-s.letGo
}

func (s *slowSource) Attach(f *bridge.Feed) {
	s.wait()
	s.fakeSource.Attach(f)
}

func (s *slowSource) Detach(f *bridge.Feed) {
	s.wait()
	s.fakeSource.Detach(f)
}

// After the hub is closed, its source is closed: no call into the source may be running, or start later.
func TestCloseWaitsForCallsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &slowSource{begun: make(chan struct{}), letGo: make(chan struct{})}
		hub := bridge.NewHub(source, time.Minute, bridge.DefaultMemory)
		closed := false
		go func() {
			reader, err := hub.Read([]bridge.Subject{"chat.expiring"}, bridge.Framing{}, bridge.Resume{})
			if err == nil {
				reader.Close()
			}
		}()
		<-source.begun
		source.letGo <- struct{}{}
		<-source.begun // the feed expires
		go func() { _, _ = hub.Read([]bridge.Subject{"chat.opening"}, bridge.Framing{}, bridge.Resume{}) }()
		<-source.begun
		go func() {
			hub.Close()
			closed = true
		}()
		synctest.Wait()
		if closed {
			t.Error("Close returned while the source was being called")
		}
		close(source.letGo)
		<-source.begun // Close detaches the feed that was opening
		synctest.Wait()
		attached, detached := source.attachments()
		if !closed || len(attached) != 2 || len(detached) != 2 || detached[1] != attached[1] {
			t.Errorf("closed %v, %d attached, %d detached", closed, len(attached), len(detached))
		}
	})
}

func TestStats(t *testing.T) {
	hub, source := newHub(t, bridge.Memory{Frames: 1})
	foreign := bridge.Position{Epoch: "e2"}
	read(t, hub, bridge.Resume{}, "b")
	late := read(t, hub, bridge.Resume{}, "a")
	feed := source.feed(t)
	feed.Begin(unstored(at(5)))
	for _, resume := range []bridge.Resume{{Malformed: true}, {After: bridge.ID{foreign}}, {After: bridge.ID{foreign}}, after(1), after(2), after(3), {}} {
		frames(t, read(t, hub, resume, "a"))
	}
	frames(t, late)
	feed.Append(message(6))
	feed.Append(message(7))
	feed.Append(message(8))
	frames(t, late) // an overrun
	feed.Lost(at(9), bridge.GapOverrun)
	feed.Begin(unstored(at(10)))

	got := hub.Stats()
	gaps := map[string]uint64{bridge.GapRetention: 3, bridge.GapOverrun: 2, bridge.GapDisconnected: 1}
	resets := map[string]uint64{bridge.ResetMalformed: 1, bridge.ResetUnknown: 2, bridge.ResetRecreated: 0, bridge.ResetRolled: 0}
	if got.Feeds != 2 || got.Readers != 9 || !maps.Equal(got.Gaps, gaps) || !maps.Equal(got.Resets, resets) {
		t.Errorf("the hub counts %+v", got)
	}
	late.Close()
	if got := hub.Stats().Readers; got != 8 {
		t.Errorf("%d readers are counted after one was closed, want 8", got)
	}
}

// Readers open and close concurrently, from many goroutines; at the end everything is detached.
func TestHubUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &fakeSource{}
		hub := bridge.NewHub(source, time.Millisecond, bridge.DefaultMemory)
		for worker := range 16 {
			go func() {
				for i := range 100 {
					reader, err := hub.Read([]bridge.Subject{bridge.Subject(fmt.Sprintf("s%d", (worker+i)%5))}, bridge.Framing{}, bridge.Resume{})
					if err != nil {
						t.Error(err)
						return
					}
					time.Sleep(time.Duration(i%4) * time.Millisecond)
					reader.Close()
				}
			}()
		}
		pass(time.Minute)
		in, out := source.attachments()
		left := map[*bridge.Feed]int{}
		for _, feed := range in {
			left[feed]++
		}
		for _, feed := range out {
			left[feed]--
		}
		for feed, n := range left {
			if n != 0 {
				t.Errorf("a feed of %q was attached %d times more than detached", feed.Subjects(), n)
			}
		}
		if got := hub.Stats(); got.Feeds != 0 || got.Readers != 0 || len(in) < 5 {
			t.Errorf("in the end the hub counts %+v, after %d feeds", got, len(in))
		}
	})
}
