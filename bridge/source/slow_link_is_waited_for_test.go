package source_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// On a link that carries one answer at a time, slowly, the others are waited for: nothing is asked for twice, no consumer is made anew, and no
// connection is given up.
func TestSlowLinkIsWaitedFor(t *testing.T) {
	t.Parallel() // it mostly waits
	const (
		readers, messages, size = 4, 16, 32 << 10
		pace                    = readers * messages * size / 4 // four seconds in all
	)
	for _, direct := range []bool{true, false} { // without direct gets, consumers read
		t.Run(fmt.Sprint("direct gets: ", direct), func(t *testing.T) {
			t.Parallel()
			server := bridgetest.StartNATSServer(t)
			dial := to(server.URL())
			js := manager(t, dial)
			createStream(t, js, jetstream.StreamConfig{Name: "CHAT", Subjects: []string{"chat.>"}, AllowDirect: direct})
			subject := func(reader int) bridge.Subject { return bridge.Subject(fmt.Sprintf("chat.%d", reader)) }
			for i := range readers {
				for range messages {
					store(t, js, string(subject(i)), strings.Repeat("x", size))
				}
			}
			link := bridgetest.StartFreezer(t, "127.0.0.1:"+strconv.Itoa(server.Port))
			b := newFixture(t, to("nats://"+link.Addr().String()), quiet)
			createStream(t, js, jetstream.StreamConfig{Name: "NEWS", Subjects: []string{"news.>"}})
			b.read(t, "news.quiet").wantOpen()
			b.read(t, "chat.busy").wantOpen() // whose messages keep signs of life of the other one waiting
			end := requests(t, publisher(t, dial))
			restore := link.Slow(pace)
			for range readers * messages {
				store(t, js, "chat.busy", strings.Repeat("x", size))
			}
			var done sync.WaitGroup
			for i := range readers {
				resume := bridge.Resume{Since: bridge.Since{Kind: bridge.SinceAll}, Account: bridge.Account(i + 1)} // each has a turn
				c := b.open(t, bridge.Framing{Format: bridge.JSON}, resume, subject(i))
				done.Go(func() {
					c.wantOpen()
					for range messages {
						c.message()
					}
				})
			}
			done.Wait()
			restore()
			kinds := end()
			gets, consumers := asked(kinds, "DIRECT.GET"), 0
			for kind := range kinds {
				if strings.HasPrefix(kind, "CONSUMER.CREATE") { // which may be sent twice
					consumers++
				}
			}
			if gets+consumers != readers {
				t.Errorf("%d readers cost %d direct gets and %d consumers: %v", readers, gets, consumers, kinds)
			}
			if connects := b.source.Stats().Connects; connects != 1 {
				t.Errorf("it has connected %d times", connects)
			}
		})
	}
}

// behindALink returns a connection through a link that can be slow, on which messages on the subject filler arrive.
func behindALink(t *testing.T) (*fakeJetStream, *bridgetest.Freezer, *js.Conn) {
	t.Helper()
	f := newFake(t)
	link := bridgetest.StartFreezer(t, strings.TrimPrefix(f.conn.ConnectedUrl(), "nats://"))
	conn := js.New(js.Events{Failed: func(error) {}, Missed: func(*js.Conn) {}, Error: func(*js.Conn, *nats.Subscription, error) {}})
	if err := conn.Dial(to("nats://"+link.Addr().String()), "test"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	if _, err := conn.NATS().Subscribe("filler", func(*nats.Msg) {}); err != nil {
		t.Fatal(err)
	}
	flush(t, conn.NATS())
	return f, link, conn
}

// A link that needs long for a single large message does not stand still.
func TestLargeMessageOnASlowLink(t *testing.T) {
	t.Parallel() // it mostly waits
	const size = 256 << 10
	f, link, conn := behindALink(t)
	restore := link.Slow(size / 4) // four seconds
	defer restore()
	publish(t, f.conn, "filler", strings.Repeat("x", size))
	if caughtUp, isAlive := conn.Answers(within(t, patience)); caughtUp || !isAlive {
		t.Errorf("caught up: %t, alive: %t", caughtUp, isAlive)
	}
}

// Of two messages, the answer to one comes late, and says that a replica has it not; the other has no answer. It is not waited for without end.
func TestMissingAnswerBehindALateOne(t *testing.T) {
	t.Parallel()          // it mostly waits
	const late = 64 << 10 // bytes before the answer, in about three seconds: longer than one waits for an answer, and than a link may stand still
	f, link, conn := behindALink(t)
	_, err := f.conn.Subscribe("$JS.API.DIRECT.GET.S", func(msg *nats.Msg) {
		if strings.HasSuffix(msg.Reply, ".0") {
			_ = msg.RespondMsg(&nats.Msg{Header: nats.Header{"Status": {"404"}}})
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	flush(t, f.conn)
	link.Slow(late / 3)
	for range 8 {
		publish(t, f.conn, "filler", strings.Repeat("x", late/8))
	}
	if err := (js.API{Conn: conn}).GetEach(within(t, patience/2), conn, "S", []uint64{1, 2}, make([]js.Entry, 2)); err != nil {
		t.Error(err)
	}
}
