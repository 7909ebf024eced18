package source_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/source"
)

// closeSoon closes a source. Close must not wait for an unreachable server.
func closeSoon(t *testing.T, s *source.Source) {
	t.Helper()
	begun := time.Now()
	s.Close()
	if took := time.Since(begun); took > 4*time.Second {
		t.Errorf("Close took %v", took)
	}
	select {
	case <-s.Closed():
	default:
		t.Error("the source does not say that it is closed")
	}
}

func TestClose(t *testing.T) {
	everywhere(t, func(t *testing.T, dial source.Dialer) {
		running := goleak.IgnoreCurrent()
		b := newFixture(t, dial, quiet)
		c := b.read(t, "a.b").wantOpen()
		if err := b.post(within(t, patience), "a.b", nil, []byte("x")); err != nil {
			t.Fatal(err)
		}
		c.wantData("x")
		c.reader.Close()
		b.hub.Close()
		closeSoon(t, b.source)
		goleak.VerifyNone(t, running)
	})
}

// Close may be called with feeds attached, and again.
func TestCloseWithOpenFeeds(t *testing.T) {
	everywhere(t, func(t *testing.T, dial source.Dialer) {
		running := goleak.IgnoreCurrent()
		b := newFixture(t, dial, quiet)
		c := b.read(t, "a.b").wantOpen()
		b.read(t, "a.c")
		closeSoon(t, b.source)
		closeSoon(t, b.source)
		c.wantNothing()
		late := b.read(t, "a.d")
		late.wantNothing()
		late.reader.Close()
		b.hub.Close()
		if n := b.source.Stats().Subscriptions; n != 0 {
			t.Errorf("%d subscriptions are left", n)
		}
		goleak.VerifyNone(t, running)
	})
}

func TestCloseWhileAway(t *testing.T) {
	server := bridgetest.StartNATSServer(t)
	running := goleak.IgnoreCurrent()
	b := newFixture(t, to(server.URL()), quiet)
	b.read(t, "a.b").wantOpen()
	server.Kill()
	b.awaitStatus(t, nats.RECONNECTING)
	// Feeds that open now wake the source, which must not be waiting for NATS when it is closed.
	for _, subject := range []bridge.Subject{"a.c", "a.d", "a.e"} {
		b.read(t, subject).wantNothing()
	}
	closeSoon(t, b.source)
	b.hub.Close()
	goleak.VerifyNone(t, running)
}

// A server that stands still takes no leave.
func TestCloseWhileNATSStandsStill(t *testing.T) {
	server := bridgetest.StartNATSServer(t)
	running := goleak.IgnoreCurrent()
	b := newFixture(t, to(server.URL()), quiet)
	b.read(t, "a.b").wantOpen()
	server.Pause(t)
	closeSoon(t, b.source)
	b.hub.Close()
	goleak.VerifyNone(t, running)
}

// A write that the server does not take keeps everybody else from the connection, until it is given up.
func TestServerThatTakesNothingIsGivenUp(t *testing.T) {
	if !*soak {
		t.Skip("it waits for ten seconds: run it with -soak")
	}
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	b := newFixture(t, to(server.URL()), quiet)
	b.read(t, "a.b").wantOpen()
	server.Pause(t)
	ctx, cancel := context.WithCancel(within(t, patience))
	var posts sync.WaitGroup
	for range 80 { // more than the sockets hold
		posts.Go(func() { _ = b.post(ctx, "a.b", nil, make([]byte, 250<<10)) })
	}
	eventually(t, "the connection is given up", func() bool { return !b.source.IsConnected() })
	cancel()
	posts.Wait()
	closeSoon(t, b.source)
}

func TestCloseBeforeTheFirstConnection(t *testing.T) {
	server := bridgetest.StartNATSServer(t)
	server.Kill()
	running := goleak.IgnoreCurrent()
	b := newFixture(t, to(server.URL()), quiet)
	b.read(t, "a.b").wantNothing()
	closeSoon(t, b.source)
	b.hub.Close()
	goleak.VerifyNone(t, running)
}

// Settings that cannot work return an error at once, and leave nothing running.
func TestOpenWithImpossibleSettings(t *testing.T) {
	running := goleak.IgnoreCurrent()
	_, err := source.Open(func(options ...nats.Option) (*nats.Conn, error) {
		return nats.Connect("nats://127.0.0.1:1", append(options, nats.UserCredentials("no such file"))...)
	}, source.Config{}, quiet)
	if err == nil {
		t.Error("there was no error")
	}
	goleak.VerifyNone(t, running)
}
