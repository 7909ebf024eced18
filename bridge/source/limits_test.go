package source_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/source"
)

// begun reads up to the client's first event, if one arrives, and reports whether it did.
func (c *client) begun() bool {
	frames, _ := bridgetest.Next(c.reader, nil, 64<<10)
	for _, frame := range frames {
		c.rest = append(c.rest, frame...)
	}
	return len(frames) > 0
}

// Above a limit of subscriptions, some wait: no reader is told that a subject without messages is open, or that NATS refuses it. A reader
// that leaves makes room for a waiting one.
func TestLimitOfSubscriptions(t *testing.T) {
	t.Parallel() // it mostly waits
	t.Run("log", func(t *testing.T) { testLimitOfSubscriptions(t, 0) })
	// Errors of a connection are reported one after another, so logging one delays the next.
	t.Run("slow log", func(t *testing.T) { testLimitOfSubscriptions(t, 300*time.Millisecond) })
}

func testLimitOfSubscriptions(t *testing.T, delay time.Duration) {
	const limit, all = 12, 20
	server := bridgetest.StartNATSServer(t, "-c", configFile(t, fmt.Sprintf("max_subscriptions: %d", limit)))
	log, warned := warnings()
	log = slog.New(slowLog{log.Handler(), delay})
	b := newFixture(t, to(server.URL()), log)
	var waiting []*client
	for i := range all {
		waiting = append(waiting, b.read(t, bridge.Subject(fmt.Sprint("u.", i))))
	}
	// The bridge needs a few for itself: for answers, acknowledgements, and changes of streams.
	open := splitBegun(t, &waiting, limit-6)
	if len(open) > limit {
		t.Fatalf("%d are open, with %d subscriptions", len(open), limit)
	}
	awaitLine(t, warned, "max_subscriptions")
	from := publisher(t, to(server.URL()))
	for range all {
		open[0].reader.Close()
		open = open[1:]
		// One that began a moment later is among those of the next round: whoever was told that a subject is open has to get its messages.
		open = append(open, splitBegun(t, &waiting, min(1, len(waiting)))...)
		for _, c := range open {
			subject := string(c.reader.Feed().Subjects()[0])
			publish(t, from, subject, "hello")
			c.wantData("hello")
		}
		for _, c := range waiting {
			if err := c.reader.Refusal(); err != nil {
				t.Fatalf("who waits for room is told: %v", err)
			}
		}
		if len(waiting) == 0 {
			return
		}
	}
	t.Errorf("%d still wait, although all others have left", len(waiting))
}

// slowLog takes a while to write.
type slowLog struct {
	slog.Handler
	delay time.Duration
}

func (l slowLog) Handle(ctx context.Context, record slog.Record) error {
	<-time.After(l.delay)
	return l.Handler.Handle(ctx, record)
}

// splitBegun waits until at least n of the waiting clients have begun with an open, and returns all that have.
func splitBegun(t *testing.T, waiting *[]*client, n int) (open []*client) {
	t.Helper()
	eventually(t, fmt.Sprint(n, " are open"), func() bool {
		var rest []*client
		for _, c := range *waiting {
			if c.begun() {
				open = append(open, c)
			} else {
				rest = append(rest, c)
			}
		}
		*waiting = rest
		return len(open) >= n
	})
	for _, c := range open {
		c.wantOpen()
	}
	return open
}

// After a reconnect the limit may be lower. No reader is told that a subject without messages continues.
func TestLimitOfSubscriptionsBehindAReconnect(t *testing.T) {
	t.Parallel()
	const limit, all = 14, 60 // so many that the bridge's own subscriptions are hardly ever all in force
	file := configFile(t, "max_subscriptions: 100")
	server := bridgetest.StartNATSServer(t, "-c", file)
	createStream(t, manager(t, to(server.URL())), chats)
	b := newFixture(t, to(server.URL()), quiet)
	var waiting []*client
	for i := range all {
		c := b.read(t, bridge.Subject(fmt.Sprint("u.", i))).wantOpen()
		waiting = append(waiting, c)
	}
	server.Kill()
	writeFile(t, file, fmt.Sprintf("max_subscriptions: %d", limit))
	b.awaitStatus(t, nats.RECONNECTING)
	server.Start(t)
	from := publisher(t, to(server.URL()))
	served := 0
	eventually(t, "as many as there is room for go on", func() bool {
		var rest []*client
		for _, c := range waiting {
			if !c.begun() {
				rest = append(rest, c)
				continue
			}
			c.wantGap(bridge.GapDisconnected)
			publish(t, from, string(c.reader.Feed().Subjects()[0]), "hello")
			c.wantData("hello")
			served++
		}
		waiting = rest
		return served >= limit-6
	})
	if served > limit {
		t.Errorf("%d go on, with %d subscriptions", served, limit)
	}
	for _, subject := range []bridge.Subject{"somewhere", "chat.a"} { // the second is acknowledged by its stream
		if err := b.post(within(t, patience), subject, nil, nil); err != nil {
			t.Errorf("post to %s: %v", subject, err)
		}
	}
}

