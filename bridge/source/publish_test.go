package source_test

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/source"
)

func TestPublish(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, dial source.Dialer) {
		b := newFixture(t, dial, quiet)
		c := b.read(t, "a.b").wantOpen()
		sub := subscribe(t, publisher(t, dial), "a.b")
		header := map[string][]string{
			bridge.HeaderEvent: {"joined"},
			"tracePARENT":      {"00-1-2-03"}, // a name keeps its spelling
		}
		if err := b.post(within(t, patience), "a.b", header, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		msg, err := sub.NextMsg(patience)
		if err != nil {
			t.Fatal(err)
		}
		if string(msg.Data) != "hello" || !maps.EqualFunc(msg.Header, header, slices.Equal) {
			t.Errorf("NATS got %q with %v", msg.Data, msg.Header)
		}
		m := c.message()
		if m.Data != "hello" || m.Event != "joined" || !maps.EqualFunc(m.Headers, header, slices.Equal) {
			t.Errorf("the reader got %+v", m)
		}
		if err := b.post(within(t, patience), "a.b", nil, nil); err != nil {
			t.Fatal(err)
		}
		if m := c.message(); m.Data != "" || m.Event != "" || m.Headers != nil {
			t.Errorf("the reader got %+v, want an empty message", m)
		}
	})
}

