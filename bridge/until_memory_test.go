package bridge_test

import (
	"slices"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// If the feed's memory moves past the end of a replay while that is read, a poll ends where it has to, and a connection continues there: what is
// between the end and the memory is read, too.
func TestReplayEndsWhereMemoryHasMovedOn(t *testing.T) {
	for name, test := range map[string]struct {
		resume func(*stored) bridge.Resume
		want   []string
	}{
		"a poll": {
			func(s *stored) bridge.Resume { return until(4, s.at(18)) },
			slices.Concat([]string{"open@14"}, span(15, 18), []string{"synced {}@18"}),
		},
		"a connection": {
			func(*stored) bridge.Resume { return bridge.Resume{Since: bridge.Since{Kind: bridge.SinceAll}} },
			slices.Concat([]string{"open@0"}, span(1, 20), []string{"synced {}@20"}, span(21, 30)),
		},
	} {
		inBubble(t, name, func(t *testing.T) {
			s := newStored(t, 3, 20)
			reader := read(t, s.hub, test.resume(s), "chat.room1")
			var got []string
			for len(got) == 0 {
				batch, _ := bridgetest.Next(reader, nil, 1)
				got = append(got, words(t, batch...)...)
				pass(20 * time.Millisecond)
			}
			s.publish(10) // now memory holds 28, 29 and 30
			if got = append(got, s.all(t, reader)...); !slices.Equal(got, test.want) || !reader.Done() {
				t.Errorf("done %t with %q, want %q", reader.Done(), got, test.want)
			}
		})
	}
}
