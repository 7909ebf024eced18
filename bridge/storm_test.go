package bridge_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// far is how long a lookup in the store of these tests takes.
const far = 20 * time.Millisecond

// since asks for what was stored from a second on.
func since(second int64, account bridge.Account) bridge.Resume {
	return bridge.Resume{Since: bridge.Since{Kind: bridge.SinceTime, Time: time.Unix(second, 0)}, Account: account}
}

// opened waits for the first event of a reader, and returns how long that took.
func opened(t *testing.T, reader *bridge.Reader) time.Duration {
	t.Helper()
	begun := time.Now()
	for time.Since(begun) < time.Minute {
		batch, wait := bridgetest.Next(reader, nil, 1)
		if len(batch) > 0 {
			return time.Since(begun)
		}
		select {
		case <-wait:
		case <-time.After(time.Minute):
		}
	}
	t.Fatal("the reader has no opening")
	return 0
}

// Of thousands of lookups, those that are abandoned at once are not asked, and the others delay no other account.
func TestStormOfLookups(t *testing.T) {
	for name, stays := range map[string]bool{"closed at once": false, "left open": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStored(t, 3, 2000)
				s.stream.delay = far
				for i := range int64(3000) {
					reader := read(t, s.hub, since(1_000_001+i%1990, 1), "chat.room1")
					bridgetest.Next(reader, nil, 1)
					if !stays {
						reader.Close()
					}
				}
				if took := opened(t, read(t, s.hub, since(1_000_500, 2), "chat.room1")); took > 10*far {
					t.Errorf("somebody else has waited for %v", took)
				}
				if asked := s.stream.count("Since"); !stays && asked > 50 {
					t.Errorf("%d lookups were made for those who had gone", asked)
				}
				if kept := s.hub.Lookups(); !stays && kept > 50 {
					t.Errorf("%d lookups are remembered", kept)
				}
				pass(2 * time.Minute)
				if kept := s.hub.Lookups(); kept != 0 {
					t.Errorf("%d lookups are remembered in the end", kept)
				}
			})
		})
	}
}

// Readers of one account anywhere in a feed do not delay another account in it.
func TestStormOfPositions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStored(t, 3, 4000)
		s.stream.pageSize, s.stream.delay = 10, far
		for i := range uint64(100) {
			walker := read(t, s.hub, bridge.Resume{After: s.after(1 + 39*i).After, Account: 1}, "chat.room1")
			bridgetest.Next(walker, nil, 1)
		}
		pass(time.Second)
		if took := opened(t, read(t, s.hub, bridge.Resume{After: s.after(3000).After, Account: 2}, "chat.room1")); took > 10*far {
			t.Errorf("somebody else has waited for %v", took)
		}
	})
}

// An account above its limit is refused; others are not.
func TestReadersAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStored(t, 3, 2000)
		letGo := s.stream.block()
		defer letGo()
		var err error
		count := 0
		for ; err == nil && count < 2*bridge.MostOfOne; count++ {
			var reader *bridge.Reader
			if reader, err = s.hub.Read([]bridge.Subject{"chat.room1"}, bridge.Framing{}, since(int64(1000+count), 1)); err == nil {
				bridgetest.Next(reader, nil, 1)
				defer reader.Close()
			}
		}
		if !errors.Is(err, bridge.ErrBusy) || count < bridge.MostOfOne/2 {
			t.Errorf("reader %d is refused with %v", count, err)
		}
		read(t, s.hub, since(1, 2), "chat.room1")
	})
}

// store tells what is stored, after a while.
type store struct {
	takes time.Duration
	asked []bridge.Subject
	err   error
}

func (s *store) Holder([]bridge.Subject) any { return s }

func (s *store) Extent(ctx context.Context, subjects []bridge.Subject) (bridge.Extent, error) {
	s.asked = append(s.asked, subjects...)
	select {
	case <-time.After(s.takes):
		return bridge.Extent{FirstSeq: 1, LastSeq: uint64(len(s.asked))}, s.err
	case <-ctx.Done():
		return bridge.Extent{}, ctx.Err()
	}
}

