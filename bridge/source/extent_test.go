package source_test

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source"
)

// If nothing is stored on a subject, its position is the stream's present one, not that of the bridge's last reading.
func TestExtentOfNothingIsOfNow(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, dial source.Dialer) {
		js := manager(t, dial)
		createStream(t, js, chats)
		store(t, js, "chat.b", "0")
		b := newFixture(t, dial, quiet)
		extent := func(subjects ...bridge.Subject) bridge.Extent {
			t.Helper()
			extent, err := b.source.Extent(within(t, patience), subjects)
			if err != nil || len(extent.Last) != 1 {
				t.Fatalf("%+v, %v", extent, err)
			}
			return extent
		}
		for i := range 5 {
			if i > 0 {
				store(t, js, "chat.b", "more")
			}
			want := uint64(i + 1)
			if got := extent("chat.a", "chat.c"); got.Last[0].Seq != want || got.FirstSeq != 0 || got.LastSeq != 0 {
				t.Errorf("behind message %d: %+v", want, got)
			}
			// If something is stored, the position is that of the newest message.
			if got := extent("chat.a", "chat.b"); got.Last[0].Seq != want || got.FirstSeq != 1 || got.LastSeq != want {
				t.Errorf("behind message %d: %+v", want, got)
			}
		}
	})
}

// Questions about one stream wait for no answers about another. Reads of a stream's pages and questions about it take turns.
func TestStreamsAreHolders(t *testing.T) {
	dial, js, _ := embeddedChats(t, nil)
	createStream(t, js, jetstream.StreamConfig{Name: "OTHER", Subjects: []string{"other.>"}})
	b := newFixture(t, dial, quiet)
	b.read(t, "chat.a").wantOpen()
	if _, err := b.source.End(within(t, patience), []bridge.Subject{"other.a"}); err != nil { // known by now
		t.Fatal(err)
	}
	of := func(subjects ...bridge.Subject) any { return b.source.Holder(subjects) }
	if _, isLog := of("chat.b").(bridge.Log); !isLog || of("chat.b") != of("chat.a", "chat.*") {
		t.Errorf("a stream that is read: %v", of("chat.b"))
	}
	if of("other.b") != of("other.>") || of("other.b") == of("chat.b") || of("other.b") == any(b.source) {
		t.Errorf("another: %v", of("other.b"))
	}
	if of("other.a", "chat.a") != any(b.source) {
		t.Errorf("both: %v", of("other.a", "chat.a"))
	}
}
