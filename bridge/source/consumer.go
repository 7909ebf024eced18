package source

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge/source/js"
)

// consumer is a tap's consumer.
type consumer struct {
	*js.Push
	tap    *tap
	first  uint64 // the stream's first sequence, when all up to known had come; both belong to receive
	known  uint64
	heard  atomic.Int64  // when something came last, in nanoseconds
	begun  chan struct{} // closed when what comes may be delivered
	over   chan struct{} // closed when it may not any more
	broken chan struct{} // holds one: something is missing
}

// consume makes a consumer that begins behind the last message delivered. What it brings waits until begin.
func (t *tap) consume() (*consumer, error) {
	conn := t.source.conn
	c := &consumer{
		Push: t.source.api.NewPush(conn, t.name), tap: t,
		begun: make(chan struct{}), over: make(chan struct{}), broken: make(chan struct{}, 1),
	}
	if conn.Link().Limited() > 0 {
		t.source.admitting.Lock()
		defer t.source.admitting.Unlock()
	}
	t.mu.Lock()
	limits := t.config.ConsumerLimits
	t.mu.Unlock()
	asked := conn.Link().Now()
	overLimit := asked.Limited()
	if err := c.Subscribe(c.receive); err != nil {
		return nil, err
	}
	c.heard.Store(time.Now().UnixNano())
	ctx, cancel := context.WithTimeout(t.alive, tapTimeout)
	defer cancel()
	_, err := c.Make(ctx, t.source.table.Call, nats.ConsumerConfig{
		DeliverPolicy: nats.DeliverByStartSequencePolicy,
		OptStartSeq:   t.log.Last().Seq + 1, // explicit: a restarted server would begin anywhere else again
	}, limits)
	if err == nil {
		err = t.source.proveInbox(ctx, c.Inbox(), asked, overLimit)
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// begin lets what comes be delivered.
func (c *consumer) begin() {
	t := c.tap
	t.mu.Lock()
	t.consumer = c
	isFirst := !t.ready
	t.ready = true
	t.mu.Unlock()
	close(c.begun)
	if isFirst {
		t.source.signal(feedWaits)
	}
}

// close ends the consumer. Nothing of it is delivered afterwards.
func (c *consumer) close() {
	c.tap.mu.Lock()
	c.tap.consumer = nil
	c.tap.mu.Unlock()
	close(c.over)
	c.Close()
}

// watch returns when the consumer has to be made anew.
func (c *consumer) watch() error {
	tick := time.NewTicker(js.Heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if silence := time.Since(time.Unix(0, c.heard.Load())); silence > js.Deaf {
				return fmt.Errorf("nothing was heard of its consumer for %v", silence.Round(time.Millisecond))
			}
		case <-c.broken:
			return nil
		case <-c.tap.again:
			return nil
		case <-c.tap.alive.Done():
			return nil
		}
	}
}

// breakOff lets the consumer be made anew.
func (c *consumer) breakOff() {
	select {
	case c.broken <- struct{}{}:
	default:
	}
}

// receive takes what comes on the inbox, from a goroutine of nats.go.
func (c *consumer) receive(msg *nats.Msg) {
	c.heard.Store(time.Now().UnixNano())
	select {
	case <-c.begun:
	case <-c.over:
		return
	}
	a, _, err := c.Take(msg)
	if err != nil || a.StreamSeq > 0 && !c.tap.deliver(c, msg, a) {
		c.breakOff()
	}
}
