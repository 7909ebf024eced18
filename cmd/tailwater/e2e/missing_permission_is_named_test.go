package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// deprivation is one thing that NATS does not allow to the bridge.
type deprivation struct {
	limits    string // of the server
	account   string // limits of the account
	jetStream string // those of its JetStream; "" for none
	block     string // the permissions of the bridge's user; "" for all
	// impose and relieve change something by other means than the configuration; nil for nothing.
	impose, relieve func(t *testing.T, js jetstream.JetStream)
	isRestarted     bool // nats-server does not reload this limit

	mute     []string // subjects of which nothing need arrive while it lasts
	unposted []string // subjects to which callers need not be able to publish
	said     string   // what the log, /readyz or check must name; "" for nothing
}

// deprivedSettings are those of the bridges here: LOG allows no direct gets, and nothing holds live.>.
var deprivedSettings = settings{
	"ANONYMOUS_SUBSCRIBE": "chat.>,log.>,live.>", "ANONYMOUS_PUBLISH": "chat.>,live.>",
	"HISTORY": "chat.>", "HISTORY_MAX_BYTES": "16MiB", "LIMIT_BODY": "64KiB",
}

// TestWithoutOnePermission takes away each permission that check prints, one at a time: everything that does not need it
// is served, nobody is told that a subject is open which brings nothing, the bridge names it, and once it is allowed
// again everything is served without a restart of the bridge.
func TestWithoutOnePermission(t *testing.T) {
	onlySoak(t) // TestCheckFindsMissingPermissions and TestTwoUnrelatedPermissionsAreMissing have some of them
	t.Parallel()
	var all []block
	t.Run("check", func(t *testing.T) { all = printedPermissions(t) }) // its environment is its own
	for _, without := range all {
		d := deprivation{block: without.block, said: fixedTokens(without.subject)}
		if slices.Contains(atOtherTimes, without.subject) && (without.publish == strings.HasPrefix(without.subject, "$")) {
			d.said = "" // see TestCheckNamesMissingPermissions
		}
		switch {
		case !without.publish && without.subject == "live.>":
			d.mute = []string{"live."}
		case without.publish && (without.subject == "live.>" || without.subject == "chat.>"):
			d.unposted = []string{strings.TrimSuffix(without.subject, ">")}
		}
		name := "subscribe " + without.subject
		if without.publish {
			name = "publish " + without.subject
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d.run(t)
		})
	}
}

// atOtherTimes are permissions that nothing needs while the streams are there and messages are few.
var atOtherTimes = []string{"chat.>", "log.>", "$JS.API.STREAM.CREATE.TAILWATER"}

// printedPermissions are what check prints for deprivedSettings, without one of them, for each.
func printedPermissions(t *testing.T) []block {
	t.Helper()
	server := bridgetest.StartNATSServer(t)
	code, out, stderr := call(t, with(deprivedSettings, settings{"NATS_URL": server.URL()}), "check")
	_, printed, _ := strings.Cut(out, "nats-server\n")
	printed, _, found := strings.Cut(printed, "\nVerdict: ")
	if code != 0 || !found {
		t.Fatalf("exit code %d of check:\n%s%s", code, out, stderr)
	}
	return weaken(t, t.TempDir(), printed)
}

// TestAtOneLimit is TestWithoutOnePermission for each limit that NATS has.
func TestAtOneLimit(t *testing.T) {
	onlySoak(t) // TestMissingStorage and TestLimitOfSubscriptions have some of them
	t.Parallel()
	chatMust := func(change func(*jetstream.StreamConfig)) func(*testing.T, jetstream.JetStream) {
		return func(t *testing.T, js jetstream.JetStream) {
			config := chatStream
			change(&config)
			if _, err := js.UpdateStream(t.Context(), config); err != nil {
				t.Fatal(err)
			}
		}
	}
	asBefore := chatMust(func(*jetstream.StreamConfig) {})
	full := func(change func(*jetstream.StreamConfig)) deprivation {
		// What its stream refuses is no message of it.
		return deprivation{impose: chatMust(change), relieve: asBefore, mute: []string{"chat."}, unposted: []string{"chat."}}
	}
	for name, d := range map[string]deprivation{
		"subscriptions of a connection": {
			limits: "max_subscriptions: 5", isRestarted: true, mute: []string{"live.", "chat.", "log."}, said: "max_subscriptions",
		},
		"subscriptions of the account": {account: "max_subscriptions: 6", mute: []string{"live.", "chat.", "log."}, said: "max_subscriptions"},
		"connections of the account":   {account: "max_connections: 2", said: "maximum account active connections"},
		"payload":                      {account: "max_payload: 600"},
		"streams of the account":       {jetStream: "max_streams: 2", impose: withoutChat, said: "maximum number of streams"},
		"consumers of the account":     {jetStream: "max_consumers: 1"},
		"storage of the account":       {jetStream: "max_store: 30MB"},
		"consumers of a stream": {
			impose: chatMustNotBeConsumed, relieve: func(t *testing.T, js jetstream.JetStream) {
				noError(t, js.DeleteConsumer(t.Context(), chatStream.Name, "other"))
			}, said: "maximum consumers",
		},
		"messages of a stream": full(func(c *jetstream.StreamConfig) { c.MaxMsgs, c.Discard = 1, jetstream.DiscardNew }),
		"bytes of a stream":    full(func(c *jetstream.StreamConfig) { c.MaxBytes, c.Discard = 1, jetstream.DiscardNew }),
		"messages' size":       full(func(c *jetstream.StreamConfig) { c.MaxMsgSize = 1 }),
		"limits of consumers": {impose: chatMust(func(c *jetstream.StreamConfig) {
			c.ConsumerLimits = jetstream.StreamConsumerLimits{InactiveThreshold: 5 * time.Second, MaxAckPending: 3}
		}), relieve: asBefore},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d.run(t)
		})
	}
}

