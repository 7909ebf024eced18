package source_test

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source"
)

// overflow is how many messages more than the buffer can hold a test publishes.
const overflow = 1000

// flood publishes more than the source can take while delivery is held, and waits until it has dropped the rest.
func (b *bed) flood(t *testing.T, conn *nats.Conn, subject string) (published int) {
	t.Helper()
	for i, payload := range numbers(0, source.IncomingBuffer+overflow) {
		if err := conn.Publish(subject, []byte(payload)); err != nil {
			t.Fatal(err)
		}
		if i%4096 == 0 { // not more than the server holds for one connection
			flush(t, conn)
			b.settle(t)
		}
	}
	flush(t, conn)
	b.settle(t)
	return source.IncomingBuffer + overflow
}

// drain takes what comes until n messages were received, and gives the number of gaps and of messages before the first.
func (c *client) drain(n int) (gaps, before int) {
	c.t.Helper()
	for received := 0; received < n; {
		event := c.next()
		if event.Type != bridge.EventGap {
			received++
			continue
		}
		if gapReason(c.t, event) != bridge.GapOverrun {
			c.t.Fatalf("got %+v, want an overrun", event)
		}
		if gaps++; gaps == 1 {
			before = received
		}
	}
	return gaps, before
}

// What comes faster than it is taken is lost, counted, and told before anything later.
func TestOverrunIsToldBeforeLaterMessages(t *testing.T) {
	dial := embedded(t)
	b := newBed(t, dial, quiet)
	c, untouched := b.read(t, "a.flood"), b.read(t, "a.calm")
	c.wantOpen()
	untouched.wantOpen()
	other := publisher(t, dial)

	release := b.source.HoldDelivery()
	published := b.flood(t, other, "a.flood")
	release()
	publish(t, other, "a.flood", "later")

	gaps, before := c.drain(published - overflow + 1) // delivery held one more than the buffer does
	if gaps != 1 {
		t.Errorf("there were %d gaps, want one", gaps)
	}
	if before > source.IncomingBuffer {
		t.Errorf("the gap came behind %d messages, after what was lost", before)
	}
	c.wantData("later")
	dropped := int(b.source.Stats().Dropped)
	if received := int(b.source.Stats().Messages); dropped != overflow-1 || received+dropped != published+1 {
		t.Errorf("of %d messages %d were received and %d counted as dropped", published+1, received, dropped)
	}
	publish(t, other, "a.calm", "calm")
	untouched.wantData("calm")
}

// A subject whose last messages were dropped because of another's flood is told although nothing follows; each time.
func TestOverrunIsToldThoughNothingFollows(t *testing.T) {
	dial := embedded(t)
	b := newBed(t, dial, quiet)
	c := b.read(t, "b.quiet")
	c.wantOpen()
	b.readFramed(t, bridge.Framing{Format: bridge.Raw}, "a.flood")
	b.settle(t)
	other := publisher(t, dial)
	for range 2 {
		release := b.source.HoldDelivery()
		b.flood(t, other, "a.flood")
		publish(t, other, "b.quiet", "lost", "lost")
		b.settle(t)
		release()
		c.wantGap(bridge.GapOverrun)
	}
	publish(t, other, "b.quiet", "after")
	c.wantData("after")
}

// A flood that goes on is told as often as the buffer runs over, not once for each message that gets through.
func TestOverrunIsNotToldForEachMessage(t *testing.T) {
	dial := embedded(t)
	b := newBed(t, dial, quiet)
	c := b.readFramed(t, bridge.Framing{Format: bridge.JSON}, "a.flood")
	c.wantOpen()
	other := publisher(t, dial)
	published := 0
	release := b.source.HoldDelivery()
	published += b.flood(t, other, "a.flood")
	for range 200 { // a little is taken, and more is dropped
		release()
		release = b.source.HoldDelivery()
		for range 3 {
			publish(t, other, "a.flood", "more")
			published++
		}
		b.settle(t)
	}
	release()
	publish(t, other, "a.flood", "last")
	received, gaps := 0, 0
	for {
		event := c.next()
		if event.Type == bridge.EventGap {
			gaps++
			continue
		}
		received++
		if strings.Contains(event.Data, `"data":"last"`) {
			break
		}
	}
	if dropped := int(b.source.Stats().Dropped); received+dropped != published+1 {
		t.Errorf("of %d messages %d were received and %d counted as dropped", published+1, received, dropped)
	}
	if gaps < 1 || gaps > 3 {
		t.Errorf("there were %d gaps", gaps)
	}
}
