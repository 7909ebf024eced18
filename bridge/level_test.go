package bridge_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// Level readers receive the same, whichever of them is read. A reader that leaves the group continues at the common position.
func TestLevel(t *testing.T) {
	hub, feed, one := begun(t, bridge.DefaultMemory)
	lead := one.Fork()
	defer lead.Close()
	two := read(t, hub, bridge.Resume{}, "chat.room1")
	if two.Level(lead) {
		t.Error("a reader without its opening is level")
	}
	expect(t, two, "open@0")
	if !two.Level(lead) || !one.Level(lead) {
		t.Error("readers that have all are not level")
	}
	feed.Append(message(1))
	if two.Level(lead) {
		t.Error("readers are level, although there is something for them")
	}
	expect(t, lead, "m1@1")
	if two.Level(lead) {
		t.Error("a reader is level with one that has more")
	}
	two.CopyCursor(lead)
	if !two.Level(lead) {
		t.Error("a reader is not level with the one whose cursor it has copied")
	}
	feed.Append(message(2))
	expect(t, two, "m2@2")
	if two.Level(lead) {
		t.Error("a reader is level with one that has less")
	}
	expect(t, lead, "m2@2")
	expect(t, one, "m1@1", "m2@2") // it was never asked
}

// A client that is ahead, because another bridge was, does not receive again what it has.
func TestLevelAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStored(t, 3, 10)
		s.stream.publish("chat.room1", "ahead", time.Unix(1_500_000, 0))
		ahead, level := read(t, s.hub, s.after(11), "chat.room1"), read(t, s.hub, s.after(10), "chat.room1")
		s.all(t, ahead)
		s.all(t, level)
		if ahead.Level(level) {
			t.Error("a reader that is ahead is level with one that is not")
		}
		s.log.deliver(11, s.feed)
		if got := s.all(t, level); !slices.Equal(got, []string{"ahead@11"}) {
			t.Errorf("one gets %q", got)
		}
		if got := s.all(t, ahead); len(got) > 0 {
			t.Errorf("the other gets %q again", got)
		}
		if !ahead.Level(level) {
			t.Error("now that both have the same they are not level")
		}
	})
}