func (s *store) End(context.Context, []bridge.Subject) (bridge.ID, error) { return nil, s.err }

// Callers who ask before the store is asked share one answer. Later callers get an answer that includes later messages.
func TestExtentIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, _ := newHub(t, bridge.DefaultMemory)
		s := &store{takes: far}
		extents := make(chan bridge.Extent, 100)
		for i := range 100 {
			go func() {
				extent, err := hub.Extent(t.Context(), s, []bridge.Subject{"chat.a", "chat.b"}, bridge.Account(i%3))
				if err != nil {
					t.Error(err)
				}
				extents <- extent
			}()
			if i == 49 {
				pass(far / 2)
			}
		}
		for range 100 {
			if extent := <-extents; extent.LastSeq != 2 && extent.LastSeq != 4 {
				t.Errorf("one is told %+v", extent)
			}
		}
		if extent, err := hub.Extent(t.Context(), s, []bridge.Subject{"chat.a", "chat.b"}, 1); err != nil || extent.LastSeq != 6 {
			t.Errorf("later: %+v, %v", extent, err)
		}
		s.err = fmt.Errorf("away: %w", bridge.ErrUnavailable)
		if _, err := hub.Extent(t.Context(), s, []bridge.Subject{"chat.c"}, 1); !errors.Is(err, bridge.ErrUnavailable) {
			t.Errorf("%v", err)
		}
	})
}

// holders is a store of which only one holder answers.
type holders struct{}

func (holders) Holder(subjects []bridge.Subject) any {
	first, _, _ := strings.Cut(string(subjects[0]), ".")
	return first
}

func (holders) Extent(ctx context.Context, subjects []bridge.Subject) (extent bridge.Extent, err error) {
	_, err = holders{}.End(ctx, subjects)
	return extent, err
}

func (s holders) End(ctx context.Context, subjects []bridge.Subject) (bridge.ID, error) {
	if s.Holder(subjects) == "dead" {
		<-ctx.Done()
	}
	return nil, ctx.Err()
}

// However many ask what a stream holds that does not answer, whoever asks about another does not wait.
func TestSilentHolderDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, _ := newHub(t, bridge.DefaultMemory)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for i := range 200 {
			go func() {
				_, _ = hub.End(ctx, holders{}, []bridge.Subject{bridge.Subject(fmt.Sprint("dead.", i))}, bridge.Account(i))
			}()
		}
		synctest.Wait()
		for name, ask := range map[string]func() error{
			"end":    func() error { _, err := hub.End(ctx, holders{}, []bridge.Subject{"live.a"}, 1000); return err },
			"extent": func() error { _, err := hub.Extent(ctx, holders{}, []bridge.Subject{"live.a"}, 1000); return err },
		} {
			if begun, err := time.Now(), ask(); err != nil || time.Since(begun) > 0 {
				t.Errorf("%s: %v after %v", name, err, time.Since(begun))
			}
		}
	})
}

// A client that asks what is stored waits as long as it wants to, and no longer than the hub is open.
func TestExtentIsNotAwaitedForEver(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(cancel func(), hub *bridge.Hub)
		want []error
	}{
		{"the client has left", func(cancel func(), _ *bridge.Hub) { cancel() }, []error{bridge.ErrUnavailable, context.Canceled}},
		{"the hub is closed", func(_ func(), hub *bridge.Hub) { hub.Close() }, []error{bridge.ErrClosed}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hub, _ := newHub(t, bridge.DefaultMemory)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				result := make(chan error, 1)
				go func() {
					_, err := hub.Extent(ctx, &store{takes: time.Hour}, []bridge.Subject{"chat.d"}, 1)
					result <- err
				}()
				synctest.Wait()
				begun := time.Now()
				test.end(cancel, hub)
				if took := time.Since(begun); took > 0 {
					t.Errorf("it took %v to end", took)
				}
				select {
				case err := <-result:
					for _, want := range test.want {
						if !errors.Is(err, want) {
							t.Errorf("got %v, want %v", err, want)
						}
					}
				case <-time.After(time.Minute):
					t.Error("a minute later it still waits")
				}
			})
		})
	}
}
