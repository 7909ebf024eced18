package source_test

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// What becomes of a stream that somebody reads is logged, as its readers are told.
func TestChangesOfStreamsAreLogged(t *testing.T) {
	process := bridgetest.StartNATSServer(t)
	js := streamsOf(t, to(process.URL()))
	config := func(name string, subjects ...string) jetstream.StreamConfig {
		return jetstream.StreamConfig{Name: name, Subjects: subjects, MaxMsgs: 10, AllowDirect: true, Storage: jetstream.MemoryStorage}
	}
	makeStream(t, js, config("WIDE", "chat.>", "log.>"))
	makeStream(t, js, config("UNREAD", "unread.>"))
	log, lines := warnings()
	b := newBed(t, to(process.URL()), log)
	wantLine := func(wants ...string) {
		t.Helper()
		line := ""
		for !strings.Contains(line, wants[0]) { // a tap may say beside that it cannot read
			if line = receive(t, lines, strings.Join(wants, " ")); strings.Contains(line, "UNREAD") {
				t.Errorf("logged %q of a stream that nobody reads", line)
			}
		}
		for _, want := range wants {
			if !strings.Contains(line, want) {
				t.Errorf("logged %q, want %q", line, want)
			}
		}
	}
	b.read(t, "chat.a").wantOpen()
	if err := js.DeleteStream(within(t, patience), "UNREAD"); err != nil {
		t.Fatal(err)
	}
	if _, err := js.UpdateStream(within(t, patience), config("WIDE", "chat.>")); err != nil {
		t.Fatal(err)
	}
	wantLine("does not hold all", "WIDE", "log.>")
	if err := js.DeleteStream(within(t, patience), "WIDE"); err != nil {
		t.Fatal(err)
	}
	makeStream(t, js, config("WIDE", "chat.>"))
	wantLine("and made anew; its readers", "WIDE")
	if err := js.DeleteStream(within(t, patience), "WIDE"); err != nil {
		t.Fatal(err)
	}
	wantLine("a stream was deleted; its readers", "WIDE", "chat.>")
}
