package source_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/embed"
)

// The publisher is told the reason for which a stream refuses a message.
func TestRejections(t *testing.T) {
	t.Parallel() // it mostly waits
	server := startEmbedded(t, embed.Config{MaxPayload: 48 << 20})
	js := manager(t, server.Dial)
	var many []string
	for i := range 4 {
		many = append(many, strings.Repeat("x", 1<<10)+string(rune('a'+i)))
	}
	for _, test := range []struct {
		name    string
		config  jetstream.StreamConfig
		before  []string // what is stored
		seal    bool
		header  map[string][]string
		payload string
		want    error
	}{
		{name: "MSGS", config: jetstream.StreamConfig{MaxMsgs: 1, Discard: jetstream.DiscardNew}, before: []string{"a"}, want: bridge.ErrFull},
		{name: "BYTES", config: jetstream.StreamConfig{MaxBytes: 4 << 10, Discard: jetstream.DiscardNew}, before: many[:3], payload: many[3], want: bridge.ErrFull},
		{name: "BYTES_MEMORY", config: jetstream.StreamConfig{MaxBytes: 4 << 10, Discard: jetstream.DiscardNew, Storage: jetstream.MemoryStorage}, before: many[:3], payload: many[3], want: bridge.ErrFull},
		{
			name: "PER_SUBJECT", config: jetstream.StreamConfig{MaxMsgsPerSubject: 1, Discard: jetstream.DiscardNew, DiscardNewPerSubject: true, MaxMsgs: 10},
			before: []string{"a"}, want: bridge.ErrSubjectFull,
		},
		{name: "SIZE", config: jetstream.StreamConfig{MaxMsgSize: 10}, payload: strings.Repeat("x", 11), want: bridge.ErrTooLarge},
		{name: "HEADER", header: map[string][]string{"Traceparent": {strings.Repeat("x", 64<<10)}}, want: bridge.ErrTooLarge},
		{name: "RECORD", payload: strings.Repeat("x", 33<<20), want: bridge.ErrTooLarge},
		{name: "SEALED", before: []string{"a"}, seal: true, want: bridge.ErrSealed},
		{name: "COUNTERS", config: jetstream.StreamConfig{AllowMsgCounter: true, AllowDirect: true}, payload: "1", want: bridge.ErrUnfit},
		{name: "TAKES"},
	} {
		t.Run(test.name, func(t *testing.T) {
			subject := bridge.Subject(strings.ToLower(test.name))
			test.config.Name, test.config.Subjects = test.name, []string{string(subject)}
			createStream(t, js, test.config)
			store(t, js, string(subject), test.before...)
			if test.seal {
				test.config.Sealed = true
				updateStream(t, js, test.config)
			}
			b := newFixture(t, server.Dial, quiet)
			receipt, err := b.source.Publish(within(t, patience), subject, test.header, []byte(test.payload))
			if !errors.Is(err, test.want) || errors.Is(err, bridge.ErrUnavailable) {
				t.Errorf("%+v, %v; want %v", receipt, err, test.want)
			}
		})
	}
}

// A position is returned only if a connection can continue after it.
func TestReceiptsWithoutAPosition(t *testing.T) {
	t.Parallel()
	dial := embedded(t)
	js := manager(t, dial)
	for _, test := range []struct {
		name      string
		config    jetstream.StreamConfig
		continues bool
	}{
		{"LIMITS", jetstream.StreamConfig{}, true},
		{"LAST", jetstream.StreamConfig{MaxMsgsPerSubject: 1}, true},
		{"WORK", jetstream.StreamConfig{Retention: jetstream.WorkQueuePolicy}, false},
		{"INTEREST", jetstream.StreamConfig{Retention: jetstream.InterestPolicy}, false},
		{"MOVED", jetstream.StreamConfig{SubjectTransform: &jetstream.SubjectTransformConfig{Source: ">", Destination: "to.>"}}, false},
		{"AGAIN", jetstream.StreamConfig{RePublish: &jetstream.RePublish{Source: ">", Destination: "echo.>"}}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			subject := bridge.Subject(strings.ToLower(test.name))
			test.config.Name, test.config.Subjects = test.name, []string{string(subject)}
			createStream(t, js, test.config)
			b := newFixture(t, dial, quiet)
			receipt, err := b.source.Publish(within(t, patience), subject, nil, []byte("x"))
			if err != nil || receipt.Stream != test.name || receipt.Position.Seq != 1 || (receipt.Position.Epoch != "") != test.continues {
				t.Fatalf("%+v, %v", receipt, err)
			}
			if !test.continues {
				return
			}
			c := b.resume(t, receipt.Position.String(), subject).wantOpen()
			if err := b.post(within(t, patience), subject, nil, []byte("y")); err != nil {
				t.Fatal(err)
			}
			c.wantData("y")
		})
	}
}
