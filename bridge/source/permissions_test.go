package source_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/source"
)

// Permissions name the streams that serve what is read, if no other stream can.
func TestPermissionsNameStreams(t *testing.T) {
	t.Parallel()
	process := bridgetest.StartNATSServer(t)
	js := manager(t, to(process.URL()))
	for name, subjects := range map[string][]string{"CHAT": {"chat.>"}, "LEFT": {"split.a"}, "RIGHT": {"split.b"}, "WORK": {"work.>"}, "OTHER": {"other.>"}} {
		config := jetstream.StreamConfig{Name: name, Subjects: subjects, MaxMsgs: 10, AllowDirect: true, Storage: jetstream.MemoryStorage}
		if name == "WORK" {
			config.Retention = jetstream.WorkQueuePolicy
		}
		createStream(t, js, config)
	}
	b := newFixture(t, to(process.URL()), quiet)
	for _, test := range []struct {
		read    string
		history source.History
		want    string // the streams
		makes   bool
	}{
		{read: "", want: ""},
		{read: "chat.a chat.b", want: "CHAT"},
		{read: "chat.> split.a split.b", want: "CHAT LEFT RIGHT"},
		{read: "split.*", want: "*"},
		{read: "chat.> nothing", want: "*"},
		{read: "work.a", want: ""},
		{read: "new.a", history: kept("KEPT", "new.>"), want: "KEPT", makes: true},
		{read: "new.>", history: kept("KEPT", "new.a"), want: "*", makes: true},
		{read: "chat.>", history: kept("KEPT", "new.>"), want: "CHAT", makes: true},
		{read: "chat.>", history: kept("CHAT", "chat.>"), want: "CHAT"},
		{read: "new.>", history: kept("KEPT", "chat.a", "new.>"), want: "*", makes: true}, // it cannot be made
	} {
		t.Run(fmt.Sprint(test.read, " with ", test.history.Subjects), func(t *testing.T) {
			var read []bridge.Subject
			for _, filter := range strings.Fields(test.read) {
				read = append(read, bridge.Subject(filter))
			}
			p, err := b.source.Permissions(within(t, patience), source.Needs{Read: read, History: test.history})
			if err != nil {
				t.Fatal(err)
			}
			var streams []string
			makes := false
			for _, permission := range p.Publish {
				for _, subject := range permission.Subjects {
					if stream, found := strings.CutPrefix(subject, "$JS.API.DIRECT.GET."); found {
						streams = append(streams, stream)
					}
					makes = makes || subject == "$JS.API.STREAM.CREATE."+test.history.Stream
				}
			}
			if got := strings.Join(streams, " "); got != test.want || makes != test.makes {
				t.Errorf("it may read %q and make its stream %v, want %q and %v", got, makes, test.want, test.makes)
			}
		})
	}
}

func kept(stream string, subjects ...bridge.Subject) source.History {
	return source.History{Stream: stream, Subjects: subjects, Look: true}
}