// When Publish returns, the server has received the message and passed it on.
func TestPublishHasArrived(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, dial source.Dialer) {
		b := newFixture(t, dial, quiet)
		conn := publisher(t, dial)
		sub := subscribe(t, conn, "a.b")
		for i := range 200 {
			if err := b.post(within(t, patience), "a.b", nil, []byte("x")); err != nil {
				t.Fatal(err)
			}
			flush(t, conn)
			if n, _, err := sub.Pending(); err != nil || n != 1 {
				t.Fatalf("publish %d: %d messages have arrived (%v)", i, n, err)
			}
			if _, err := sub.NextMsg(patience); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestPublishTooLarge(t *testing.T) {
	t.Parallel()
	dial := embedded(t)
	b := newFixture(t, dial, quiet)
	limit := int(b.conn.MaxPayload())
	c := b.read(t, "a.b").wantOpen()
	err := b.post(within(t, patience), "a.b", nil, make([]byte, limit+1))
	if !errors.Is(err, bridge.ErrTooLarge) || errors.Is(err, bridge.ErrUnavailable) {
		t.Errorf("one byte too many: %v", err)
	}
	err = b.post(within(t, patience), "a.b", map[string][]string{"A": {"b"}}, make([]byte, limit))
	if !errors.Is(err, bridge.ErrTooLarge) {
		t.Errorf("headers too many: %v", err)
	}
	if err := b.post(within(t, patience), "a.b", nil, make([]byte, limit)); err != nil {
		t.Errorf("as large as may be: %v", err)
	}
	if m := c.message(); len(m.DataBase64) != limit {
		t.Errorf("the reader got %d bytes, want %d", len(m.DataBase64), limit)
	}
}

// Without NATS a publish fails at once, and is not sent later.
func TestPublishWhileAway(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	b := newFixture(t, to(server.URL()), quiet)
	conn := publisher(t, to(server.URL()))
	sub := subscribe(t, conn, "a.b")
	b.awaitStatus(t, nats.CONNECTED)
	b.isAway.Store(true) // otherwise the source may reconnect before the first of them
	b.cut(t)
	begun := time.Now()
	for range 100 {
		if err := b.post(within(t, time.Hour), "a.b", nil, []byte("too early")); !errors.Is(err, bridge.ErrUnavailable) {
			t.Fatalf("got %v", err)
		}
	}
	if took := time.Since(begun); took > patience {
		t.Errorf("it took %v", took)
	}
	b.isAway.Store(false)
	b.awaitStatus(t, nats.CONNECTED)
	eventually(t, "a message is taken", func() bool { return b.post(within(t, patience), "a.b", nil, []byte("now")) == nil })
	if msg, err := sub.NextMsg(patience); err != nil || string(msg.Data) != "now" {
		t.Errorf("got %v, %v", msg, err)
	}
}

// The same holds for a publish that waits to be told which stream holds its subject.
func TestPublishWaitsForNoStreamsWhileAway(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	asked := make(chan struct{}, 1<<10)
	f.on(t, "STREAM.NAMES", func(string, []byte) any {
		asked <- struct{}{}
		return nil
	})
	b := newFixture(t, f.dial, quiet)
	receive(t, asked, "a question that is not answered")
	const posts = 10
	failed, begun := make(chan error, posts), make(chan struct{}, posts)
	for range posts {
		go func() {
			begun <- struct{}{}
			failed <- b.post(within(t, 2*patience), "a.b", nil, nil)
		}()
	}
	for range posts {
		receive(t, begun, "a publish")
	}
	b.isAway.Store(true)
	b.cut(t)
	for range posts {
		if err := receive(t, failed, "a publish to fail"); !errors.Is(err, bridge.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
	}
}

// A Publish with an ended context sends nothing.
func TestPublishEndsWithItsContext(t *testing.T) {
	t.Parallel()
	b := newFixture(t, embedded(t), quiet)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	cancel()
	if err := b.post(ctx, "a.b", nil, nil); !errors.Is(err, bridge.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// Every message that Publish has confirmed is delivered, however often the connection breaks in between.
func TestPublishNeverPromisesTooMuch(t *testing.T) {
	t.Parallel()
	const rounds, publishers = 30, 100 // many, so that some are always between their message and its flush
	server := bridgetest.StartNATSServer(t)
	b := newFixture(t, to(server.URL()), quiet)
	conn := publisher(t, to(server.URL()))
	sub := subscribe(t, conn, "a.b")
	ctx := within(t, patience)

	promised := map[string]bool{}
	for range rounds {
		var stopped atomic.Bool
		successes := make(chan string, publishers)
		var running sync.WaitGroup
		for range publishers {
			running.Go(func() {
				for {
					payload := rand.Text()
					err := b.post(ctx, "a.b", nil, []byte(payload))
					switch {
					case err == nil:
						successes <- payload
					case errors.Is(err, bridge.ErrUnavailable): // the connection may still be down
						<-time.After(time.Millisecond)
					default:
						t.Error(err)
						return
					}
					if stopped.Load() {
						return
					}
				}
			})
		}
		for range 2 * publishers {
			promised[receive(t, successes, "a success")] = true
		}
		stopped.Store(true)
		go func() {
			running.Wait()
			close(successes)
		}()
		b.cut(t)
		_ = b.conn.ForceReconnect() // without waiting
		for payload := range successes {
			promised[payload] = true
		}
	}
	flush(t, conn)
	for n, _, err := sub.Pending(); n > 0 || err != nil; n, _, err = sub.Pending() {
		if err != nil {
			t.Fatal(err)
		}
		msg, err := sub.NextMsg(patience)
		if err != nil {
			t.Fatal(err)
		}
		delete(promised, string(msg.Data))
	}
	if len(promised) > 0 {
		t.Errorf("%d messages were called published and never came", len(promised))
	}
}

func subscribe(t *testing.T, conn *nats.Conn, subject string) *nats.Subscription {
	t.Helper()
	sub, err := conn.SubscribeSync(subject)
	if err != nil {
		t.Fatal(err)
	}
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		t.Fatal(err)
	}
	flush(t, conn)
	return sub
}

// A stream that stores under other subjects recognizes a message that is sent twice.
func TestPublishTwiceToAStreamThatTransforms(t *testing.T) {
	t.Parallel()
	dial := embedded(t)
	createStream(t, manager(t, dial), jetstream.StreamConfig{
		Name: "MOVED", Subjects: []string{"from.>"}, MaxMsgs: 10, SubjectTransform: &jetstream.SubjectTransformConfig{Source: "from.>", Destination: "to.>"},
	})
	b := newFixture(t, dial, quiet)
	header := map[string][]string{"Nats-Msg-Id": {"one"}}
	for _, isAgain := range []bool{false, true} {
		if got, err := b.source.Publish(within(t, patience), "from.a", header, []byte("1")); err != nil || got.Stream != "MOVED" || got.Duplicate != isAgain {
			t.Errorf("sent again: %v, got %+v, %v", isAgain, got, err)
		}
	}
	if got, err := b.source.Publish(within(t, patience), "from.a", header, []byte("2")); !errors.Is(err, bridge.ErrKeyUsed) {
		t.Errorf("another message with a key that was used: %+v, %v", got, err)
	}
}
