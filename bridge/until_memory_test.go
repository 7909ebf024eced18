package bridge_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// A poll up to a position ends there, also if the feed's memory has moved past that position while it was read.
func TestUntilEndsWhereMemoryHasMovedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStored(t, 3, 20)
		reader := read(t, s.hub, until(4, s.at(18)), "chat.room1")
		var got []string
		take := func(most int) bool {
			batch, wait := bridgetest.Next(reader, nil, most)
			for _, e := range events(t, batch...) {
				got = append(got, plain(sketch(e)))
			}
			return wait == nil
		}
		for !take(1) {
			pass(20 * time.Millisecond)
		}
		s.publish(10) // now memory holds 28, 29 and 30
		for range 20 {
			for take(1 << 20) {
			}
			pass(20 * time.Millisecond)
			if reader.Done() {
				break
			}
		}
		want := slices.Concat([]string{"open@14"}, span(15, 18), []string{"synced {}@18"})
		if !slices.Equal(got, want) || !reader.Done() {
			t.Errorf("done %t with %q, want %q", reader.Done(), got, want)
		}
	})
}
