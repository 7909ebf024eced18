package main

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
)

// TestHostileRequests sends everything that might reach a forbidden subject, by each caller and method. No answer holds what
// was published there, whether before or while it was open; nothing arrives there; nothing redirects; NATS is told nothing that
// it would not understand; and whose token is no good is told so wherever it would matter.
func TestHostileRequests(t *testing.T) {
	all := intrusions()
	if len(all) < 4*300 {
		t.Fatalf("there are only %d intrusions", len(all))
	}
	var log logBuffer
	n := startLogged(t, callers, &log)
	strangers := strangers(t, n)
	conn := publisher(t, n.natsURL())
	storeCanaries(t, conn)
	misplaced := watchMisplaced(t, conn, strangers)
	reader, _ := subscribe(t, n.url()+"/events/chat.end", "")

	answers := make([]*answers, len(strangers))
	for i, s := range strangers {
		answers[i] = s.intrude(t, n.address, share(all, i))
	}
	for _, a := range answers {
		a.begun.Wait()
	}
	sing(t, conn)
	if err := conn.Publish("chat.end", []byte("end")); err != nil {
		t.Fatal(err)
	}
	reader.expect("message", "end") // behind the canaries, which went the same way
	stats := n.api.Stats()
	n.stop(t)
	reader.body.Close()

	for i, s := range strangers {
		answers[i].ended.Wait()
		answers[i].check(t, s, answers[0])
	}
	if stats.TurnedAway > 0 || slices.Max(slices.Collect(maps.Values(stats.Limited))) > 0 {
		t.Errorf("limits have refused what grants should have: %+v", stats)
	}
	for _, subject := range misplaced() {
		t.Errorf("a stranger published on %s", subject)
	}
	for line := range strings.Lines(log.String()) {
		isNews := strings.Contains(line, "level=ERROR") || strings.Contains(line, "level=WARN")
		if isNews && !strings.Contains(line, `msg="refused a token"`) {
			t.Errorf("the log: %s", line)
		}
	}
}

// share gives what the i-th stranger tries: the first all of it, and each of the others a quarter, so that everything is tried
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
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.AddStream(&nats.StreamConfig{Name: "SECRET", Subjects: []string{"secret.>", "tenant.>"}}); err != nil {
		t.Fatal(err)
	}
	for _, bucket := range []string{"canary", "config"} {
		if _, err := js.CreateKeyValue(&nats.KeyValueConfig{Bucket: bucket}); err != nil {
			t.Fatal(err)
		}
	}
	sing(t, conn)
}

// watchMisplaced gives the subjects on which strangers have published what they may not.
func watchMisplaced(t *testing.T, conn *nats.Conn, strangers []stranger) func() []string {
	t.Helper()
	var mu sync.Mutex
	var found []string
	_, err := conn.Subscribe(">", func(m *nats.Msg) {
		// What consumers deliver comes on inboxes of the bridge's own.
		isDelivered := strings.HasPrefix(m.Subject, "_INBOX") && !strings.HasPrefix(m.Subject, "_INBOX.canary.")
		if body := string(m.Data); isDelivered || !strings.HasPrefix(body, planted[:5]) || mayWrite(strangers, body, m.Subject) {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		found = append(found, m.Subject+": "+string(m.Data))
	})
	if err == nil {
		err = conn.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return found
	}
}