// Of many streams, as many are read as there is room for: those that find none do not make the others try again and again.
func TestLimitOfSubscriptionsToStreams(t *testing.T) {
	t.Parallel()
	const limit, all = 14, 20
	server := bridgetest.StartNATSServer(t, "-c", configFile(t, fmt.Sprintf("max_subscriptions: %d", limit)))
	js := manager(t, to(server.URL()))
	for i := range all {
		createStream(t, js, jetstream.StreamConfig{Name: fmt.Sprint("S", i), Subjects: []string{fmt.Sprint("s.", i)}})
	}
	link := bridgetest.StartFreezer(t, "127.0.0.1:"+strconv.Itoa(server.Port))
	b := newFixture(t, to("nats://"+link.Addr().String()), quiet)
	b.read(t, "unstored").wantOpen()
	end := requests(t, publisher(t, to(server.URL())))
	link.Slow(100_000) // so that attempts take a while
	var waiting []*client
	for i := range all {
		waiting = append(waiting, b.read(t, bridge.Subject(fmt.Sprint("s.", i))))
	}
	open, kinds := splitBegun(t, &waiting, limit-6), end()
	for _, c := range open {
		name := strings.ToUpper(strings.Replace(string(c.reader.Feed().Subjects()[0]), ".", "", 1))
		if n := asked(kinds, "CONSUMER.CREATE."+name+"."); n > 3 {
			t.Errorf("for %s, a consumer was made %d times", name, n)
		}
	}
}

const permissions = `accounts { A {
	jetstream: enabled
	users = [
		{ user: admin, password: swordfish }
		{ user: bridge, password: swordfish, permissions: { publish: { allow: [">"], deny: [%s] }, subscribe: { allow: [">"], deny: [%s] } } }
	] } }`

// denied is a configuration that denies the bridge's user some subjects.
func denied(t *testing.T, file, publish, subscribe string) {
	t.Helper()
	writeFile(t, file, fmt.Sprintf(permissions, publish, subscribe))
}

// as returns the dialer of one user.
func as(server *bridgetest.NATSServer, user string) source.Dialer {
	return to(fmt.Sprintf("nats://%s:swordfish@127.0.0.1:%d", user, server.Port))
}

// A refusal on one of the two connections does not stop the other.
func TestTwoUnrelatedPermissionsAreMissing(t *testing.T) {
	t.Parallel() // it mostly waits
	file := configFile(t, "")
	denied(t, file, `"$JS.API.DIRECT.GET.S"`, `"$JS.EVENT.ADVISORY.>"`)
	server := bridgetest.StartNATSServer(t, "-c", file)
	js := manager(t, as(server, "admin"))
	createStream(t, js, jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}, AllowDirect: true})
	store(t, js, "s.a", "one", "two")
	b := newFixture(t, as(server, "bridge"), quiet)
	stored := b.since(t, bridge.Since{Kind: bridge.SinceAll}, "s.a").wantOpen()
	stored.wantData("one", "two") // by consumer
	for i := range 3 {
		subject := bridge.Subject(fmt.Sprint("unstored.", i))
		c := b.read(t, subject).wantOpen()
		if err := b.post(within(t, patience), subject, nil, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		c.wantData("hello")
	}
}

// Where NATS refuses direct gets, and accepts only one connection, which then reads what is stored, it is read by consumers.
func TestDirectGetsAreRefusedOnTheOnlyConnection(t *testing.T) {
	t.Parallel() // it mostly waits
	file := configFile(t, "")
	writeFile(t, file, "max_connections: 2\n"+fmt.Sprintf(permissions, `"$JS.API.DIRECT.GET.S"`, `"no"`))
	server := bridgetest.StartNATSServer(t, "-c", file)
	js := manager(t, as(server, "admin")) // its connection is the other one
	createStream(t, js, jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}, AllowDirect: true})
	store(t, js, "s.a", "one", "two")
	b := newFixture(t, as(server, "bridge"), quiet)
	stored := b.since(t, bridge.Since{Kind: bridge.SinceAll}, "s.a").wantOpen()
	stored.wantData("one", "two")
}

// Permissions change during a connection: allowed subjects start, and the readers of withdrawn ones are told.
func TestPermissionsAreReloaded(t *testing.T) {
	t.Parallel() // it mostly waits
	file := configFile(t, "")
	denied(t, file, `"no.>"`, `"no.>"`)
	server := bridgetest.StartNATSServer(t, "-c", file)
	b := newFixture(t, as(server, "bridge"), quiet)
	witness, refused := b.read(t, "ok.a"), b.read(t, "no.a")
	both := b.read(t, "ok.b", "ok.c")
	witness.wantOpen()
	both.wantOpen()
	admin := publisher(t, as(server, "admin"))
	post := func(subject bridge.Subject) error { return b.post(within(t, patience), subject, nil, []byte("posted")) }
	if err := post("no.a"); !errors.Is(err, bridge.ErrRefused) {
		t.Fatalf("publish: %v, want ErrRefused", err)
	}
	refused.wantNothing()

	denied(t, file, `"ok.c"`, `"ok.c"`)
	server.Reload(t)
	refused.wantOpen()
	if err := post("no.a"); err != nil {
		t.Errorf("publish to what is allowed by now: %v", err)
	}
	refused.wantData("posted")
	both.wantGap(bridge.GapDisconnected) // told as soon as its subscription was removed
	publish(t, admin, "ok.c", "lost")
	publish(t, admin, "ok.b", "not lost")
	both.wantData("not lost")

	denied(t, file, `"other"`, `"other"`)
	server.Reload(t)
	both.wantGap(bridge.GapDisconnected)
	publish(t, admin, "ok.c", "heard again")
	both.wantData("heard again")
	publish(t, admin, "ok.a", "undisturbed")
	witness.wantData("undisturbed")
}

