package source_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// hiding starts a server with the stream SECRET on secret.>, which NATS does not describe to the bridge.
func hiding(t *testing.T) (server *bridgetest.NATSServer, admin jetstream.JetStream) {
	t.Helper()
	file := configFile(t, "")
	denied(t, file, `"$JS.API.STREAM.INFO.SECRET"`, "")
	server = bridgetest.StartNATSServer(t, "-c", file)
	admin = manager(t, as(server, "admin"))
	createStream(t, admin, jetstream.StreamConfig{Name: "SECRET", Subjects: []string{"secret.>"}})
	return server, admin
}

// What NATS hides from the bridge is asked for again when it changes: readers are told that the history of a subject is missing as soon as a
// hidden stream holds it, and no more once it is gone.
func TestHiddenStreamChanges(t *testing.T) {
	t.Parallel()
	server, js := hiding(t)
	b := newFixture(t, as(server, "bridge"), quiet)
	stays := b.read(t, "news.a") // so that the feed does, too
	stays.wantOpen()
	isTold := func() bool {
		c := b.since(t, bridge.Since{Kind: bridge.SinceAll}, "news.a")
		defer c.reader.Close()
		return c.next().Type == bridge.EventGap
	}
	if isTold() {
		t.Error("the history is said to be missing of what no stream holds")
	}
	updateStream(t, js, jetstream.StreamConfig{Name: "SECRET", Subjects: []string{"secret.>", "news.>"}})
	eventually(t, "the history is said to be missing", isTold)
	deleteStream(t, js, "SECRET")
	eventually(t, "it is not said any more", func() bool { return !isTold() })
}

// Where NATS hides a stream, JetStream is asked a limited number of questions, however many subjects are read: and their readers begin.
func TestHiddenStreamCostsLimitedQuestions(t *testing.T) {
	if !*soak {
		t.Skip("it asks ten thousand questions: run it with -soak")
	}
	server, _ := hiding(t)
	b := newFixture(t, as(server, "bridge"), quiet)
	admin := publisher(t, as(server, "admin"))
	var asked atomic.Int64
	if _, err := admin.Subscribe("$JS.API.STREAM.NAMES", func(*nats.Msg) { asked.Add(1) }); err != nil {
		t.Fatal(err)
	}
	flush(t, admin)
	const feeds, each = 105, 100 // more than the table keeps answers
	var all []*client
	for i := range feeds {
		var subjects []bridge.Subject
		for j := range each {
			subjects = append(subjects, bridge.Subject(fmt.Sprintf("t%d.x", i*each+j)))
		}
		all = append(all, b.read(t, subjects...))
	}
	for _, c := range all {
		c.wantOpen()
	}
	flush(t, admin)
	if n := asked.Load(); n > 3*feeds*each {
		t.Errorf("%d questions for %d subjects", n, feeds*each)
	}
}
