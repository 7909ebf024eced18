package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// listed are the settings of a bridge that lists who is on chat.>.
func listed(url string) settings {
	return openToAll(settings{"NATS_URL": url, "PRESENCE": "chat.>", "DEMO_TIME": "false"})
}

// watcher reads who is on a room, and is no member.
type watcher struct {
	*subscription
	told   []bridge.Presence
	misses bool // messages of the subject may be lost, because no stream holds them, and NATS is lost
	lastID string
}

func observe(t *testing.T, base, room string) *watcher {
	t.Helper()
	s, _ := subscribe(t, base+"/events/"+room+"?presence=observe", "")
	return &watcher{subscription: s}
}

// await reads until just these are here.
func (w *watcher) await(names ...string) bridge.Presence {
	w.t.Helper()
	return w.awaitThat(func(here []string) bool { return slices.Equal(here, names) })
}

// awaitThat reads until the names of those who are here fulfill a condition.
func (w *watcher) awaitThat(holds func(here []string) bool) bridge.Presence {
	w.t.Helper()
	for {
		event := w.next()
		if event.Type == bridge.EventGap && w.misses {
			continue
		}
		if event.Type != bridge.EventPresence {
			w.t.Fatalf("got %+v", event)
		}
		var p bridge.Presence
		noError(w.t, json.Unmarshal([]byte(event.Data), &p))
		w.told = append(w.told, p)
		if event.ID != "" {
			w.lastID = event.ID
		}
		if holds(namesOf(p)) {
			return p
		}
	}
}

func namesOf(p bridge.Presence) (names []string) {
	for _, m := range p.Members {
		names = append(names, m.Name)
	}
	slices.Sort(names)
	return names
}

// left returns who was told to have left.
func (w *watcher) left() (names []string) {
	for _, p := range w.told {
		names = append(names, p.Left...)
	}
	return names
}

// whoIs asks for the document of a room.
func whoIs(t *testing.T, base, room string) (p bridge.Presence) {
	t.Helper()
	status, text := get(t, base+"/presence/"+room)
	if err := json.Unmarshal([]byte(text), &p); status != http.StatusOK || err != nil {
		t.Fatalf("%d %s: %v", status, text, err)
	}
	return p
}

// enter opens a connection under a name.
func enter(t *testing.T, base, room, name string) *subscription {
	t.Helper()
	s, _ := subscribe(t, base+"/events/"+room+"?name="+name, "")
	return s
}

// TestPresenceOnTwoBridges: people on two bridges see each other come and go; a page that is loaded again does neither; back ends see it in
// the bucket.
func TestPresenceOnTwoBridges(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	one, two := startNode(t, listed(server.URL())), startNode(t, listed(server.URL()))
	w := observe(t, one.URL(), "chat.房间")
	enter(t, one.URL(), "chat.房间", "Ada")
	w.await("Ada")
	ben := enter(t, two.URL(), "chat.房间", "Ben")
	if p := w.await("Ada", "Ben"); p.Type != bridge.PresenceJoin || !slices.Equal(p.Joined, []string{"Ben"}) || p.Count != 2 {
		t.Errorf("told %+v", p)
	}
	tab := enter(t, one.URL(), "chat.房间", "Ben") // in another tab, at the other bridge
	ben.body.Close()
	ben = enter(t, two.URL(), "chat.房间", "Ben")
	for _, base := range []string{one.URL(), two.URL()} {
		if p := whoIs(t, base, "chat.房间"); !slices.Equal(namesOf(p), []string{"Ada", "Ben"}) {
			t.Errorf("the document has %+v", p)
		}
	}
	kv, err := connectJetStream(t, server.URL()).KeyValue(t.Context(), bridge.PresenceBucket)
	noError(t, err)
	seen, err := kv.Watch(t.Context(), "chat.>")
	noError(t, err)
	if value := <-seen.Updates(); value == nil || value.Key() != "chat.房间" || !strings.Contains(string(value.Value()), `"name":"Ben"`) {
		t.Errorf("a back end sees %v", value)
	}
	_ = seen.Stop()
	tab.body.Close()
	ben.body.Close()
	if p := w.await("Ada"); p.Type != bridge.PresenceLeave || !slices.Equal(p.Left, []string{"Ben"}) {
		t.Errorf("told %+v", p)
	}
	if got := w.left(); !slices.Equal(got, []string{"Ben"}) {
		t.Errorf("left: %q", got)
	}
	if n := two.figure(t, "tailwater_presence_writes_total"); n < 2 {
		t.Errorf("%d writes are counted", n)
	}
}