// If no consumer can be made on a stream, its readers, and those of another stream on the same connection, are not left in
// silence. Once a consumer is possible, the stream is read like any other.
func TestNoConsumerCanBeHad(t *testing.T) {
	t.Parallel()
	dial, js, stream := embeddedChats(t, func(config *jetstream.StreamConfig) { config.MaxConsumers = 1 })
	createStream(t, js, jetstream.StreamConfig{Name: "NEWS", Subjects: []string{"news.>"}, AllowDirect: true})
	store(t, js, "chat.a", "before")
	if _, err := stream.CreateConsumer(within(t, patience), jetstream.ConsumerConfig{Durable: "other"}); err != nil {
		t.Fatal(err)
	}
	log, warned := warnings()
	b := newFixture(t, dial, log)
	c, both := b.read(t, "chat.a"), b.read(t, "chat.a", "news.a")
	all := b.since(t, bridge.Since{Kind: bridge.SinceAll}, "chat.*")
	c.wantOpen()
	both.wantOpen()
	all.wantGap(bridge.GapDisconnected)
	all.wantSynced()
	store(t, js, "chat.a", "as it comes")
	store(t, js, "news.a", "stored")
	c.wantData("as it comes")
	all.wantData("as it comes")
	if got := both.next().Data + both.next().Data; !strings.Contains(got, `"as it comes"`) || !strings.Contains(got, `"stored"`) {
		t.Errorf("got %s", got)
	}
	awaitLine(t, warned, "maximum consumers", "CHATS")
	holdings, err := b.source.Explain(within(t, patience), []bridge.Subject{"chat.a"}, []bridge.Subject{"chat.a"})
	if err != nil || !strings.Contains(fmt.Sprint(holdings), "maximum consumers") {
		t.Errorf("the explanation is %+v, %v", holdings, err)
	}
}

// Requests for consumers respect the limits of the stream.
func TestLimitsOfConsumers(t *testing.T) {
	t.Parallel()
	dial, js, _ := embeddedChats(t, func(config *jetstream.StreamConfig) {
		config.AllowDirect = false // pages need consumers, too
		config.ConsumerLimits = jetstream.StreamConsumerLimits{InactiveThreshold: 5e9, MaxAckPending: 7}
	})
	store(t, js, "chat.a", "one", "two")
	b := newFixture(t, dial, quiet)
	c := b.since(t, bridge.Since{Kind: bridge.SinceAll}, "chat.a").wantOpen()
	c.wantData("one", "two")
	c.wantSynced()
	store(t, js, "chat.a", numbers(0, 20)...)
	c.wantData(numbers(0, 20)...)
}

// A connection that was not made with the source's options does not report to it, so it is refused, and left open.
func TestExistingConnection(t *testing.T) {
	t.Parallel()
	dial := embedded(t)
	existing := publisher(t, dial)
	_, err := source.Open(func(...nats.Option) (*nats.Conn, error) { return existing, nil }, source.Config{}, quiet)
	if err == nil || !strings.Contains(err.Error(), "existing *nats.Conn") {
		t.Errorf("got %v", err)
	}
	if !existing.IsConnected() {
		t.Error("the connection was closed")
	}
}

// A server that accepts connections but does not answer is left for another, before pings notice it.
func TestSilentServerIsLeft(t *testing.T) {
	t.Parallel() // it mostly waits
	silent, other := bridgetest.StartNATSServer(t), bridgetest.StartNATSServer(t)
	for _, server := range []*bridgetest.NATSServer{silent, other} {
		createStream(t, manager(t, to(server.URL())), chats)
	}
	log, warned := warnings()
	b := newFixture(t, func(options ...nats.Option) (*nats.Conn, error) {
		return nats.Connect(silent.URL()+","+other.URL(), append(options, nats.DontRandomize())...)
	}, log)
	b.read(t, "chat.a").wantOpen()
	silent.Pause(t)
	defer silent.Resume(t)
	awaitLine(t, warned, "CHATS does not answer")
	if lost := awaitLine(t, warned, "lost NATS"); strings.Contains(lost, nats.ErrStaleConnection.Error()) {
		t.Errorf("it was the pings: %s", lost)
	}
	eventually(t, "the other server is used", func() bool { return b.conn.ConnectedAddr() == strings.TrimPrefix(other.URL(), "nats://") })
}