// withoutChat leaves no room for the stream of Tailwater's own.
func withoutChat(t *testing.T, js jetstream.JetStream) {
	noError(t, js.DeleteStream(t.Context(), chatStream.Name))
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "OTHER", Subjects: []string{"other"}}); err != nil {
		t.Fatal(err)
	}
}

func chatMustNotBeConsumed(t *testing.T, js jetstream.JetStream) {
	config := chatStream
	config.MaxConsumers = 1
	noError(t, js.DeleteStream(t.Context(), config.Name))
	if _, err := js.CreateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateConsumer(t.Context(), config.Name, jetstream.ConsumerConfig{Durable: "other"}); err != nil {
		t.Fatal(err)
	}
}

// write writes nats-server's configuration; d is nil where nothing is taken away.
func (d *deprivation) write(t *testing.T, dir string) string {
	t.Helper()
	if d == nil {
		d = new(deprivation)
	}
	jetStream := "enabled"
	if d.jetStream != "" {
		jetStream = "{ " + d.jetStream + " }"
	}
	return writeFile(t, dir, "nats.conf", fmt.Sprintf(`%s
accounts { A {
	jetstream: %s
	limits: { %s }
	users = [ { user: admin, password: s3cret }
	{ user: bridge, password: s3cret
	%s } ] } }
`, d.limits, jetStream, d.account, d.block))
}

// run serves while it lasts, and when it is over.
func (d *deprivation) run(t *testing.T) {
	dir := t.TempDir()
	server := bridgetest.StartNATSServer(t, "-c", (*deprivation)(nil).write(t, dir))
	url := func(user string) string { return fmt.Sprintf("nats://%s:s3cret@127.0.0.1:%d", user, server.Port) }
	d.furnish(t, url("admin"))
	change := func(to *deprivation) {
		to.write(t, dir)
		if d.isRestarted || to != nil {
			server.Kill()
			server.Start(t)
			return
		}
		server.Reload(t)
	}
	change(d)
	admin := publisher(t, url("admin"))
	log := new(bridgetest.Output)
	n := startLogged(t, with(deprivedSettings, settings{"NATS_URL": url("bridge")}), log)
	b := &deprived{testNode: n, t: t, admin: admin}
	b.listen()
	for _, e := range b.ears {
		b.mustHear(e, d.mute)
	}
	b.mustPost(d.unposted)
	if d.relieve == nil { // what a stream refuses is nobody's
		b.wantNotDeaf()
	}
	eventually(t, "it is named: "+d.said, func() bool {
		_, ready := get(t, n.AdminURL()+"/readyz")
		return strings.Contains(log.String()+ready, d.said)
	})
	if t.Failed() {
		return
	}
	if d.relieve != nil {
		d.relieve(t, connectJetStream(t, url("admin")))
	} else {
		change(nil)
	}
	for _, e := range b.ears {
		b.mustHear(e, nil)
	}
	b.mustPost(nil)
	if t.Failed() {
		t.Log(log.String())
	}
}

func (d *deprivation) furnish(t *testing.T, url string) {
	t.Helper()
	conn, err := nats.Connect(url)
	noError(t, err)
	defer conn.Close() // an account may allow only so many
	js, err := jetstream.New(conn)
	noError(t, err)
	for _, config := range []jetstream.StreamConfig{logStream, chatStream} {
		if _, err := js.CreateStream(t.Context(), config); err != nil {
			t.Fatal(err)
		}
		if _, err := js.Publish(t.Context(), strings.Replace(config.Subjects[0], ">", "before", 1), []byte("before")); err != nil {
			t.Fatal(err)
		}
	}
	if d.impose != nil {
		d.impose(t, js)
	}
}

