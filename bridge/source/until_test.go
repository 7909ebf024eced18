package source_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
)

// until reads the newest messages up to a sequence, and returns where the answer begins, and the payloads.
func (b *fixture) until(t testing.TB, epoch string, seq uint64, most int, subjects ...bridge.Subject) (opened bridge.ID, payloads []string) {
	t.Helper()
	since := bridge.Since{Kind: bridge.SinceUntil, ID: bridge.ID{{Epoch: epoch, Seq: seq}}, Most: most}
	c := b.open(t, bridge.Framing{Format: bridge.JSON}, bridge.Resume{Since: since, Sync: true}, subjects...)
	defer c.reader.Close()
	first := c.next()
	if first.Type != bridge.EventOpen {
		t.Fatalf("the answer begins with %+v", first)
	}
	opened, err := bridge.ParseID(first.ID)
	if err != nil {
		t.Fatal(err)
	}
	for {
		event := c.next()
		if event.Type == bridge.EventSynced {
			return opened, payloads
		}
		m, err := parseMessage(event)
		if err != nil {
			t.Fatal(err)
		}
		payloads = append(payloads, m.Data)
	}
}

// epochOf returns the epoch of the ids of a stream's messages.
func epochOf(t testing.TB, stream jetstream.Stream) string {
	t.Helper()
	info := stream.CachedInfo()
	return bridge.Epoch(info.Config.Name, info.Created)
}

// A reader that goes back gets exactly what the stream holds before its position, and no more than it asks for: of one subject that is rare or
// common, of several, of filters; where messages were deleted or removed by limits; by direct gets and without.
func TestUntilGivesWhatIsStored(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]jetstream.StreamConfig{
		"direct gets":       {},
		"no direct gets":    {AllowDirect: false, Metadata: map[string]string{"direct": "no"}},
		"limit of messages": {MaxMsgs: 200},
		"limit of subjects": {MaxMsgsPerSubject: 40},
	} {
		t.Run(name, func(t *testing.T) {
			dial := embedded(t)
			js := manager(t, dial)
			config.Name, config.Subjects, config.AllowDirect = chats.Name, chats.Subjects, config.Metadata == nil
			stream := createStream(t, js, config)
			random := rand.New(rand.NewPCG(1, 2))
			const last = 400
			for i := range last {
				subject := "chat.common"
				if i%50 == 7 {
					subject = "chat.rare"
				} else if random.IntN(3) == 0 {
					subject = fmt.Sprint("chat.other.", random.IntN(3))
				}
				if _, err := js.PublishAsync(subject, fmt.Append(nil, i+1)); err != nil {
					t.Fatal(err)
				}
			}
			receive(t, js.PublishAsyncComplete(), "the acknowledgements")
			for range 60 {
				_ = stream.DeleteMsg(within(t, patience), 1+random.Uint64N(last)) // unless it is gone
			}
			subjectOf := storedIn(t, stream, last)
			b := newFixture(t, dial, quiet)
			for i, subjects := range [][]bridge.Subject{{"chat.common"}, {"chat.rare"}, {"chat.none"}, {"chat.>"}, {"chat.other.*"}, {"chat.rare", "chat.common"}, {"chat.other.1", "chat.none", "chat.rare"}} {
				var stored []uint64
				for seq := range uint64(last + 1) {
					if subject, isStored := subjectOf[seq]; isStored && bridge.FirstMatch(subjects, subject) != "" {
						stored = append(stored, seq)
					}
				}
				for j, seq := range []uint64{0, 1, 8, 57, 200, 399, last, last + 5} {
					for k, most := range []int{1, 7, 100} {
						if !*soak && (i+j+k)%3 > 0 {
							continue // make soak tries all; any two of the three are tried together here too
						}
						want := slices.DeleteFunc(slices.Clone(stored), func(at uint64) bool { return at > seq })
						want = want[max(0, len(want)-most):]
						opened, got := b.until(t, epochOf(t, stream), seq, most, subjects...)
						if strings.Join(got, " ") != strings.Trim(fmt.Sprint(want), "[]") {
							t.Fatalf("%d messages of %s up to %d: got %v, want %v", most, subjects, seq, got, want)
						}
						if len(want) > 0 && (len(opened) != 1 || opened[0].Seq >= want[0] || slices.Contains(stored, opened[0].Seq) && opened[0].Seq+1 > want[0]) {
							t.Fatalf("%d messages of %s up to %d: the answer begins at %s", most, subjects, seq, opened)
						}
					}
				}
			}
		})
	}
}

// storedIn returns the subject of each message that a stream holds, by sequence.
func storedIn(t *testing.T, stream jetstream.Stream, last uint64) map[uint64]string {
	t.Helper()
	subjects := make(map[uint64]string)
	for seq := uint64(1); seq <= last; seq++ {
		if m, err := stream.GetMsg(within(t, patience), seq); err == nil {
			subjects[seq] = m.Subject
		}
	}
	return subjects
}

// Large messages make a page short, and never empty: it ends where it was asked to, and the next one goes on before it.
func TestUntilOfLargeMessages(t *testing.T) {
	t.Parallel()
	dial, js, stream := embeddedChats(t, nil)
	for i := range 12 {
		store(t, js, "chat.a", fmt.Sprint(i+1, strings.Repeat("x", 300<<10)))
	}
	b := newFixture(t, dial, quiet)
	all, at := []string{}, uint64(12)
	for pages := 0; ; pages++ {
		opened, got := b.until(t, epochOf(t, stream), at, 100, "chat.a")
		if len(got) == 0 {
			break
		}
		if len(got) > 5 || pages > 12 {
			t.Fatalf("page %d has %d messages of 300 KiB", pages, len(got))
		}
		for i := range got {
			got[i] = strings.TrimRight(got[i], "x")
		}
		all, at = append(got, all...), opened[0].Seq
	}
	if want := numbers(1, 12); !slices.Equal(all, want) {
		t.Errorf("got %v, want %v", all, want)
	}
}

// To go back costs few requests, wherever in a stream a subject's messages are: thick or thin, and right before the position or far from it.
func TestUntilCostsFewRequests(t *testing.T) {
	t.Parallel()
	const few = 45
	many := 5_000
	if *soak {
		many = 50_000
	}
	dial, js, stream := embeddedChats(t, func(config *jetstream.StreamConfig) { config.Storage = jetstream.MemoryStorage })
	store(t, js, "chat.old", numbers(0, 3)...)
	storeMany(t, js, many/2, "chat.thick.") // a subject each
	store(t, js, "chat.old", numbers(3, 3)...)
	storeMany(t, js, many/2, "chat.filler.")
	store(t, js, "chat.new", numbers(0, 3)...)
	b := newFixture(t, dial, quiet)
	b.read(t, "chat.none").wantOpen() // the tap is there
	for subject, want := range map[bridge.Subject]int{"chat.old": 6, "chat.new": 3, "chat.thick.*": 100, "chat.never": 0, "chat.>": 100} {
		end := requests(t, publisher(t, dial))
		_, got := b.until(t, epochOf(t, stream), uint64(many+9), 100, subject)
		kinds := end()
		sum := asked(kinds, "")
		t.Logf("%s: %d requests: %v", subject, sum, kinds)
		if len(got) != want || sum > few {
			t.Errorf("%s: %d messages, %d requests", subject, len(got), sum)
		}
	}
}
