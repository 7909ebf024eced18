package source_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
)

// poison has messages that would stop a consumer of nats.go, or mislead a reader of direct gets.
func poison(subject string) []*nats.Msg {
	var all []*nats.Msg
	for _, header := range []string{
		"Status: 100", "Status: 204", "Status: 404", "Status: 408", "Status: 409", "Status: 503", "Status: 204|Description: EOB",
		"Status: 100|Description: FlowControl Request", "Status: 100|Description: Idle Heartbeat|Nats-Last-Consumer: 999",
		"Nats-Sequence: 1", "Nats-Sequence: 18446744073709551615", "Nats-Subject: $SYS.secret", "Nats-Time-Stamp: 1999-01-01T00:00:00Z",
		"Nats-Stream: OTHER|Nats-Num-Pending: 0", "Nats-Num-Pending: 0|Nats-Last-Sequence: 0", "Nats-Consumer-Stalled: chat.a",
		"Nats-Marker-Reason: MaxAge", "KV-Operation: DEL", "Nats-UpTo-Sequence: 1",
	} {
		msg := nats.NewMsg(subject)
		for field := range strings.SplitSeq(header, "|") {
			name, value, _ := strings.Cut(field, ": ")
			msg.Header.Set(name, value)
		}
		all = append(all, msg)
	}
	return all
}

// No header of a publisher is mistaken for the server's. (The server itself refuses a reply subject of $JS.ACK.)
func TestPoison(t *testing.T) {
	t.Parallel()
	dial, _, stream := embeddedChats(t, nil)
	b := newFixture(t, dial, quiet)
	for _, subject := range []string{"chat.a", "unstored"} {
		t.Run(subject, func(t *testing.T) {
			c := b.read(t, bridge.Subject(subject)).wantOpen()
			conn := publisher(t, dial)
			want := poison(subject)
			for _, msg := range want {
				if err := conn.PublishMsg(msg); err != nil {
					t.Fatal(err)
				}
			}
			publish(t, conn, subject, "the end")
			first := c.message()
			wantPoison(t, c, first, want)
			if subject == "unstored" {
				return
			}
			consumers := ownConsumers(t, stream)
			c.wantNothing()
			other := newFixture(t, dial, quiet).resume(t, first.ID, bridge.Subject(subject)).wantOpen()
			other.wantPoison(t, want[1:])
			if after := ownConsumers(t, stream); len(consumers) != 1 || consumers[0] != after[0] {
				t.Errorf("the consumers were %q, and are %q: one was made anew", consumers, after)
			}
		})
	}
}

// wantPoison checks that messages arrive as published, and then the end.
func wantPoison(t *testing.T, c *client, first message, want []*nats.Msg) {
	t.Helper()
	comparePoison(t, first, want[0])
	c.wantPoison(t, want[1:])
}

func (c *client) wantPoison(t *testing.T, want []*nats.Msg) {
	t.Helper()
	for _, msg := range want {
		comparePoison(t, c.message(), msg)
	}
	c.wantData("the end")
}

func comparePoison(t *testing.T, got message, want *nats.Msg) {
	t.Helper()
	if got.Subject != want.Subject || got.Data != "" || fmt.Sprint(got.Headers) != fmt.Sprint(map[string][]string(want.Header)) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