// deprived is a bridge, and those who read from it.
type deprived struct {
	*testNode
	t     *testing.T
	admin *nats.Conn
	ears  []*ear
	count int

	listening sync.WaitGroup
}

// ear is one connection, and what it has heard.
type ear struct {
	path     string
	subjects []string
	log      *bridgetest.Output // the kinds of events, and the payloads
}

func (b *deprived) listen() {
	b.t.Helper()
	for _, e := range []*ear{
		{path: "/events/live.a", subjects: []string{"live.a"}},
		{path: "/events/chat.a", subjects: []string{"chat.a"}},
		{path: "/events/log.a", subjects: []string{"log.a"}},
		{path: "/events/chat.before?since=all", subjects: []string{"chat.before"}},
		{path: "/events/log.before?since=all", subjects: []string{"log.before"}},
		{path: "/events/chat.before?since=last", subjects: []string{"chat.before"}},
		{path: "/events/chat.b?since=1h", subjects: []string{"chat.b"}},
		{path: "/events?subject=chat.c&subject=live.c&subject=log.c", subjects: []string{"chat.c", "log.c", "live.c"}},
	} {
		e.log = new(bridgetest.Output)
		b.ears = append(b.ears, e)
		request, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, withQuery(b.URL()+e.path), nil)
		noError(b.t, err)
		response, err := http.DefaultClient.Do(request)
		if err != nil || response.StatusCode != http.StatusOK {
			b.t.Fatalf("GET %s: %v, %v", e.path, response, err)
		}
		b.listening.Go(func() {
			defer response.Body.Close()
			for stream := bridgetest.NewStream(response.Body); ; {
				event, err := stream.Next()
				if err != nil {
					return
				}
				fmt.Fprintf(e.log, "%s %s\n", event.Type, event.Data)
			}
		})
	}
}

// isOpen reports whether the connection was told how it begins.
func (e *ear) isOpen() bool { return e.log.String() != "" }

func (e *ear) gaps() int { return strings.Count(e.log.String(), bridge.EventGap+" ") }

// isTold reports whether a gap has said of the connection that something is missing.
func (e *ear) isTold() bool { return e.gaps() > 0 }

func isBelow(prefixes []string, subject string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(subject, prefix) })
}

// mustHear waits until what is published on the connection's subjects arrives, but for those that are mute.
func (b *deprived) mustHear(e *ear, mute []string) {
	b.t.Helper()
	for _, subject := range e.subjects {
		if isBelow(mute, subject) {
			continue
		}
		if !b.waits(func() bool { return e.isOpen() }) {
			b.t.Errorf("%s is not told that it is open", e.path)
			return
		}
		b.mustArrive(e, subject)
	}
}

// mustArrive publishes until a message arrives, once for each gap.
func (b *deprived) mustArrive(e *ear, subject string) {
	b.t.Helper()
	for {
		gaps := e.gaps()
		b.count++
		text := fmt.Sprintf("message %d;", b.count)
		noError(b.t, b.admin.Publish(subject, []byte(text)))
		if !b.waits(func() bool { return strings.Contains(e.log.String(), text) || e.gaps() > gaps }) {
			b.t.Errorf("%s does not bring %s; it has brought\n%s", e.path, subject, e.log)
			return
		}
		if strings.Contains(e.log.String(), text) {
			return
		}
	}
}

// wantNotDeaf wants who was told open, and no gap, to hear.
func (b *deprived) wantNotDeaf() {
	b.t.Helper()
	for _, e := range b.ears {
		for _, subject := range e.subjects {
			if e.isOpen() && !e.isTold() {
				b.mustArrive(e, subject)
			}
		}
	}
}

// mustPost publishes as a caller, but to what need not be possible.
func (b *deprived) mustPost(unposted []string) {
	b.t.Helper()
	for _, subject := range []string{"chat.posted", "live.posted"} {
		if isBelow(unposted, subject) {
			if status, body := post(b.t, b.URL()+"/events/"+subject, "posted"); status < 400 {
				b.t.Errorf("POST to %s is answered %d %s", subject, status, body)
			}
			continue
		}
		said := ""
		if !b.waits(func() bool {
			status, body := post(b.t, b.URL()+"/events/"+subject, "posted")
			said = fmt.Sprint(status, " ", body)
			return status == http.StatusCreated || status == http.StatusAccepted
		}) {
			b.t.Errorf("POST to %s is answered %s", subject, said)
		}
	}
}

// waits reports whether a condition comes true.
func (b *deprived) waits(holds func() bool) bool {
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for end := time.Now().Add(patience); !holds(); <-again.C {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}
