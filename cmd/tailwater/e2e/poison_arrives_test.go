package e2e

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// poisons are headers with which NATS servers and clients speak among themselves. From a publisher they mean nothing.
var poisons = []nats.Header{
	{"Status": {"100"}},
	{"Status": {"100"}, "Description": {"Idle Heartbeat"}},
	{"Status": {"100"}, "Description": {"FlowControl Request"}},
	{"Status": {"204"}, "Description": {"EOB"}},
	{"Status": {"404"}, "Description": {"No Messages"}},
	{"Status": {"408"}},
	{"Status": {"409"}, "Description": {"Consumer Deleted"}},
	{"Status": {"503"}},
	{"Nats-Sequence": {"1"}},
	{"Nats-Sequence": {"18446744073709551615"}, "Nats-Stream": {"CHAT"}, "Nats-Num-Pending": {"0"}},
	{"Nats-Subject": {"chat.other"}},
	{"Nats-Time-Stamp": {"1970-01-01T00:00:00Z"}},
	{"Nats-Last-Consumer": {"99"}, "Nats-Last-Stream": {"99"}},
	{"Nats-Consumer-Stalled": {"chat.stalled"}},
	{"Nats-Last-Sequence": {"0"}, "Nats-Pending-Messages": {"0"}, "Nats-UpTo-Sequence": {"1"}},
	{}, // nothing at all
}

// forgedReply looks like that of a message that a consumer delivers, far ahead of all there is. From clients nats-server
// takes none that begins with $JS.ACK, which is why such a reply proves a position; this is the nearest that can be had.
const forgedReply = "JS.ACK.CHAT.tap.1.999999.999999.1700000000000000000.0"

// Poison among normal messages: all of it arrives, as what it is, live, from the store and where nothing is stored.
func TestChaosPoison(t *testing.T) {
	t.Parallel()
	for name, stored := range map[string]bool{"stored": true, "core": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := bridgetest.StartNATSServer(t)
			if stored {
				createStream(t, connectJetStream(t, server.URL()), nil)
			}
			b := startBridge(t, settings{"NATS_URL": server.URL()})
			live, opening := subscribe(t, "http://"+b.address+"/events/chat.a?format=json", "")
			want := publishPoison(t, server.URL())
			seen := expectPoison(t, live, want)
			if !stored {
				return
			}
			b.kill() // so that nothing but the store has them
			b.start()
			half := len(want) / 2
			for from, rest := range map[string][]bridgetest.Event{opening.ID: seen, seen[half].ID: seen[half+1:]} {
				replayed, again := subscribe(t, "http://"+b.address+"/events/chat.a?format=json", from)
				if again.Type != "tailwater:open" || again.ID != from {
					t.Errorf("the resume at %s begins with %+v", from, again)
				}
				for i, sent := range rest { // byte for byte what came live, headers and all
					if event := replayed.next(); event != sent {
						t.Fatalf("message %d of %d is replayed as %+v, and was %+v", i, len(rest), event, sent)
					}
				}
			}
		})
	}
}

// poisoned is the expected form of a message at a client.
type poisoned struct {
	data   string
	header nats.Header
}

func publishPoison(t *testing.T, url string) (sent []poisoned) {
	t.Helper()
	conn := publisher(t, url)
	for round := range length(3, 60) { // no more than a feed holds: where nothing is stored, more may be lost by who lags
		for i, header := range poisons {
			for _, data := range []string{"", fmt.Sprint("text ", round, i)} {
				for _, reply := range []string{"", forgedReply} {
					message := &nats.Msg{Subject: "chat.a", Reply: reply, Header: header, Data: []byte(data)}
					noError(t, conn.PublishMsg(message))
					sent = append(sent, poisoned{data, header})
				}
			}
		}
		noError(t, conn.Publish("chat.a", []byte(fmt.Sprint("normal ", round))))
		sent = append(sent, poisoned{data: fmt.Sprint("normal ", round)})
	}
	return sent
}

// expectPoison reads all that was sent.
func expectPoison(t *testing.T, reader *subscription, want []poisoned) (seen []bridgetest.Event) {
	t.Helper()
	for i, sent := range want {
		event := reader.next()
		var object struct {
			Subject, ID, Data string
			Headers           map[string][]string
		}
		decode(t, event.Data, &object)
		if object.Subject != "chat.a" || object.Data != sent.data || object.ID != event.ID || event.Type != "message" {
			t.Fatalf("message %d of %d is %+v, want %+v", i, len(want), event, sent)
		}
		for name, values := range sent.header {
			if got := object.Headers[name]; len(got) == 0 || got[0] != values[0] {
				t.Errorf("message %d has the header %s: %q, want %q", i, name, got, values)
			}
		}
		seen = append(seen, event)
	}
	return seen
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
}
