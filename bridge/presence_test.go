package bridge_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// told is the framing of a connection that is told who is here.
var told = bridge.Framing{Presence: true}

const (
	room    = bridge.Subject("chat.room1")
	members = bridge.Subject("$KV.tailwater_presence.chat.room1")
)

// state is a value as a bridge writes it, with what is for bridges only.
func state(kind string, names ...string) string {
	var all []string
	for _, name := range names {
		all = append(all, fmt.Sprintf(`{"name":%q,"since":"2026-01-02T03:04:05Z","sub":"secret","bridges":["abcdefghij"]}`, name))
	}
	return fmt.Sprintf(`{"type":%q,"subject":"chat.room1","count":%d,"members":[%s],"bridges":{"abcdefghij":{"members":%d}}}`, kind, len(names), strings.Join(all, ","), len(names))
}

func inBubble(t *testing.T, name string, test func(*testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

// soon takes all that comes for the reader.
func soon(t *testing.T, reader *bridge.Reader) (all [][]byte) {
	t.Helper()
	for idle := 0; idle < 30; idle++ {
		if more := frames(t, reader); len(more) > 0 {
			all, idle = append(all, more...), 0
		}
		time.Sleep(10 * time.Millisecond) // of the bubble: what is read from streams has come
	}
	return all
}

// here returns the events of a reader: those with members as `join chat.room1: Ada, Ben`, others as sketch does, without their ids.
func here(t *testing.T, reader *bridge.Reader) (got []string) {
	t.Helper()
	for _, event := range events(t, soon(t, reader)...) {
		if event.Type != bridge.EventPresence {
			text, _, _ := strings.Cut(sketch(event), "@")
			got = append(got, text)
			continue
		}
		var p bridge.Presence
		if err := json.Unmarshal([]byte(event.Data), &p); err != nil || p.Members == nil || strings.Contains(event.Data, "secret") || strings.Contains(event.Data, "bridges") {
			t.Fatalf("%s: %v", event.Data, err)
		}
		var names []string
		for _, m := range p.Members {
			names = append(names, m.Name)
		}
		got = append(got, fmt.Sprintf("%s %s: %s", p.Type, p.Subject, strings.Join(names, ", ")))
	}
	return got
}

func wantHere(t *testing.T, reader *bridge.Reader, want ...string) {
	t.Helper()
	if got := here(t, reader); !slices.Equal(got, want) {
		t.Errorf("the reader is told %q, want %q", got, want)
	}
}

// bucket is the stream of the bucket, made at some time.
func newBucket(life int64) *fakeStream {
	return newStream("KV_"+bridge.PresenceBucket, time.Unix(life, 0))
}

// begin lets the newest feed begin with the room's subject unstored, and its members in a bucket.
func begin(t *testing.T, source *fakeSource, log *fakeLog) *bridge.Feed {
	t.Helper()
	feed := source.feed(t)
	feed.Begin([]bridge.Part{{Subjects: []bridge.Subject{room}, At: at(10)}, log.part(members)})
	return feed
}

// TestPresenceBegins: the newest value first, as a state, whatever came to be how; then each change as it was told.
func TestPresenceBegins(t *testing.T) { synctest.Test(t, testPresenceBegins) }

func testPresenceBegins(t *testing.T) {
	hub, source := newHub(t, bridge.DefaultMemory)
	stream := newBucket(1)
	stream.publish(string(members), state("join", "Ada"), time.Unix(10, 0))
	stream.publish(string(members), state("leave", "Ada", "Ben"), time.Unix(11, 0))
	log := stream.tap()
	reader := readIn(t, hub, told, bridge.Resume{}, room, members)
	feed := begin(t, source, log)
	wantHere(t, reader, "open", "state chat.room1: Ada, Ben")
	stream.publish(string(members), state("join", "Ada", "Ben", "Cleo"), time.Unix(12, 0))
	log.deliver(3, feed)
	feed.Append(message(11))
	wantHere(t, reader, "join chat.room1: Ada, Ben, Cleo", "m11")
	m := stream.publish(string(members), "", time.Unix(13, 0))
	m.Deleted = true
	log.deliver(4, feed)
	wantHere(t, reader, "leave chat.room1: ")
	stream.publish(string(members), "hello", time.Unix(14, 0))
	stream.publish(string(members), state("conquer", "Ada"), time.Unix(15, 0))
	log.deliver(6, feed)
	wantHere(t, reader, "leave chat.room1: ", "state chat.room1: Ada") // what somebody else has written does no harm
}

// TestPresenceFirst: who is here is told before history, however much that is. The epoch of the one stream sorts behind the bucket's, that of
// the other before.
func TestPresenceFirst(t *testing.T) {
	for _, name := range []string{"CHAT", "LOGS"} {
		inBubble(t, name, func(t *testing.T) { testPresenceFirst(t, name) })
	}
}

func testPresenceFirst(t *testing.T, name string) {
	hub, source := newHub(t, bridge.DefaultMemory)
	stream, bucket := newStream(name, time.Unix(1, 0)), newBucket(1)
	for n := range 3 {
		stream.publish(string(room), fmt.Sprint("m", n), time.Unix(int64(10+n), 0))
	}
	bucket.publish(string(members), state("join", "Ada"), time.Unix(10, 0))
	log, kept := stream.tap(), bucket.tap()
	reader := readIn(t, hub, told, bridge.Resume{Since: bridge.Since{Kind: bridge.SinceAll}}, room, members)
	source.feed(t).Begin([]bridge.Part{log.part(room), kept.part(members)})
	wantHere(t, reader, "open", "state chat.room1: Ada", "m0", "m1", "m2", "synced {}")
}

// TestPresenceNeverMisses: no gap and no reset comes from members, whatever became of their bucket. A client that may believe in members who
// have left is told first that nobody is there.
func TestPresenceNeverMisses(t *testing.T) {
	for name, test := range map[string]struct {
		after func(bucket, chat bridge.Position) bridge.ID
		want  []string
	}{
		"exact":                {func(b, c bridge.Position) bridge.ID { return bridge.ID{b, c} }, []string{"open", "state chat.room1: Ada", "join chat.room1: Ada, Ben"}},
		"older than memory":    {func(b, c bridge.Position) bridge.ID { b.Seq, b.Time = 1, 1; return bridge.ID{b, c} }, []string{"open", "state chat.room1: ", "state chat.room1: Ada, Ben"}},
		"ahead of the bucket":  {func(b, c bridge.Position) bridge.ID { b.Seq += 100; return bridge.ID{b, c} }, []string{"open", "state chat.room1: ", "state chat.room1: Ada, Ben"}},
		"stored at other time": {func(b, c bridge.Position) bridge.ID { b.Time++; return bridge.ID{b, c} }, []string{"open", "state chat.room1: ", "state chat.room1: Ada, Ben"}},
		"a bucket made anew": {
			func(b, c bridge.Position) bridge.ID {
				b.Epoch = bridge.Epoch("KV_"+bridge.PresenceBucket, time.Unix(99, 0))
				return bridge.ID{b, c}
			},
			[]string{"open", "state chat.room1: ", "state chat.room1: Ada, Ben"},
		},
		"without members": {func(_, c bridge.Position) bridge.ID { return bridge.ID{c} }, []string{"open", "state chat.room1: ", "state chat.room1: Ada, Ben"}},
		"chat has missed something": {
			func(b, c bridge.Position) bridge.ID { c.Seq, c.Time = 2, 0; return bridge.ID{b, c} },
			[]string{"gap retention", "state chat.room1: Ada", "join chat.room1: Ada, Ben"},
		},
	} {
		inBubble(t, name, func(t *testing.T) {
			hub, source := newHub(t, bridge.DefaultMemory)
			stream := newBucket(1)
			for n := range 5 {
				stream.publish("$KV.tailwater_presence.chat.other", state("state"), time.Unix(int64(n), 0))
			}
			was := stream.publish(string(members), state("join", "Ada"), time.Unix(10, 0)).Position
			log := stream.tap()
			readIn(t, hub, told, bridge.Resume{}, room, members)
			feed := begin(t, source, log)
			stream.publish(string(members), state("join", "Ada", "Ben"), time.Unix(12, 0))
			log.deliver(was.Seq+1, feed)
			reader := readIn(t, hub, told, bridge.Resume{After: test.after(was, at(10))}, room, members)
			got := here(t, reader)
			for i := range got {
				if strings.HasPrefix(got[i], "gap") {
					got[i] = strings.Join(strings.Fields(got[i])[:2], " ")
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("told %q, want %q", got, test.want)
			}
		})
	}
}

// TestPresenceResumes: a client that continues exactly is told who is here as of its position, because its page may have been loaded again,
// and then each change. A poll continues without that, and so does a connection that moves to another feed.
func TestPresenceResumes(t *testing.T) { synctest.Test(t, testPresenceResumes) }

func testPresenceResumes(t *testing.T) {
	hub, source := newHub(t, bridge.DefaultMemory)
	bucket := newBucket(1)
	was := bucket.publish(string(members), state("join", "Ada"), time.Unix(10, 0)).Position
	log := bucket.tap()
	connected := readIn(t, hub, told, bridge.Resume{}, room, members)
	feed := begin(t, source, log)
	wantHere(t, connected, "open", "state chat.room1: Ada")
	id := bridge.ID{was, at(10)}
	wantHere(t, readIn(t, hub, told, bridge.Resume{After: id}, room, members), "open", "state chat.room1: Ada")
	wantHere(t, readIn(t, hub, told, bridge.Resume{After: id, Sync: true}, room, members), "open", "synced {}")
	bucket.publish(string(members), state("join", "Ada", "Ben"), time.Unix(11, 0))
	log.deliver(2, feed)
	wantHere(t, connected, "join chat.room1: Ada, Ben")
	wantHere(t, readIn(t, hub, told, bridge.Resume{After: id}, room, members), "open", "state chat.room1: Ada", "join chat.room1: Ada, Ben")
	wantHere(t, readIn(t, hub, told, bridge.Resume{After: id, Sync: true}, room, members), "open", "join chat.room1: Ada, Ben", "synced {}")
	feed.End()
	wantHere(t, connected) // it asks for the next feed
	begin(t, source, bucket.tap())
	for _, text := range here(t, connected) {
		if strings.Contains(text, "room1") {
			t.Errorf("a connection that has moved is told %q", text)
		}
	}
}

// TestPresenceAloneNeverResets: nor does a connection that reads nothing but members, after a position from anywhere.
func TestPresenceAloneNeverResets(t *testing.T) { synctest.Test(t, testPresenceAloneNeverResets) }

func testPresenceAloneNeverResets(t *testing.T) {
	hub, source := newHub(t, bridge.DefaultMemory)
	stream := newBucket(1)
	log := stream.tap()
	resume := bridge.Resume{After: bridge.ID{{Epoch: bridge.Epoch("KV_"+bridge.PresenceBucket, time.Unix(9, 0)), Seq: 5}}}
	reader := readIn(t, hub, told, resume, members)
	source.feed(t).Begin([]bridge.Part{log.part(members)})
	wantHere(t, reader, "open", "state chat.room1: ")
	elsewhere := readIn(t, hub, told, bridge.Resume{After: bridge.ID{at(3)}}, members)
	wantHere(t, elsewhere, "open", "state chat.room1: ")
}

// TestPositionOfMembersIsNoGap: who was told of members, and is not any more, has missed nothing of the messages.
func TestPositionOfMembersIsNoGap(t *testing.T) { synctest.Test(t, testPositionOfMembersIsNoGap) }

func testPositionOfMembersIsNoGap(t *testing.T) {
	hub, source := newHub(t, bridge.DefaultMemory)
	bucket := bridge.Position{Epoch: bridge.Epoch("KV_"+bridge.PresenceBucket, time.Unix(9, 0)), Seq: 5, Time: 5}
	reader := read(t, hub, bridge.Resume{After: bridge.ID{at(10), bucket}}, room)
	source.feed(t).Begin(unstored(at(10)))
	wantHere(t, reader, "open")
}

// TestPresenceOfFeedThatEnds: when the bucket is made anew, or comes, readers have the newest of the new one, and no gap.
func TestPresenceOfFeedThatEnds(t *testing.T) { synctest.Test(t, testPresenceOfFeedThatEnds) }

func testPresenceOfFeedThatEnds(t *testing.T) {
	hub, source := newHub(t, bridge.DefaultMemory)
	stream := newBucket(1)
	stream.publish(string(members), state("join", "Ada"), time.Unix(10, 0))
	log := stream.tap()
	reader := readIn(t, hub, told, bridge.Resume{}, members)
	feed := source.feed(t)
	feed.Begin([]bridge.Part{log.part(members)})
	wantHere(t, reader, "open", "state chat.room1: Ada")
	feed.End()
	anew := newBucket(2)
	anew.publish(string(members), state("join", "Ben"), time.Unix(20, 0))
	if got := here(t, reader); len(got) > 0 {
		t.Errorf("told %q before the new feed has begun", got)
	}
	log = anew.tap()
	source.feed(t).Begin([]bridge.Part{log.part(members)})
	wantHere(t, reader, "state chat.room1: ", "state chat.room1: Ben")
}

// TestPresenceOfDeletedBucket: while the bucket is deleted and made again, the members move to a subscription and back, and the room's readers
// are told no gap.
func TestPresenceOfDeletedBucket(t *testing.T) { synctest.Test(t, testPresenceOfDeletedBucket) }

func testPresenceOfDeletedBucket(t *testing.T) {
	hub, source := newHub(t, bridge.DefaultMemory)
	rooms := newStream("ROOMS", time.Unix(1, 0)).tap()
	first, second := newBucket(1).tap(), newBucket(2).tap()
	reader := readIn(t, hub, told, bridge.Resume{}, room, members)
	feed := source.feed(t)
	feed.Begin([]bridge.Part{rooms.part(room), first.part(members)})
	wantHere(t, reader, "open")
	for _, part := range []bridge.Part{{Subjects: []bridge.Subject{members}, At: at(10)}, second.part(members)} {
		feed.End()
		if got := here(t, reader); len(got) > 0 {
			t.Errorf("told %q before the next feed has begun", got)
		}
		feed = source.feed(t)
		feed.Begin([]bridge.Part{rooms.part(room), part})
		wantHere(t, reader, "state chat.room1: ")
	}
}

// TestPresenceLost: what is lost of members is made up for by the next value, so no gap is told.
func TestPresenceLost(t *testing.T) { synctest.Test(t, testPresenceLost) }

func testPresenceLost(t *testing.T) {
	hub, source := newHub(t, bridge.DefaultMemory)
	reader := readIn(t, hub, told, bridge.Resume{}, members)
	feed := source.feed(t)
	part := bridge.Part{Subjects: []bridge.Subject{members}, At: at(10)}
	feed.Begin([]bridge.Part{part})
	wantHere(t, reader, "open")
	feed.Lost(at(12), bridge.GapOverrun)
	part.At = at(14)
	feed.Begin([]bridge.Part{part}) // after an interruption
	wantHere(t, reader)
}

// TestOwnMembers: without a bucket, who is here is told from what the bridge knows.
func TestOwnMembers(t *testing.T) { synctest.Test(t, testOwnMembers) }

func testOwnMembers(t *testing.T) {
	hub, source := newHub(t, bridge.Memory{Frames: 1, Bytes: 1 << 20})
	hub.KeepMembers(func(s bridge.Subject) []bridge.Presence {
		return []bridge.Presence{{Type: "join", Subject: string(s), Count: 1, Members: []bridge.PresenceMember{{Name: "Ada"}}, Joined: []string{"Ada"}}}
	})
	reader := readIn(t, hub, told, bridge.Resume{}, room, members)
	feed := source.feed(t)
	feed.Begin([]bridge.Part{{Subjects: []bridge.Subject{members, room}, At: at(10)}})
	wantHere(t, reader, "open", "state chat.room1: Ada")
	wantHere(t, readIn(t, hub, told, bridge.Resume{}, "time.now"))
	for seq := range uint64(3) { // more than the feed holds, and who is here may be among what is lost
		feed.Append(message(11 + seq))
	}
	wantHere(t, reader, "gap overrun 10..12", "state chat.room1: Ada", "m13")
}

// TestPresenceThatIsTooLarge: a client with a limit is told how many are here, if not who.
func TestPresenceThatIsTooLarge(t *testing.T) {
	for _, format := range []bridge.Format{bridge.Raw, bridge.JSON, bridge.Lines} {
		inBubble(t, fmt.Sprint(format), func(t *testing.T) {
			hub, source := newHub(t, bridge.DefaultMemory)
			stream := newBucket(1)
			var names []string
			for i := range 200 {
				names = append(names, fmt.Sprint("member", i))
			}
			stream.publish(string(members), state("join", names...), time.Unix(10, 0))
			log := stream.tap()
			reader := readIn(t, hub, bridge.Framing{Format: format, Presence: true}, bridge.Resume{}, room, members)
			reader.Limit(1024)
			begin(t, source, log).Append(&bridge.Message{Subject: string(room), Position: at(11), Data: []byte(strings.Join(names, " "))})
			all := soon(t, reader)
			if len(all) != 3 || !strings.Contains(string(all[2]), bridge.EventLarge) {
				t.Fatalf("%q", all)
			}
			text := strings.ReplaceAll(string(all[1]), `\"`, `"`)
			if len(all[1]) > 1024 || !strings.Contains(text, `"type":"state","subject":"chat.room1","count":200,"members":[]`) || !strings.Contains(text, "tailwater:presence") {
				t.Errorf("it is told %s", text)
			}
		})
	}
}

// TestPresenceFraming: exactly these bytes.
func TestPresenceFraming(t *testing.T) { synctest.Test(t, testPresenceFraming) }

func testPresenceFraming(t *testing.T) {
	value := `{"type":"join","subject":"ignored","count":3,"members":[{"name":"<Ada>","user":true,"since":"2026-01-02T03:04:05.678Z","sub":"secret","bridges":["x"]}],"joined":["<Ada>"],"bridges":{"x":{"members":1,"unnamed":2}}}`
	data := `{"type":"join","subject":"chat.room1","count":3,"members":[{"name":"<Ada>","user":true,"since":"2026-01-02T03:04:05.678Z"}],"joined":["<Ada>"]}`
	quoted, _ := json.Marshal(data)
	quoted = []byte(strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(string(quoted)))
	for format, want := range map[bridge.Format]string{
		bridge.Raw:   "event: tailwater:presence\ndata: " + data + "\nid: " + at(11).String() + "\n\n",
		bridge.JSON:  "event: tailwater:presence\ndata: " + data + "\nid: " + at(11).String() + "\n\n",
		bridge.Lines: `{"event":"tailwater:presence","data":` + string(quoted) + `,"id":"` + at(11).String() + `"}` + "\n",
	} {
		hub, source := newHub(t, bridge.DefaultMemory)
		reader := readIn(t, hub, bridge.Framing{Format: format, Presence: true}, bridge.Resume{}, members)
		feed := source.feed(t)
		feed.Begin([]bridge.Part{{Subjects: []bridge.Subject{members}, At: at(10)}})
		frames(t, reader)
		feed.Append(&bridge.Message{Subject: string(members), Position: at(11), Data: []byte(value)})
		if got := frames(t, reader); len(got) != 1 || string(got[0]) != want {
			t.Errorf("%q\nwant %q", got, want)
		}
	}
	hub, source := newHub(t, bridge.DefaultMemory)
	reader := readIn(t, hub, told, bridge.Resume{}, room, members)
	source.feed(t).Begin(unstored(at(10)))
	if got := string(frames(t, reader)[0]); !strings.Contains(got, `{"subjects":["chat.room1"]}`) {
		t.Errorf("the open says %s", got)
	}
	plain := read(t, hub, bridge.Resume{}, members) // as any bucket
	source.feed(t).Begin(unstored(at(0)))
	source.feed(t).Append(&bridge.Message{Subject: string(members), Position: at(1), Data: []byte("value")})
	expect(t, plain, "open@0", "value@1")
}
