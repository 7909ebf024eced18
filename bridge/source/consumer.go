package source

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge/source/js"
)

// consumer is a tap's consumer.
type consumer struct {
	*js.Pull
	tap    *tap
	link   *js.Link // that it was made on
	first  uint64   // the stream's first sequence as of message known; both belong to receive
	known  uint64
	heard  atomic.Int64  // when something arrived last, in nanoseconds
	begun  chan struct{} // closed when messages may be delivered
	over   chan struct{} // closed when messages may not be delivered any more
	broken chan struct{} // buffers one: something is missing
}

// consume makes a consumer that begins after the last delivered message. Its messages wait until begin.
func (t *tap) consume() (*consumer, error) {
	conn := t.source.conn
	c := &consumer{
		Pull: t.api.NewPull(conn, t.name), tap: t, link: conn.Link(),
		begun: make(chan struct{}), over: make(chan struct{}), broken: make(chan struct{}, 1),
	}
	if conn.Link().Limited() > 0 {
		t.source.admitting.Lock()
		defer t.source.admitting.Unlock()
	}
	asked := conn.Link().Now()
	overLimit := asked.Limited()
	if err := c.Subscribe(c.receive); err != nil {
		return nil, err
	}
	c.heard.Store(time.Now().UnixNano())
	ctx, cancel := context.WithTimeout(t.alive, tapTimeout)
	defer cancel()
	_, err := c.Make(ctx, nats.ConsumerConfig{
		DeliverPolicy: nats.DeliverByStartSequencePolicy,
		OptStartSeq:   t.Last().Seq + 1, // explicit: a restarted server would begin elsewhere with any other policy
	}, t.Decoder().Config.ConsumerLimits)
	if err == nil {
		err = c.Prove(ctx)
	}
	if err == nil {
		err = t.source.proveInbox(ctx, c.Inbox(), asked, overLimit)
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// begin starts the delivery of the consumer's messages.
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

// close ends the consumer, and the delivery of its messages.
func (c *consumer) close() {
	c.tap.mu.Lock()
	c.tap.consumer = nil
	c.tap.mu.Unlock()
	close(c.over)
	c.Close()
}

// watch returns when the consumer must be made again.
func (c *consumer) watch() error {
	tick := time.NewTicker(js.Heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if time.Since(time.Unix(0, c.heard.Load())) > js.LostAfter {
				return c.Silent()
			}
		case <-c.broken:
			return nil
		case <-c.link.Lost(): // at once, before nats.go subscribes again: its subscription would take the room of others
			return nil
		case <-c.tap.again:
			return nil
		case <-c.tap.alive.Done():
			return nil
		}
	}
}

// breakOff makes watch return.
func (c *consumer) breakOff() {
	select {
	case c.broken <- struct{}{}:
	default:
	}
}

// receive handles a message on the inbox, in a goroutine of nats.go.
func (c *consumer) receive(msg *nats.Msg) {
	c.heard.Store(time.Now().UnixNano())
	select {
	case <-c.begun:
	case <-c.over:
		return
	}
	a, isIdle, err := c.Take(msg)
	if isIdle {
		c.tap.pending.Store(0) // what was left has been removed
	}
	if err != nil || a.StreamSeq > 0 && !c.tap.deliver(c, msg, a) {
		c.breakOff()
	}
}
