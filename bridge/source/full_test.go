package source_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
)

// countings counts the requests to count the messages of each subject of a wildcard filter.
func countings(t *testing.T, conn *nats.Conn) func() int {
	t.Helper()
	asked := make(chan *nats.Msg, 1<<12)
	if _, err := conn.ChanSubscribe("$JS.API.STREAM.INFO.*", asked); err != nil {
		t.Fatal(err)
	}
	flush(t, conn)
	count := 0
	return func() int {
		flush(t, conn)
		for len(asked) > 0 {
			var request struct {
				Filter bridge.Subject `json:"subjects_filter"`
			}
			if err := json.Unmarshal((<-asked).Data, &request); err == nil && request.Filter.Wild() {
				count++
			}
		}
		return count
	}
}

// storeMany publishes a message on each of many subjects, alternating between the prefixes, and waits until they are stored. A
// client with 4000 unacknowledged messages waits for the server. It gives up after 200 ms, which a server in the same process may
// need under the race detector.
func storeMany(t *testing.T, js jetstream.JetStream, n int, prefixes ...string) {
	t.Helper()
	for i := range n {
		for _, prefix := range prefixes {
			if _, err := js.PublishAsync(fmt.Sprint(prefix, i), nil, jetstream.WithStallWait(patience)); err != nil {
				t.Fatal(err)
			}
		}
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-time.After(patience):
		t.Fatal("the messages are not acknowledged")
	}
}

// The subjects of a filter are counted once, however many pages a replay has, even while others publish: a count is valid until
// another subject can be full.
func TestSubjectsAreCountedOnce(t *testing.T) {
	const n, pages = 5000, 4
	dial := embedded(t)
	js, conn := manager(t, dial), publisher(t, dial)
	config := chats
	config.Storage, config.MaxMsgsPerSubject = jetstream.MemoryStorage, 100
	stream := createStream(t, js, config)
	storeMany(t, js, 1, "chat.first")
	for range 101 { // one more than it remembers
		storeMany(t, js, 1, "chat.a.full")
	}
	storeMany(t, js, n, "chat.a.", "chat.other.")
	b := newFixture(t, dial, quiet)
	asked := countings(t, conn)
	begun := time.Now()
	c := b.since(t, bridge.Since{Kind: bridge.SinceAll}, "chat.a.*").wantOpen()
	for i := range n {
		if event := c.next(); event.Type != "message" {
			t.Fatalf("got %+v", event)
		}
		if i%(n/pages) == 0 {
			store(t, js, "chat.a.0", "meanwhile")
		}
	}
	t.Logf("%d messages in %v", n, time.Since(begun))
	if got := asked(); got != 1 {
		t.Errorf("the subjects were counted %d times", got)
	}

	// A subject that has become full since is found.
	first := c.message().ID
	for range 101 {
		storeMany(t, js, 1, "chat.a.late")
	}
	newFixture(t, dial, quiet).resume(t, first, "chat.a.*").wantGap(bridge.GapRetention)
	info, err := stream.Info(within(t, patience))
	if err != nil || info.State.NumDeleted == 0 {
		t.Fatalf("the stream is %+v, %v: nothing was to be counted", info, err)
	}
}

// A count is not used any more if another subject can have become full, or a full one is not full any more.
func TestCountIsNotBelievedTooLong(t *testing.T) {
	t.Parallel()
	dial := embedded(t)
	js, conn := manager(t, dial), publisher(t, dial)
	config := chats
	config.Storage, config.MaxMsgsPerSubject = jetstream.MemoryStorage, 5
	stream := createStream(t, js, config)
	storeMany(t, js, 10, "chat.")
	for range 6 {
		storeMany(t, js, 1, "chat.a.full") // 11 to 16
	}
	b := newFixture(t, dial, quiet)
	keeper := b.read(t, "chat.0") // it keeps the tap running
	keeper.wantOpen()
	storeThere := func(data string) {
		t.Helper()
		store(t, js, "chat.0", data)
		event := keeper.next()
		if event.Type == bridge.EventGap { // a full subject has lost a message before the tap could read it
			event = keeper.next()
		}
		if m, err := parseMessage(event); err != nil || m.Data != data { // and the tap has everything before
			t.Fatalf("got %+v, %v, want the message %q", event, err, data)
		}
	}
	asked := countings(t, conn)
	at := func(seq uint64) string {
		m, err := stream.GetMsg(within(t, patience), seq)
		if err != nil {
			t.Fatal(err)
		}
		return bridge.Position{Epoch: epochOf(t, stream), Seq: seq, Time: m.Time.UnixNano()}.String()
	}
	resume := func(seq uint64, want string, countings int) {
		t.Helper()
		c := b.resume(t, at(seq), "chat.>")
		defer c.reader.Close()
		if got := c.next(); got.Type != want {
			t.Errorf("behind %d it begins with %+v, want %s", seq, got, want)
		}
		if got := asked(); got != countings {
			t.Errorf("behind %d: counted %d times, want %d", seq, got, countings)
		}
		c.reader.Close()
		b.awaitLeft(t, 1) // and the pages are forgotten
	}
	resume(2, bridge.EventGap, 1)
	resume(3, bridge.EventGap, 1) // nothing has changed
	resume(12, bridge.EventOpen, 1)
	storeThere("17")
	resume(3, bridge.EventGap, 1) // no other subject can be full
	if err := stream.DeleteMsg(within(t, patience), 16); err != nil {
		t.Fatal(err)
	}
	resume(3, bridge.EventOpen, 1) // no longer full: nothing shows what is missing
	for range 6 {
		storeMany(t, js, 1, "chat.new") // 18 to 23
	}
	storeThere("24")
	resume(17, bridge.EventGap, 2)
}
