package source_test

import (
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source"
)

// capacity is how many messages of flood fit into the intake of these tests.
const capacity = 100

// floodCost is the size of one of them in the intake.
const floodCost = source.MessageCost + int64(len("a.flood")+len("000000"))

// small limits the source's intake so that a test can fill it.
func (b *fixture) small() { b.source.SetIntakeBudget(capacity * floodCost) }

// hold waits until everything was delivered, then stops delivery until release is called.
func (b *fixture) hold(t *testing.T) (release func()) {
	t.Helper()
	b.awaitDelivery(t)
	release = sync.OnceFunc(b.source.HoldDelivery())
	t.Cleanup(release)
	return release
}

// awaitDelivery waits until everything was delivered.
func (b *fixture) awaitDelivery(t *testing.T) {
	t.Helper()
	eventually(t, "everything is delivered", func() bool { held, _ := b.source.Intake(); return held == 0 })
}

// flood publishes n numbered messages while delivery is held, and waits until each was received or lost.
func (b *fixture) flood(t *testing.T, conn *nats.Conn, from, n int) {
	t.Helper()
	held, before := b.source.Intake()
	for i := range n {
		if err := conn.Publish("a.flood", fmt.Appendf(nil, "%06d", from+i)); err != nil {
			t.Fatal(err)
		}
	}
	flush(t, conn)
	eventually(t, "the source has taken or lost every message", func() bool {
		now, lost := b.source.Intake()
		return int((now-held)/floodCost)+lost-before == n
	})
}

// drain reads until a message with that payload. It checks the order, and that no message is missing before a gap.
func (c *client) drain(last string) (received, gaps int) {
	c.t.Helper()
	for next := 0; ; {
		event := c.next()
		if event.Type == bridge.EventGap {
			if reason := gapReason(c.t, event); reason != bridge.GapOverrun {
				c.t.Fatalf("a gap for %s", reason)
			}
			gaps++
			continue
		}
		m, err := parseMessage(event)
		if err != nil {
			c.t.Fatal(err)
		}
		if received++; m.Data == last {
			return received, gaps
		}
		number, err := strconv.Atoi(m.Data)
		if err != nil || number < next || number > next && gaps == 0 {
			c.t.Fatalf("%q instead of %d after %d gaps", m.Data, next, gaps)
		}
		next = number + 1
	}
}

// Messages that arrive too fast are lost, counted, and announced before any later event.
func TestOverrunIsToldBeforeLaterMessages(t *testing.T) {
	t.Parallel()
	dial := embedded(t)
	b := newFixture(t, dial, quiet)
	b.small()
	c, untouched := b.read(t, "a.flood"), b.read(t, "a.calm")
	c.wantOpen()
	untouched.wantOpen()
	other := publisher(t, dial)

	const published = 5 * capacity
	release := b.hold(t)
	b.flood(t, other, 0, published)
	release()
	b.awaitDelivery(t)
	publish(t, other, "a.flood", "later")
	received, gaps := c.drain("later")
	if received != capacity+1 || gaps != 1 {
		t.Errorf("%d messages and %d gaps, want %d and one", received, gaps, capacity+1)
	}
	if stats := b.source.Stats(); int(stats.Dropped) != published-capacity || int(stats.Messages) != capacity+1 {
		t.Errorf("%d are counted as received and %d as dropped", stats.Messages, stats.Dropped)
	}
	publish(t, other, "a.calm", "calm")
	untouched.wantData("calm")
}

// If a subject's last messages are dropped because of another's flood, a gap is told although no message follows; each time.
func TestOverrunIsToldThoughNothingFollows(t *testing.T) {
	t.Parallel()
	dial := embedded(t)
	b := newFixture(t, dial, quiet)
	b.small()
	c := b.read(t, "b.quiet").wantOpen()
	b.read(t, "a.flood").wantOpen()
	other := publisher(t, dial)
	for range 2 {
		release := b.hold(t)
		b.flood(t, other, 0, 2*capacity)
		b.lose(t, other, "b.quiet")
		release()
		c.wantGap(bridge.GapOverrun)
	}
	b.awaitDelivery(t)
	publish(t, other, "b.quiet", "after")
	c.wantData("after")
}

