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

func TestHerdIsReadOnce(t *testing.T) {
	for name, at := range map[string]func(i int) int{
		"at one position":                func(int) int { return 5 },
		"over the last thousand":         func(i int) int { return 1 + i%1000 },
		"over the last thousand, anyhow": func(i int) int { return 1 + (500+i*617)%1000 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStored(t, 3, 1003)
				resumes := make([]bridge.Resume, 5000)
				for i := range resumes {
					resumes[i] = s.after(uint64(at(i)))
				}
				herd(t, s, resumes)
				if pages, others := s.stream.count("Page"), s.stream.count("Stored"); pages != 1 || others != 0 {
					t.Errorf("%d readers cost %d pages and %d lookups", len(resumes), pages, others)
				}
			})
		})
	}
}

// What was asked for while the page with it was being read is not read again.
func TestLatecomersCostNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStored(t, 1, 41)
		s.stream.pageSize = 10
		first := read(t, s.hub, s.after(5), "chat.room1")
		letGo := s.stream.block()
		bridgetest.Next(first, nil, 1)
		pass(time.Second)
		late := read(t, s.hub, s.after(5), "chat.room1")
		bridgetest.Next(late, nil, 1)
		letGo()
		synctest.Wait()
		want := append([]string{"open@5"}, span(6, 41)...)
		for _, reader := range []*bridge.Reader{first, late} {
			if got := s.all(t, reader); !slices.Equal(got, want) {
				t.Errorf("the reader has %q", got)
			}
		}
		if got := s.stream.count("Page"); got != 4 { // 5–14, 15–24, 25–34, 35–40
			t.Errorf("36 messages in pages of 10 are read in %d pages", got)
		}
	})
}

// Readers far behind do not delay others.
func TestSlowReplayStarvesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStored(t, 1, 2000)
		s.stream.pageSize = 10
		s.stream.delay = time.Millisecond
		for i := range uint64(5) {
			walker := read(t, s.hub, s.after(1+200*i), "chat.room1")
			go func() {
				for got := uint64(0); got < 1999-200*i; {
					batch, wait := bridgetest.Next(walker, nil, 1<<20)
					if got += uint64(len(batch)); wait != nil {
						<-wait
					}
				}
			}()
		}
		pass(50 * time.Millisecond)
		reader := read(t, s.hub, s.after(1995), "chat.room1")
		before := s.stream.count("Page")
		for batch, wait := bridgetest.Next(reader, nil, 1<<20); len(batch) == 0; batch, wait = bridgetest.Next(reader, nil, 1<<20) {
			<-wait
		}
		if got := s.stream.count("Page") - before; got > 15 {
			t.Errorf("%d pages were read before that of a reader which needs but one", got)
		}
		pass(time.Minute)
	})
}

func TestReadsAreTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStored(t, 1, 9)
		s.stream.fail(true)
		readers := []*bridge.Reader{
			read(t, s.hub, s.after(5), "chat.room1"),
			read(t, s.hub, bridge.Resume{Since: bridge.Since{Kind: bridge.SinceLast}}, "chat.room1"),
			read(t, s.hub, bridge.Resume{Since: bridge.Since{Kind: bridge.SinceTime, Time: time.Unix(0, s.at(7).Time)}}, "chat.room1"),
		}
		started := time.Now()
		for time.Since(started) < 10*time.Second {
			for _, reader := range readers {
				if batch, wait := bridgetest.Next(reader, nil, 1); len(batch) > 0 || wait == nil {
					t.Fatalf("out of nothing come %q", batch)
				}
			}
			pass(100 * time.Millisecond)
		}
		calls := s.stream.count("Page") + s.stream.count("Newest") + s.stream.count("Since")
		if calls < 15 || calls > 33 {
			t.Errorf("in ten seconds three reads that fail are tried %d times", calls)
		}
		s.stream.fail(false)
		pass(time.Second)
		for i, want := range [][]string{
			append([]string{"open@5"}, span(6, 9)...), {"open@8", "m9@9", "synced {}@9"}, {"open@6", "m7@7", "m8@8", "m9@9", "synced {}@9"},
		} {
			if got := s.all(t, readers[i]); !slices.Equal(got, want) {
				t.Errorf("reader %d has %q, want %q", i, got, want)
			}
		}
		if got := s.hub.Stats(); got.ReplayErrors != uint64(calls) || got.ReplayPages == 0 || got.ReplayMessages == 0 {
			t.Errorf("the hub counts %+v", got)
		}
	})
}

