package source_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
)

// Reading many subjects, and looking up what is stored on them, costs little more than one request each.
func TestManySubjectsCostFewRequests(t *testing.T) {
	const subjects, few = 32, 32 + 4
	dial, js, _ := embeddedChats(t, nil)
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
				kinds := end()
				sum := asked(kinds, "")
				t.Logf("%s of %d subjects costs %d requests: %v", what, subjects, sum, kinds)
				if sum > most {
					t.Errorf("%s costs %d requests", what, sum)
				}
			}
			count("an end", 1, func() {
				if end, err := b.source.End(within(t, patience), test.subjects); err != nil || len(end) > 0 {
					t.Errorf("all has arrived: %v, %v", end, err)
				}
			})
			count("an extent", few, func() {
				extent, err := b.source.Extent(within(t, patience), test.subjects)
				if err != nil || len(extent.Last) != 1 || extent.Last[0].Seq != 3*subjects || (extent.LastSeq == 0) != (test.messages == 0) {
					t.Errorf("%+v, %v", extent, err)
				}
			})
			count("a page", few, func() {
				c := b.open(t, bridge.Framing{Format: bridge.JSON}, bridge.Resume{Since: bridge.Since{Kind: bridge.SinceAll}, Sync: true}, test.subjects...).wantOpen()
				for range test.messages {
					c.message()
				}
				c.wantSynced()
			})
		})
	}
}

// To find out that everything has arrived, a bridge does not let the store send the newest message, which may be large, again and again.
func TestEndOfWhatHasArrivedIsSmall(t *testing.T) {
	const most = 2 << 10
	dial := embedded(t)
	js, conn := manager(t, dial), publisher(t, dial)
	createStream(t, js, chats)
	b := newFixture(t, dial, quiet)
	large := strings.Repeat("x", 512<<10)
	store(t, js, "chat.large", large)
	end := func() bridge.ID {
		t.Helper()
		end, err := b.source.End(within(t, patience), []bridge.Subject{"chat.large"})
		if err != nil {
			t.Fatal(err)
		}
		return end
	}
	if at := end(); len(at) != 1 || at[0].Seq != 1 || at[0].Time == 0 {
		t.Errorf("nothing has arrived: %v", at)
	}
	c := b.read(t, "chat.large").wantOpen()
	store(t, js, "chat.large", large)
	c.message()
	var sent atomic.Int64
	if _, err := conn.Subscribe("_INBOX_tailwater.>", func(msg *nats.Msg) { sent.Add(int64(len(msg.Data))) }); err != nil {
		t.Fatal(err)
	}
	flush(t, conn)
	for range 10 {
		if at := end(); len(at) > 0 {
			t.Errorf("everything has arrived: %v", at)
		}
	}
	flush(t, conn)
	if n := sent.Load(); n == 0 || n > 10*most {
		t.Errorf("the store has sent %d bytes", n)
	}
}