// TestPresenceOverReconnect: a page that kept its position alone is told who is here when it comes back, on the same bridge and on another.
func TestPresenceOverReconnect(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	one, two := startNode(t, listed(server.URL())), startNode(t, listed(server.URL()))
	enter(t, one.URL(), "chat.a", "Ada")
	w := observe(t, one.URL(), "chat.a")
	w.await("Ada")
	enter(t, one.URL(), "chat.a", "Ben")
	w.await("Ada", "Ben")
	id := w.lastID
	w.body.Close()
	for _, base := range []string{one.URL(), two.URL()} {
		s, _ := subscribe(t, base+"/events/chat.a?presence=observe", id)
		back := &watcher{subscription: s}
		back.await("Ada", "Ben")
		if got := back.left(); len(got) > 0 {
			t.Errorf("left: %q", got)
		}
	}
}

// TestPresenceWithoutJetStream: each bridge lists its own; check and the log say so, and what to do.
func TestPresenceWithoutJetStream(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t, "-c", writeFile(t, t.TempDir(), "nats.conf", "accounts { A: { users: [ { user: bridge, password: s3cret } ] } }"))
	s := listed(fmt.Sprintf("nats://bridge:s3cret@127.0.0.1:%d", server.Port))
	if code, out, _ := call(t, s, "check"); code != 0 || !strings.Contains(out, "! each bridge lists its own members") || !strings.Contains(out, "marked with an exclamation mark") {
		t.Errorf("exit code %d of check:\n%s", code, out)
	}
	log := &bridgetest.Output{}
	one, two := startLogged(t, s, log), startNode(t, s)
	enter(t, one.URL(), "chat.a", "Ada")
	enter(t, two.URL(), "chat.a", "Ben")
	for base, name := range map[string]string{one.URL(): "Ada", two.URL(): "Ben"} {
		observe(t, base, "chat.a").await(name)
		if p := whoIs(t, base, "chat.a"); !slices.Equal(namesOf(p), []string{name}) {
			t.Errorf("the document has %+v", p)
		}
	}
	if !strings.Contains(log.String(), "cannot see the members of other bridges") || !strings.Contains(log.String(), "tailwater check") {
		t.Errorf("the log:\n%s", log.String())
	}
}

// TestCheckSaysWhatBecomesOfPresence: the bucket is there, will be made, or cannot be, and then why.
func TestCheckSaysWhatBecomesOfPresence(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	s := listed(server.URL())
	says := func(want string, code int) {
		t.Helper()
		if got, out, stderr := call(t, s, "check"); got != code || !strings.Contains(out, want) {
			t.Errorf("exit code %d of check, which does not say %q:\n%s%s", got, want, out, stderr)
		}
	}
	says("chat.>, in the bucket tailwater_presence, which is made at the start", 0)
	js := connectJetStream(t, server.URL())
	if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: bridge.PresenceBucket}); err != nil {
		t.Fatal(err)
	}
	says("allows no time to live of single keys; delete it, and the bridge makes another", 0)
	noError(t, js.DeleteKeyValue(t.Context(), bridge.PresenceBucket))
	if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: bridge.PresenceBucket, LimitMarkerTTL: time.Minute}); err != nil {
		t.Fatal(err)
	}
	says("chat.>, in the bucket tailwater_presence, which all bridges share", 0)
}

// TestCheckNamesRefusedWritesOfPresence: check says that nobody will be listed if NATS does not let the bridge write, and writes nothing.
func TestCheckNamesRefusedWritesOfPresence(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t, "-c", writeFile(t, t.TempDir(), "nats.conf", `jetstream: {}
accounts { A: { jetstream: enabled, users: [
	{ user: all, password: s3cret }
	{ user: reader, password: s3cret, permissions: { publish: ["$JS.API.>", "$JS.ACK.>", "_INBOX.>", "_INBOX_tailwater.>"], subscribe: ">" } }
] } }`))
	url := func(user string) string { return fmt.Sprintf("nats://%s:s3cret@127.0.0.1:%d", user, server.Port) }
	kv, err := connectJetStream(t, url("all")).CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: bridge.PresenceBucket, LimitMarkerTTL: time.Minute})
	noError(t, err)
	for user, want := range map[string]string{"all": "which all bridges share", "reader": "! nobody on this bridge will be listed: "} {
		if code, out, _ := call(t, with(listed(url(user)), settings{"ANONYMOUS_PUBLISH": ""}), "check"); code != 0 || !strings.Contains(out, want) {
			t.Errorf("exit code %d of check by %s, which does not say %q:\n%s", code, user, want, out)
		}
	}
	if keys, err := kv.Keys(t.Context()); !errors.Is(err, jetstream.ErrNoKeysFound) {
		t.Errorf("check has written %v: %v", keys, err)
	}
}

