package presence_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tailwater/tailwater/bridge/presence"
)

// TestLargeRoomThatShrinks: members who were not among the newest 200 are named again when there is room for them.
func TestLargeRoomThatShrinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket()
		one, two := open(t, b), open(t, b)
		for i := range 100 {
			one.join("chat.a", fmt.Sprint("old", i))
		}
		time.Sleep(settle)
		var leaves []func()
		for i := range 150 {
			leaves = append(leaves, two.join("chat.a", fmt.Sprint("new", i)))
		}
		time.Sleep(time.Minute)
		if s := b.state("chat.a"); s.Count != 250 || len(s.Members) != presence.MaxNames {
			t.Errorf("of 250 members: %d named, count %d", len(s.Members), s.Count)
		}
		for _, leave := range leaves {
			leave()
		}
		time.Sleep(time.Minute)
		if s := b.state("chat.a"); s.Count != 100 || len(s.Members) != 100 {
			t.Errorf("of 100 members that are left: %d named, count %d", len(s.Members), s.Count)
		}
		if told := strings.Join(b.events(), ", "); strings.Count(told, "join old") != 100 {
			t.Errorf("%d joins of 100 members were told", strings.Count(told, "join old"))
		}
	})
}

// TestSweepHoldsUpNoLease: a bridge that reads a slow bucket of many subjects renews its lease meanwhile.
func TestSweepHoldsUpNoLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket()
		one, two, three := open(t, b), open(t, b), open(t, b)
		one.join("chat.a", "Ada")
		two.join("chat.a", "Ben")
		two.link.slowValues(50 * time.Second)
		three.link.slowValues(time.Hour)
		time.Sleep(time.Minute)
		one.kill()
		time.Sleep(90 * time.Second)
		expect(t, b, "chat.a", "Ben")
		if got := strings.Join(b.events(), ", "); strings.Contains(got, "leave Ben") {
			t.Errorf("told: %s", got)
		}
	})
}

// TestManyRoomsAreWrittenInTurn: if very many rooms change at once, they are written one after another, without pauses.
func TestManyRoomsAreWrittenInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rooms, atOnce, latency = 1600, 16, 10 * time.Millisecond
		b := newBucket()
		one := open(t, b)
		time.Sleep(settle)
		one.link.slow(latency)
		for i := range rooms {
			one.join(fmt.Sprint("chat.", i), "Ada")
		}
		time.Sleep(rooms / atOnce * 3 * latency) // each is read and written
		if n := len(b.told()); n != rooms {
			t.Errorf("%d of %d rooms are written", n, rooms)
		}
	})
}
