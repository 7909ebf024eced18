package source_test

import (
	"fmt"
	"testing"

	"github.com/tailwater/tailwater/bridge"
)

// Reading many subjects, and looking up what is stored on them, costs little more than one request each.
func TestManySubjectsCostFewRequests(t *testing.T) {
	const subjects, few = 32, 32 + 4
	dial := embedded(t)
	js := manager(t, dial)
	createStream(t, js, chats)
	var busy, empty []bridge.Subject
	for i := range subjects {
		busy, empty = append(busy, bridge.Subject(fmt.Sprintf("chat.%d", i))), append(empty, bridge.Subject(fmt.Sprintf("chat.none.%d", i)))
		store(t, js, string(busy[i]), numbers(0, 3)...)
	}
	b := newFixture(t, dial, quiet)
	b.read(t, "chat.other").wantOpen() // starts the tap
	for name, test := range map[string]struct {
		subjects []bridge.Subject
		messages int
	}{"with messages": {busy, 3 * subjects}, "without": {empty, 0}} {
		t.Run(name, func(t *testing.T) {
			count := func(what string, most int, ask func()) {
				t.Helper()
				end := requests(t, publisher(t, dial))
				ask()
				kinds, sum := end(), 0
				for _, n := range kinds {
					sum += n
				}
				t.Logf("%s of %d subjects costs %d requests: %v", what, subjects, sum, kinds)
				if sum > most {
					t.Errorf("%s costs %d requests", what, sum)
				}
			}
			count("an end", 2, func() {
				if end, err := b.source.End(within(t, patience), test.subjects); err != nil || len(end) != 1 || end[0].Seq < 3*subjects {
					t.Errorf("%v, %v", end, err)
				}
			})
			count("an extent", few, func() {
				extent, err := b.source.Extent(within(t, patience), test.subjects)
				if err != nil || len(extent.Last) != 1 || extent.Last[0].Seq != 3*subjects || (extent.LastSeq == 0) != (test.messages == 0) {
					t.Errorf("%+v, %v", extent, err)
				}
			})
			count("a page", few, func() {
				c := b.open(t, bridge.Framing{Format: bridge.JSON}, bridge.Resume{Since: bridge.Since{Kind: bridge.SinceAll}, Sync: true}, test.subjects...)
				c.wantOpen()
				for range test.messages {
					c.message()
				}
				if event := c.next(); event.Type != bridge.EventSynced {
					t.Errorf("%+v", event)
				}
			})
		})
	}
}