// lose publishes a message for which there is no room.
func (b *fixture) lose(t *testing.T, conn *nats.Conn, subject string) {
	t.Helper()
	_, before := b.source.Intake()
	publish(t, conn, subject, "lost")
	eventually(t, "it is lost", func() bool { _, lost := b.source.Intake(); return lost == before+1 })
}

// A connection that reads two subjects is told of the loss on one before any later message on the other.
func TestOverrunOfOneSubjectIsToldBeforeTheOther(t *testing.T) {
	t.Parallel()
	dial := embedded(t)
	b := newFixture(t, dial, quiet)
	b.small()
	c := b.read(t, "b.one", "b.two").wantOpen()
	b.read(t, "a.flood").wantOpen()
	other := publisher(t, dial)
	release := b.hold(t)
	b.flood(t, other, 0, 2*capacity)
	b.lose(t, other, "b.one")
	b.source.SetIntakeBudget(1 << 20) // there is room again before anything is delivered
	publish(t, other, "b.two", "later")
	release()
	c.wantGap(bridge.GapOverrun)
	c.wantData("later")
}

// A continuing flood causes a gap each time the intake overflows, not for each message that gets through.
func TestOverrunIsNotToldForEachMessage(t *testing.T) {
	t.Parallel()
	dial := embedded(t)
	b := newFixture(t, dial, quiet)
	b.small()
	c := b.read(t, "a.flood").wantOpen()
	other := publisher(t, dial)
	const rounds = 5
	for i := range rounds {
		release := b.hold(t)
		b.flood(t, other, i*3*capacity, 3*capacity)
		release()
	}
	b.awaitDelivery(t)
	publish(t, other, "a.flood", "last")
	received, gaps := c.drain("last")
	if gaps < 1 || gaps > rounds {
		t.Errorf("%d gaps for %d times that the intake ran over", gaps, rounds)
	}
	if dropped := int(b.source.Stats().Dropped); received+dropped != rounds*3*capacity+1 {
		t.Errorf("%d were received and %d counted as dropped", received, dropped)
	}
}

// Messages that nats.go itself drops, because its channel is full, are announced and counted, too, although no message follows.
func TestOverrunOfTheChannel(t *testing.T) {
	t.Parallel()
	dial := embedded(t)
	b := newFixture(t, dial, quiet)
	c := b.readFramed(t, bridge.Framing{}, "a.flood").wantOpen()
	other := publisher(t, dial)
	const beyond = 1000
	release := sync.OnceFunc(b.source.HoldTake())
	t.Cleanup(release)
	for i := range source.IncomingBuffer + beyond {
		if err := other.Publish("a.flood", nil); err != nil {
			t.Fatal(err)
		}
		if i%4096 == 0 { // no more than the server holds for one connection
			flush(t, other)
			b.settle(t)
		}
	}
	flush(t, other)
	b.settle(t)
	release()
	for before := 0; ; before++ {
		event := c.next()
		if event.Type == bridge.EventGap {
			if reason := gapReason(t, event); reason != bridge.GapOverrun {
				t.Errorf("a gap for %s", reason)
			}
			break
		}
		if before > source.IncomingBuffer {
			t.Fatal("the gap does not come before what is missing")
		}
	}
	eventually(t, "every message is counted as received or dropped", func() bool {
		stats := b.source.Stats()
		return stats.Dropped > 0 && stats.Messages+stats.Dropped == source.IncomingBuffer+beyond
	})
}

// A feed that is opened during an overrun opens all the same.
func TestOpenDuringAnOverrun(t *testing.T) {
	dial := embedded(t)
	b := newFixture(t, dial, quiet)
	b.source.SetIntakeBudget(1)
	b.readFramed(t, bridge.Framing{}, "a.flood").wantOpen()
	other := publisher(t, dial)
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- func() error {
			for {
				select {
				case <-stop:
					return other.FlushTimeout(patience)
				default:
				}
				if err := other.Publish("a.flood", nil); err != nil {
					return err
				}
			}
		}()
	}()
	eventually(t, "messages are dropped", func() bool { return b.source.Stats().Dropped > 0 })
	for i := range 10 {
		c := b.read(t, bridge.Subject(fmt.Sprintf("late.%d", i))).wantOpen()
		c.reader.Close()
	}
	close(stop)
	if err := receive(t, done, "the publisher"); err != nil {
		t.Error(err)
	}
}
