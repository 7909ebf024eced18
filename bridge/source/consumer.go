package source

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge/source/js"
)

// consumer is a push consumer on an inbox of this process. nats.go's own types for that are not used: they take a message
// with a Status header for a word of the server, and anyone can publish one. Here, what arrives on the bare inbox subject
// is the server's word; everything else is a message, and what there is to know about it stands in its reply subject.
type consumer struct {
	tap    *tap
	name   string
	inbox  string
	sub    *nats.Subscription
	first  uint64 // the stream's first sequence, when all up to known had come; both belong to receive
	known  uint64
	seq    uint64        // of the last message, as the consumer counts; guarded by the tap's lock
	heard  atomic.Int64  // when something came last, in nanoseconds
	begun  chan struct{} // closed when what comes may be delivered
	over   chan struct{} // closed when it may not any more
	broken chan struct{} // holds one: something is missing
}

// consume makes a consumer that begins behind the last message delivered. What it brings waits until begin.
func (t *tap) consume() (*consumer, error) {
	conn := t.source.conn
	inbox := conn.NewInbox()
	c := &consumer{
		tap: t, inbox: inbox,
		begun: make(chan struct{}), over: make(chan struct{}), broken: make(chan struct{}, 1),
	}
	if t.source.conn.Link().Limited() > 0 {
		t.source.admitting.Lock()
		defer t.source.admitting.Unlock()
	}
	asked := t.source.conn.Link().Now()
	overLimit := asked.Limited()
	var err error
	if c.sub, err = conn.Subscribe(inbox, c.receive); err != nil {
		return nil, fmt.Errorf("subscribe to the inbox of a consumer: %w", err)
	}
	// There is no error for a subscription that is open.
	_ = c.sub.SetPendingLimits(-1, tapPending)
	c.heard.Store(time.Now().UnixNano())
	config := pushing(nats.ConsumerConfig{
		DeliverPolicy: nats.DeliverByStartSequencePolicy,
		OptStartSeq:   t.log.Last().Seq + 1, // explicit: a restarted server would begin anywhere else again
	}, inbox)
	config = limited(*t.log.limits.Load(), config)
	config.FlowControl = !asked.IsStalling() // else it would stop, and wait for an answer that NATS refuses
	c.name = config.Name
	ctx, cancel := context.WithTimeout(t.alive, tapTimeout)
	defer cancel()
	err = t.source.table.call(ctx, createConsumer(t.name, config), creation{t.name, config, "create"}, nil)
	if err == nil {
		err = t.source.proveInbox(ctx, inbox, asked, overLimit)
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
	conn := c.tap.source.conn
	if c.sub.Unsubscribe() == nil && c.tap.source.conn.Link().IsUp() {
		// Without waiting for the answer: if it cannot be deleted now, the server will do so after a while.
		_ = conn.Publish(c.tap.source.api.Subject(js.AskDelete+c.tap.name+"."+c.name), nil)
	}
}

// watch returns when the consumer has to be made anew.
func (c *consumer) watch() error {
	tick := time.NewTicker(tapHeartbeat)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if silence := time.Since(time.Unix(0, c.heard.Load())); silence > tapSilence {
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
	if msg.Subject == c.inbox {
		c.control(msg)
		return
	}
	a, ok := js.ParseAck(msg.Reply)
	if !ok || !c.tap.deliver(c, msg, a) {
		c.breakOff()
	}
}

// control answers flow control, and compares what the server has sent with what came.
func (c *consumer) control(msg *nats.Msg) {
	answer(c.tap.source.conn, msg)
	sent, err := strconv.ParseUint(msg.Header.Get("Nats-Last-Consumer"), 10, 64)
	c.tap.mu.Lock()
	missing := err == nil && sent != c.seq
	c.tap.mu.Unlock()
	if missing {
		c.breakOff()
	}
}