// TestChaosPresenceOfKilledBridge: the members of a bridge that is killed are gone within 30 seconds, and nobody else is told to have left.
func TestChaosPresenceOfKilledBridge(t *testing.T) {
	onlySoak(t)
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	one := startProcess(t, environ(listed(server.URL()))...)
	two := startNode(t, listed(server.URL()))
	enter(t, two.URL(), "chat.a", "Ben")
	enter(t, one.http, "chat.a", "Ada")
	w := observe(t, two.URL(), "chat.a")
	w.await("Ada", "Ben")
	began := time.Now()
	noError(t, one.cmd.Process.Kill())
	w.await("Ben")
	t.Logf("gone after %v", time.Since(began))
	if got := w.left(); !slices.Equal(got, []string{"Ada"}) {
		t.Errorf("left: %q", got)
	}
}

// TestChaosPresenceOverRestart: NATS is restarted, and nobody is told to have left.
func TestChaosPresenceOverRestart(t *testing.T) {
	onlySoak(t)
	server := bridgetest.StartNATSServer(t)
	one, two := startNode(t, listed(server.URL())), startNode(t, listed(server.URL()))
	enter(t, one.URL(), "chat.a", "Ada")
	enter(t, two.URL(), "chat.a", "Ben")
	w := observe(t, one.URL(), "chat.a")
	w.await("Ada", "Ben")
	w.misses = true
	server.Kill()
	server.Start(t)
	enter(t, two.URL(), "chat.a", "Cleo")
	w.await("Ada", "Ben", "Cleo")
	if got := w.left(); len(got) > 0 {
		t.Errorf("left: %q", got)
	}
}

// TestChaosPresenceInCluster: the bucket has three replicas; servers are killed in turn, and nobody is told to have left.
func TestChaosPresenceInCluster(t *testing.T) {
	onlySoak(t)
	servers, urls := startCluster(t)
	connectJetStream(t, urls...)
	s := listed(strings.Join(urls, ","))
	s["HISTORY_REPLICAS"] = "3"
	one, two := startNode(t, s), startNode(t, s)
	enter(t, one.URL(), "chat.a", "Ada")
	enter(t, two.URL(), "chat.a", "Ben")
	w := observe(t, one.URL(), "chat.a")
	w.await("Ada", "Ben")
	w.misses = true
	names := []string{"Ada", "Ben"}
	for i, server := range servers {
		server.Kill()
		name := fmt.Sprint("C", i)
		enter(t, two.URL(), "chat.a", name)
		names = append(names, name)
		w.await(names...)
		server.Start(t)
		eventually(t, "the server is there again", func() bool {
			return whoIs(t, one.URL(), "chat.a").Count == len(names)
		})
	}
	if got := w.left(); len(got) > 0 {
		t.Errorf("left: %q", got)
	}
}

// TestChaosPresenceOfThousand: a thousand people come and go on ten bridges, in one room.
func TestChaosPresenceOfThousand(t *testing.T) {
	onlySoak(t)
	server := bridgetest.StartNATSServer(t)
	var bridges []*testNode
	for range 10 {
		bridges = append(bridges, startNode(t, listed(server.URL())))
	}
	var open []*subscription
	for i := range 1000 {
		open = append(open, enter(t, bridges[i%10].URL(), "chat.a", fmt.Sprint("member", i)))
	}
	eventually(t, "all are counted", func() bool { return whoIs(t, bridges[0].URL(), "chat.a").Count == 1000 })
	for _, s := range open {
		s.body.Close()
	}
	eventually(t, "all have left", func() bool { return whoIs(t, bridges[0].URL(), "chat.a").Count == 0 })
	var admins []string
	for _, n := range bridges {
		admins = append(admins, n.AdminURL())
	}
	costs(t, "1,000 members on ten bridges came and went", admins)
}

// costs logs what bridges have written until now, and checks that no write has failed.
func costs(t *testing.T, what string, admins []string) {
	t.Helper()
	var sums [4]int64
	for i, name := range []string{"writes", "bytes", "conflicts", "failures"} {
		for _, admin := range admins {
			sums[i] += figureOf(t, admin, "tailwater_presence_"+name+"_total")
		}
	}
	t.Logf("%s: %d writes of %d bytes in all, %d conflicts", what, sums[0], sums[1], sums[2])
	if sums[3] > 0 {
		t.Errorf("%d writes failed", sums[3])
	}
}
