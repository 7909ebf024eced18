package source_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/source"
)

// counting publishes 0, 1, 2, … from its start until the test stops it.
type counting struct {
	next atomic.Int64 // everything from this number on is published later than now
	stop chan struct{}
	done chan error
}

func startCounting(conn *nats.Conn, subject string) *counting {
	c := &counting{stop: make(chan struct{}), done: make(chan error, 1)}
	go func() { c.done <- c.run(conn, subject) }()
	return c
}

func (c *counting) run(conn *nats.Conn, subject string) error {
	for {
		select {
		case <-c.stop:
			return conn.FlushTimeout(patience)
		default:
		}
		n := c.next.Add(1) - 1
		if err := conn.Publish(subject, strconv.AppendInt(nil, n, 10)); err != nil {
			return err
		}
		if err := conn.FlushTimeout(patience); err != nil { // one at a time, so that many fall around the reconnect
			return err
		}
	}
}

// end returns how many were published.
func (c *counting) end(t *testing.T) int64 {
	t.Helper()
	close(c.stop)
	if err := receive(t, c.done, "the publisher"); err != nil {
		t.Fatal(err)
	}
	return c.next.Load()
}

// The restart of a killed server is told to every feed, once, before any later message; from then on nothing is missing.
func TestServerIsKilled(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	b := newFixture(t, to(server.URL()), quiet)
	busy, idle := b.read(t, "busy"), b.read(t, "idle")
	busy.wantOpen()
	idle.wantOpen()
	for round := range 5 {
		publish(t, publisher(t, to(server.URL())), "busy", "before")
		busy.wantData("before")
		server.Kill()
		b.awaitStatus(t, nats.RECONNECTING)
		busy.wantNothing()
		idle.wantNothing()
		server.Start(t)
		back := time.Now()
		other := publisher(t, to(server.URL()))
		flood := startCounting(other, "busy")
		busy.wantGap(bridge.GapDisconnected)
		owed := flood.next.Load()
		t.Logf("round %d: the gap came %v after the server listened again", round, time.Since(back))
		idle.wantGap(bridge.GapDisconnected)
		first, err := strconv.ParseInt(busy.message().Data, 10, 64)
		if err != nil || first > owed {
			t.Fatalf("the first message after the gap is %d, %v; %d was published after the gap was seen", first, err, owed)
		}
		sent := flood.end(t)
		busy.wantData(numbers(int(first)+1, int(sent-first)-1)...)
		publish(t, other, "idle", "after")
		idle.wantData("after")
		b.settle(t)
		busy.wantNothing()
		idle.wantNothing()
	}
	if n := b.source.Stats().Connects; n != 6 {
		t.Errorf("the source counts %d connections, want 6", n)
	}
}

// The same if the connection breaks while the server lives, embedded too: messages are missing only after a gap.
func TestConnectionBreaks(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, dial source.Dialer) {
		b := newFixture(t, dial, quiet)
		c := b.read(t, "a.b", "a.*").wantOpen()
		flood := startCounting(publisher(t, dial), "a.b")
		next, missing := int64(0), 0
		take := func() (isGap bool) {
			event := c.next()
			if isGap = event.Type == bridge.EventGap; isGap {
				event = c.next()
			}
			m, err := parseMessage(event)
			if err != nil {
				t.Fatal(err)
			}
			number, err := strconv.ParseInt(m.Data, 10, 64)
			if err != nil || number < next || number > next && !isGap {
				t.Fatalf("got %s behind %d, after a gap: %v", m.Data, next-1, isGap)
			}
			if number > next {
				missing++
			}
			next = number + 1
			return isGap
		}
		for range 50 {
			if err := b.conn.ForceReconnect(); err != nil {
				t.Fatal(err)
			}
			for !take() {
			}
		}
		for sent := flood.end(t); next < sent; {
			if take() {
				t.Error("there was a gap more")
			}
		}
		t.Logf("messages were lost at %d of 50 reconnects", missing)
	})
}

func TestAttachWhileAway(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	b := newFixture(t, to(server.URL()), quiet)
	server.Kill()
	b.awaitStatus(t, nats.RECONNECTING)
	c := b.read(t, "a.b")
	b.read(t, "a.c").reader.Close() // a client that does not wait so long
	b.awaitLeft(t, 1)
	c.wantNothing()
	server.Start(t)
	back := time.Now()
	c.wantOpen()
	t.Logf("the open came %v after the server listened again", time.Since(back))
	publish(t, publisher(t, to(server.URL())), "a.b", numbers(0, 100)...)
	c.wantData(numbers(0, 100)...)
}

func TestAwayAtOpen(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	server.Kill()
	b := newFixture(t, to(server.URL()), quiet)
	if b.source.Stats().Connected {
		t.Error("the source says that it is connected")
	}
	c := b.read(t, "a.b")
	c.wantNothing()
	server.Start(t)
	back := time.Now()
	c.wantOpen()
	t.Logf("the open came %v after the server listened", time.Since(back))
	publish(t, publisher(t, to(server.URL())), "a.b", numbers(0, 100)...)
	c.wantData(numbers(0, 100)...)
	if s := b.source.Stats(); !s.Connected || s.Connects != 1 {
		t.Errorf("the source is not connected once: %+v", s)
	}
}

// Refused credentials may be repaired on the server, before the first connection and later.
func TestCredentialsAreRefused(t *testing.T) {
	t.Parallel()
	const refuse, accept = `authorization { user: app, password: other }`, `authorization { user: app, password: swordfish }`
	file := configFile(t, refuse)
	server := bridgetest.StartNATSServer(t, "-c", file)
	restart := func(config string) {
		server.Kill()
		writeFile(t, file, config)
		server.Start(t)
	}
	refusals := make(chan struct{}, 1<<10)
	dial := to(fmt.Sprintf("nats://app:swordfish@127.0.0.1:%d", server.Port))
	log, warned := warnings()
	b := newFixture(t, func(options ...nats.Option) (*nats.Conn, error) {
		return dial(append(options, nats.CustomReconnectDelay(func(int) time.Duration {
			select {
			case refusals <- struct{}{}: // the attempt before this wait has failed
			default:
			}
			return time.Millisecond
		}))...)
	}, log)
	if line := receive(t, warned, "a warning"); !strings.Contains(line, "Authorization Violation") {
		t.Errorf("the log says %q", line)
	}
	awaitRefusals := func() {
		t.Helper()
		for len(refusals) > 0 {
			<-refusals
		}
		for range 4 { // twice would be enough for nats.go to give up
			receive(t, refusals, "another attempt")
		}
	}
	c := b.read(t, "a.b")
	awaitRefusals()
	c.wantNothing()
	restart(accept)
	c.wantOpen()
	publish(t, publisher(t, dial), "a.b", "first")
	c.wantData("first")
	restart(refuse)
	awaitRefusals()
	c.wantNothing()
	restart(accept)
	c.wantGap(bridge.GapDisconnected)
	publish(t, publisher(t, dial), "a.b", "second")
	c.wantData("second")
	select {
	case <-b.source.Closed():
		t.Error("the source has given up")
	default:
	}
}

// configFile writes a configuration of nats-server, and returns its path.
func configFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "nats.conf")
	writeFile(t, path, text)
	return path
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