// Pages are kept in limited memory, the longest unused is dropped first, and a feed's pages are dropped with it.
func TestPagesAreBounded(t *testing.T) {
	if raceDetector {
		t.Skip("it encodes 200 MiB, which the race detector makes slow, and tests no race")
	}
	synctest.Test(t, func(t *testing.T) {
		source := &fakeSource{}
		hub := bridge.NewHub(source, time.Second, bridge.Memory{Frames: 1, Bytes: 1 << 30, Pages: 64 << 20})
		defer hub.Close()
		stream := newStream("BIG", time.Unix(1, 0))
		stream.pageSize = 10
		large := strings.Repeat("a", 1<<20)
		for i := range 101 {
			stream.publish("big", large, time.Unix(int64(i+2), 0))
		}
		log := stream.tap()
		reader := read(t, hub, bridge.Resume{Since: bridge.Since{Kind: bridge.SinceAll}}, "big")
		source.feed(t).Begin([]bridge.Part{log.part("big")})
		base := heap()
		walk := func(reader *bridge.Reader) {
			for got := 0; got < 101; {
				batch, wait := bridgetest.Next(reader, nil, 1)
				if len(batch) > 0 && len(batch[0]) > len(large) {
					got++
				}
				if wait != nil {
					pass(10 * time.Millisecond)
				}
			}
		}
		walk(reader)
		if used := heap() - base; used > 80<<20 || used < 30<<20 {
			t.Errorf("of 101 MiB that were read %d MiB are kept", used>>20)
		}
		pages := stream.count("Page")
		again := read(t, hub, bridge.Resume{Since: bridge.Since{Kind: bridge.SinceAll}}, "big")
		walk(again)
		if got := stream.count("Page") - pages; got < 5 || got > 13 {
			t.Errorf("a second reader costs %d pages more", got)
		}
		reader.Close()
		again.Close()
		pass(2 * time.Second)
		expectFeeds(t, source, 1, 1)
		if used := heap() - base; used > 10<<20 {
			t.Errorf("without the feed %d MiB are kept", used>>20)
		}
	})
}

// A lagging reader costs only a cursor.
func TestLaggingReaderIsSmall(t *testing.T) {
	const readers = 10_000
	synctest.Test(t, func(t *testing.T) {
		s := newStored(t, 3, 100)
		resume := s.after(1)
		all := make([]*bridge.Reader, readers)
		base := heap()
		for i := range all {
			all[i], _ = s.hub.Read([]bridge.Subject{"chat.room1"}, bridge.Framing{}, bridge.Resume{After: slices.Clone(resume.After)})
		}
		var batch [][]byte
		for _, reader := range all {
			for {
				var wait <-chan struct{}
				if batch, wait = bridgetest.Next(reader, batch[:0], 1); wait == nil {
					break
				}
				<-wait
			}
			batch, _ = bridgetest.Next(reader, batch[:0], 1)
		}
		s.publish(1000) // the next page is not here
		if each := (heap() - base) / readers; each > 1024 {
			t.Errorf("a lagging reader takes %d bytes", each)
		}
		for _, reader := range all {
			reader.Close()
		}
	})
}

// A reader that has had the history it asked for costs no more than one that asked for none.
func TestSyncedReaderIsSmall(t *testing.T) {
	const readers = 5000
	s := newStored(t, 100, 20)
	cost := func(resume func() bridge.Resume) int64 {
		all := make([]*bridge.Reader, readers)
		base := heap()
		for i := range all {
			all[i] = read(t, s.hub, resume(), "chat.room1")
			for !all[i].Synced() {
				bridgetest.Next(all[i], nil, 1<<20)
			}
		}
		each := (heap() - base) / readers
		for _, reader := range all {
			reader.Close()
		}
		return each
	}
	plain := cost(func() bridge.Resume { return bridge.Resume{} })
	replayed := cost(func() bridge.Resume {
		return bridge.Resume{Since: bridge.Since{Kind: bridge.SinceAll}, Sync: true, Through: bridge.ID{s.at(20)}}
	})
	if replayed > plain+64 {
		t.Errorf("a reader takes %d bytes, and one that was given history %d", plain, replayed)
	}
}

// asking returns what readers wait for, of each kind of read that an opening may need.
func (s *stored) asking(t *testing.T) (waits []<-chan struct{}) {
	t.Helper()
	for _, resume := range []bridge.Resume{
		s.after(5), s.after(20),
		{After: bridge.ID{{Epoch: s.stream.epoch, Seq: 60}}},
		{Since: bridge.Since{Kind: bridge.SinceLast}},
		{Since: bridge.Since{Kind: bridge.SinceTime, Time: time.Unix(1_000_007, 0)}},
	} {
		_, wait := bridgetest.Next(read(t, s.hub, resume, "chat.room1"), nil, 1)
		waits = append(waits, wait)
		pass(100 * time.Millisecond)
	}
	return waits
}

func TestCloseEndsReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStored(t, 1, 50)
		letGo := s.stream.block()
		s.asking(t)
		for _, method := range []string{"Page", "Stored", "Newest", "Since"} {
			if s.stream.count(method) == 0 {
				t.Errorf("no read of the kind %s is under way", method)
			}
		}
		started, closed := time.Now(), make(chan time.Duration, 1)
		go func() {
			s.hub.Close()
			closed <- time.Since(started)
		}()
		select {
		case took := <-closed:
			if took > 0 {
				t.Errorf("closing took %v", took)
			}
		case <-time.After(time.Hour):
			t.Error("a read does not end when the hub is closed")
		}
		letGo()
		pass(time.Hour)
	})
}

// Deleted messages are not delivered from old pages.
func TestPagesAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStored(t, 1, 41)
		s.stream.pageSize = 10
		s.all(t, read(t, s.hub, s.after(5), "chat.room1"))
		s.stream.delete(20)
		pass(time.Minute)
		want := slices.Concat([]string{"open@5"}, span(6, 19), span(21, 41))
		if got := s.all(t, read(t, s.hub, s.after(5), "chat.room1")); !slices.Equal(got, want) {
			t.Errorf("it gets %q", got)
		}
	})
}

// A stream that does not answer cannot use all workers: readers of another stream are served at once.
func TestNoStreamHasAllWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, source := newHub(t, bridge.Memory{Frames: 1, Bytes: 1 << 30})
		var letGo []func()
		for i := range 3 {
			silent := newStream(fmt.Sprint("SILENT", i), time.Unix(1, 0))
			silent.publish("silent.x", "x", time.Unix(2, 0))
			letGo = append(letGo, silent.block())
			log := silent.tap()
			for j := range 20 {
				subject := bridge.Subject(fmt.Sprint("silent.", i, ".", j))
				reader := read(t, hub, bridge.Resume{Since: bridge.Since{Kind: bridge.SinceAll}}, subject)
				source.feed(t).Begin([]bridge.Part{{Subjects: []bridge.Subject{subject}, At: bridge.Position{Epoch: silent.epoch, Seq: 5}, Log: log}})
				bridgetest.Next(reader, nil, 1)
			}
		}
		pass(time.Second)
		other := newStream("OTHER", time.Unix(1, 0))
		other.publish("other.x", "x", time.Unix(2, 0))
		reader := read(t, hub, bridge.Resume{Since: bridge.Since{Kind: bridge.SinceAll}}, "other.x")
		log := other.tap()
		source.feed(t).Begin([]bridge.Part{{Subjects: []bridge.Subject{"other.x"}, At: bridge.Position{Epoch: other.epoch, Seq: 1}, Log: log}})
		bridgetest.Next(reader, nil, 1)
		pass(100 * time.Millisecond)
		if batch, _ := bridgetest.Next(reader, nil, 1<<20); len(batch) == 0 {
			t.Error("nothing came of a stream that answers")
		}
		for _, let := range letGo {
			let()
		}
		hub.Close()
	})
}

// After a hub is closed, none of its delayed work happens.
func TestNothingHappensAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStored(t, 1, 50)
		s.stream.fail(true)
		waits := s.asking(t) // all have failed, and are to be tried again
		s.hub.Close()
		pass(time.Minute)
		for i, wait := range waits {
			if isClosed(wait) {
				t.Errorf("reader %d was woken", i)
			}
		}
	})
}

// The end of a feed wakes readers that wait for its log, which may never answer.
func TestEndOfAFeedWakesReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStored(t, 1, 50)
		letGo := s.stream.block()
		defer letGo()
		waits := s.asking(t)
		s.feed.End()
		for i, wait := range waits {
			if pass(time.Millisecond); !isClosed(wait) {
				t.Errorf("reader %d is not woken", i)
			}
		}
	})
}

// A read that has waited for its turn reaches as far as the feed's memory has come by then: a reader that was one message behind
// when it asked, and is fifty behind now, needs no second turn.
func TestAReadReachesWhereTheFeedIsNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStored(t, 3, 10)
		reader := read(t, s.hub, bridge.Resume{After: bridge.ID{s.at(6)}}, "chat.room1")
		_, wait := bridgetest.Next(reader, nil, 1<<20)
		if wait == nil {
			t.Fatal("the reader does not wait for a page")
		}
		s.publish(50)
		<-wait
		want := append([]string{"open@6"}, span(7, 60)...)
		if got := s.all(t, reader); !slices.Equal(got, want) {
			t.Errorf("the reader has %q, want %q", got, want)
		}
		if got := s.stream.count("Page"); got != 1 {
			t.Errorf("it cost %d pages", got)
		}
	})
}
