package source_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// A server ends a connection by an error after a line that is too long, which it tells nobody beforehand. Another connection is made, again and
// again, and readers are told a gap. If none can be made, the source ends, with the reason.
func TestConnectionIsMadeAnew(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t, "-c", configFile(t, "max_control_line: 300"))
	var isOver atomic.Bool
	log, warned := warnings()
	b := newFixture(t, func(options ...nats.Option) (*nats.Conn, error) {
		if isOver.Load() {
			return nil, os.ErrNotExist
		}
		return to(server.URL())(options...)
	}, log)
	c := b.read(t, "a.b").wantOpen()
	tooLong := bridge.Subject("a." + strings.Repeat("x", 400))
	for range 3 {
		if err := b.post(within(t, patience), tooLong, nil, nil); !errors.Is(err, bridge.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
		c.wantGap(bridge.GapDisconnected)
		awaitLine(t, warned, "has ended a connection")
		if err := b.post(within(t, patience), "a.b", nil, []byte("still")); err != nil {
			t.Error(err)
		}
		c.wantData("still")
	}
	isOver.Store(true)
	if err := b.post(within(t, patience), tooLong, nil, nil); !errors.Is(err, bridge.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	receive(t, b.source.Closed(), "the end of the source")
	if err := b.source.Err(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the reason is %v", err)
	}
}

// If connections end as soon as they are made, the log does not say so for each subject.
func TestConnectionsThatEndAtOnce(t *testing.T) {
	t.Parallel()
	dial := embedded(t)
	var short atomic.Int32 // so many connections end at once
	log, warned := warnings()
	b := newFixture(t, func(options ...nats.Option) (*nats.Conn, error) {
		conn, err := dial(options...)
		if err == nil && short.Add(-1) >= 0 {
			conn.Close()
		}
		return conn, err
	}, log)
	other := publisher(t, dial)
	c := b.read(t, "a.0").wantOpen()
	for i := range 20 {
		b.read(t, bridge.Subject(fmt.Sprint("a.", i+1))).wantOpen()
	}
	short.Store(2)
	b.conn.Close()
	c.wantGap(bridge.GapDisconnected)
	publish(t, other, "a.0", "again")
	c.wantData("again")
	for len(warned) > 0 {
		if line := <-warned; strings.Contains(line, "subscribe") {
			t.Error(line)
		}
	}
}

// A sender that asks only when the next connection is there learns all the same that its message was too large.
func TestTooLargeIsKnownLater(t *testing.T) {
	t.Parallel()
	conn := js.New(js.Events{Failed: func(error) {}, Missed: func(*js.Conn) {}, Error: func(*js.Conn, *nats.Subscription, error) {}})
	if err := conn.Dial(embedded(t), "test"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	former := conn.NATS()
	conn.Renew()
	eventually(t, "the next connection is there", func() bool { return conn.NATS() != former && conn.Link().IsUp() })
	for more, want := range []bool{false, true} {
		data := make([]byte, int(conn.NATS().MaxPayload())+more)
		if got := conn.IsTooLarge(within(t, patience), former, &nats.Msg{Subject: "a", Data: data}); got != want {
			t.Errorf("%d bytes are too large: %t", len(data), got)
		}
	}
}
