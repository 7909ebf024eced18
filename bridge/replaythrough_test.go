package bridge_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

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
