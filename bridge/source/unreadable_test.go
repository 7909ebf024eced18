package source_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// The bridge may read only one stream, by name. Messages of a stream that replaces it are passed on as they arrive: readers get a
// gap, and the log says what to do. Once it may be read, it is.
func TestStreamThatMayNotBeRead(t *testing.T) {
	t.Parallel() // it mostly waits
	config := configFile(t, "")
	allow := func(stream string) {
		writeFile(t, config, fmt.Sprintf(`authorization { users = [
			{ user: admin, password: swordfish }
			{ user: bridge, password: swordfish, permissions: {
				publish: ["$JS.API.STREAM.NAMES", "$JS.API.STREAM.INFO.*", "$JS.API.STREAM.MSG.GET.%[1]s", "$JS.API.DIRECT.GET.%[1]s",
					"$JS.API.CONSUMER.CREATE.%[1]s.>", "$JS.API.CONSUMER.MSG.NEXT.%[1]s.*", "$JS.API.CONSUMER.DELETE.%[1]s.*"]
				subscribe: ["chat.>", "$JS.EVENT.ADVISORY.STREAM.*.>", "_INBOX_tailwater.>"] } }
		] }`, stream))
	}
	allow("CHATS")
	process := bridgetest.StartNATSServer(t, "-c", config)
	js := manager(t, as(process, "admin"))
	createStream(t, js, chats)
	// After deleting its last stream, a server removes the folder of all streams, and may fail to make another.
	createStream(t, js, jetstream.StreamConfig{Name: "STAYS", Subjects: []string{"stays"}})
	log, warned := warnings()
	b := newFixture(t, as(process, "bridge"), log)
	c := b.read(t, "chat.a").wantOpen()
	store(t, js, "chat.a", "first")
	c.wantData("first")

	deleteStream(t, js, "CHATS")
	createStream(t, js, jetstream.StreamConfig{Name: "OTHER", Subjects: []string{"chat.>"}, AllowDirect: true})
	c.wantGap(bridge.GapDisconnected)
	store(t, js, "chat.a", "second")
	c.wantData("second")
	b.read(t, "chat.b").wantOpen()
	awaitLine(t, warned, "OTHER", "tailwater check")

	allow("OTHER")
	process.Kill()
	process.Start(t)
	c.wantMove()
	store(t, manager(t, as(process, "admin")), "chat.a", "third")
	if again := c.message(); again.Data != "third" || !strings.HasPrefix(again.ID, bridge.Epoch("OTHER", infoOf(t, manager(t, as(process, "admin")), "OTHER").Created)) {
		t.Errorf("got %+v, want it from the stream", again)
	}
}
