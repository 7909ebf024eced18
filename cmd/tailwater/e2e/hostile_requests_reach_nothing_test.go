package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// TestHostileRequests sends everything that might reach a forbidden subject, by each caller and method. No answer holds what
// was published there, whether before or while it was open; nothing arrives there; nothing redirects; NATS is told nothing that
// it would not understand; and whose token is no good is told so wherever it would matter.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	all := intrusions()
	if len(all) < 4*300 {
		t.Fatalf("there are only %d intrusions", len(all))
	}
	all = everyNth(all, length(7, 1)) // eight of them are about one subject: all subjects and all kinds are among them
	b := openHostileFixture(t, callers, http.DefaultClient)
	for i, s := range b.strangers {
		b.answers[i] = s.intrude(t, b.node.Address(), share(all, i))
	}
	b.checkKey(t)
	b.check(t)
}

// victimsKey is a key that somebody else uses, and strangers guess.
const victimsKey = "order-1234"

// checkKey checks that the strangers, once all have posted, have used up nobody's key on the subject but their own.
func (b *hostileFixture) checkKey(t *testing.T) {
	t.Helper()
	for _, a := range b.answers {
		a.begun.Wait()
	}
	victim := sign(t, tokenSecret, claimsOf("victim", ""))
	for _, token := range []string{victim, ""} {
		if status, body := postKey(t, b.node.URL()+"/events/chat.room1", token, victimsKey, "of a victim"); status != 201 || !strings.Contains(body, `"duplicate":false`) {
			t.Errorf("somebody has used up the victim's key: %d %s", status, body)
		}
	}
	js, err := b.conn.JetStream()
	noError(t, err)
	if ack, err := js.Publish("chat.room1", []byte("of a backend"), nats.MsgId(victimsKey)); err != nil || ack.Duplicate {
		t.Errorf("somebody has used up the id of a backend: %+v, %v", ack, err)
	}
}

// hostileFixture is a node that strangers call, with canaries on what is not theirs.
type hostileFixture struct {
	node      *testNode
	log       bridgetest.Output
	conn      *nats.Conn
	strangers []stranger
	answers   []*answers // to each of them
	misplaced func() []string
}

func openHostileFixture(t *testing.T, s settings, client *http.Client) *hostileFixture {
	t.Helper()
	b := &hostileFixture{}
	b.node = startLogged(t, s, &b.log)
	b.strangers = strangers(t, b.node, client)
	b.answers = make([]*answers, len(b.strangers))
	b.conn = b.node.client(t, publisherFile)
	storeCanaries(t, b.conn)
	b.misplaced = watchMisplaced(t, b.conn, b.strangers)
	return b
}

// check lets the canaries sing while connections are open, ends them, and looks at all answers.
func (b *hostileFixture) check(t *testing.T) {
	t.Helper()
	for _, a := range b.answers {
		a.begun.Wait()
	}
	sing(t, b.conn, meanwhile)
	for i, s := range b.strangers { // canaries that may be heard take the same ways as those that may not
		for _, subject := range s.hears {
			eventually(t, s.name+" hears the canary on "+subject, func() bool { return b.answers[i].have(song(subject, meanwhile)) })
		}
	}
	stats := b.node.Live.Stats().Requests
	b.node.stop(t)
	for i, s := range b.strangers {
		b.answers[i].ended.Wait()
		b.answers[i].check(t, s, b.answers[0])
	}
	if stats.TurnedAway > 0 || slices.Max(slices.Collect(maps.Values(stats.Limited))) > 0 {
		t.Errorf("limits have refused what grants should have: %+v", stats)
	}
	for _, subject := range b.misplaced() {
		t.Errorf("a stranger published on %s", subject)
	}
	for line := range strings.Lines(b.log.String()) {
		isNews := strings.Contains(line, "level=ERROR") || strings.Contains(line, "level=WARN")
		// A machine that is busy with other things as well may keep a consumer's heartbeat waiting.
		isBusy := strings.Contains(line, `msg="cannot read a stream yet"`) && strings.Contains(line, "no sign of its consumer")
		if isNews && !isBusy && !strings.Contains(line, `msg="refused a token"`) {
			t.Errorf("the log: %s", line)
		}
	}
}

// share returns what the i-th stranger tries: the first all of it, and each of the others a quarter, so that everything is tried
// with a good token, of which there are four. What has to do with who they are is tried by everybody.
func share(all []intrusion, i int) []intrusion {
	if i == 0 {
		return slices.Concat(all, personal)
	}
	var some []intrusion
	for at, intrusion := range all {
		if (at+at/8)%4 == i%4 { // eight of them are about one subject
			some = append(some, intrusion)
		}
	}
	return append(some, personal...)
}

// storeCanaries keeps canaries in streams and a bucket, beside a bucket that anyone may read.
func storeCanaries(t *testing.T, conn *nats.Conn) {
	t.Helper()
	js, err := conn.JetStream()
	noError(t, err)
	if _, err := js.AddStream(&nats.StreamConfig{Name: "SECRET", Subjects: []string{"secret.>", "tenant.>"}}); err != nil {
		t.Fatal(err)
	}
	for _, bucket := range []string{"canary", "config"} {
		if _, err := js.CreateKeyValue(&nats.KeyValueConfig{Bucket: bucket}); err != nil {
			t.Fatal(err)
		}
	}
	sing(t, conn, before)
}

// commands reports whether a message has a header that a bridge passes on from no request.
func commands(header nats.Header) bool {
	for name, values := range header {
		isKey := name == "Nats-Msg-Id" && strings.HasPrefix(values[0], "tailwater-key.")
		if !isKey && name != "Tailwater-Event" && name != "traceparent" {
			return true
		}
	}
	return false
}

// watchMisplaced returns what strangers have published where they may not, or with headers that they may not send.
func watchMisplaced(t *testing.T, conn *nats.Conn, strangers []stranger) func() []string {
	t.Helper()
	var mu sync.Mutex
	var found []string
	_, err := conn.Subscribe(">", func(m *nats.Msg) {
		// What consumers deliver comes on inboxes of the bridge's own.
		isDelivered := strings.HasPrefix(m.Subject, "_INBOX") && !strings.HasPrefix(m.Subject, "_INBOX.canary.")
		if body := string(m.Data); isDelivered || !strings.HasPrefix(body, planted[:5]) || mayWrite(strangers, body, m.Subject) && !commands(m.Header) {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		found = append(found, fmt.Sprint(m.Subject, " ", m.Header, ": ", string(m.Data)))
	})
	if err == nil {
		err = conn.Flush()
	}
	noError(t, err)
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return found
	}
}

// everyNth returns the first intrusion, and each that is n further.
func everyNth(all []intrusion, n int) (some []intrusion) {
	for i := 0; i < len(all); i += n {
		some = append(some, all[i])
	}
	return some
}
