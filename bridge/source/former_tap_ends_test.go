package source_test

import (
	"runtime/pprof"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge"
)

// If a stream is made anew, its former tap ends: it would ask for its stream again and again.
func TestFormerTapEnds(t *testing.T) { // not parallel: it counts goroutines of the process
	dial, js, _ := embeddedChats(t, nil)
	b := newFixture(t, dial, quiet)
	c := b.read(t, "chat.a").wantOpen()
	store(t, js, "chat.a", "first")
	c.wantData("first")
	for range 3 {
		deleteStream(t, js, "CHATS")
		createStream(t, js, chats)
		store(t, js, "chat.a", "again")
		for isMessage := false; !isMessage; {
			event := c.next()
			isMessage = event.Type != bridge.EventReset && event.Type != bridge.EventGap
		}
	}
	eventually(t, "one tap runs", func() bool { return runningTaps() == 1 })
}

// runningTaps returns how many goroutines keep a tap.
func runningTaps() int {
	var all strings.Builder
	_ = pprof.Lookup("goroutine").WriteTo(&all, 2)
	return strings.Count(all.String(), "source.(*tap).run(")
}
