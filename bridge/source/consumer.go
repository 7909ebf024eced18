package source

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/history"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// mostControls is more than the control messages that can arrive among messages during one request.
const mostControls = 32

// consumer is a tap's consumer.
type consumer struct {
	*js.Pull
	tap    *tap
	link   *js.Link // that it was made on
	first  uint64   // the stream's first sequence, as read when the consumer's message known had arrived; both belong to receive
	known  uint64
	heard  atomic.Int64  // when something arrived last, in nanoseconds
	begun  chan struct{} // closed when messages may be delivered
	over   chan struct{} // closed when messages may not be delivered any more
	broken chan struct{} // buffers one: something is missing
}

// consume makes a consumer that begins after the last delivered message. Its messages wait until begin.
func (t *tap) consume() (*consumer, error) {
	conn := t.source.conn
	if conn.Link().Limited() > 0 { // others would take its refusal for their own, and it theirs
		t.source.admitting.Lock()
		defer t.source.admitting.Unlock()
	}
	c := &consumer{
		Pull: t.api.NewPull(conn, t.name), tap: t, link: conn.Link(),
		begun: make(chan struct{}), over: make(chan struct{}), broken: make(chan struct{}, 1),
	}
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
		t.source.signal(roundDue)
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
			if time.Since(time.Unix(0, c.heard.Load())) > js.LostAfter && !c.MayCome(c.tap.alive) {
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
		js.Wake(c.broken)
	}
}

// isLost reports whether messages that feeds are owed are missing just before a message: removed before they could be read. A
// stream that keeps only the newest message of a subject owes no others. If it also has other limits, its first sequence must
// show that they have not removed a newest message.
func (t *tap) isLost(from *consumer, a js.Ack) (bool, error) {
	last := t.Last().Seq
	if a.StreamSeq <= last+1 {
		return false, nil
	}
	config := t.Decoder().Config // its limits determine what clients are owed
	newestOnly, limited := config.MaxMsgsPerSubject == 1, history.IsLimited(config)
	if newestOnly && !limited {
		return false, nil
	}
	if !newestOnly {
		return true, nil
	}
	if a.ConsumerSeq > from.known {
		if err := t.askFirst(from, a); err != nil {
			return false, err
		}
	}
	return from.first > last+1, nil
}

// askFirst reads the stream's first sequence. It shows whether a limit has removed any message before those that have arrived so
// far.
func (t *tap) askFirst(from *consumer, a js.Ack) error {
	info, err := t.info()
	if err != nil {
		return err
	}
	from.first = info.State.FirstSeq
	from.known = a.ConsumerSeq + uint64(max(0, from.Waiting()-mostControls))
	return nil
}

// deliver passes a message to the feeds. It returns false if a message is missing before it, or if that cannot be found out.
func (t *tap) deliver(from *consumer, msg *nats.Msg, a js.Ack) bool {
	s := t.source
	s.stats.messages.Add(1)
	s.stats.bytes.Add(uint64(len(msg.Data)))
	isLost, err := t.isLost(from, a) // without the lock: it may send a request
	if err != nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.consumer != from {
		return true
	}
	at := bridge.Position{Epoch: t.Last().Epoch, Seq: a.StreamSeq, Time: a.Time}
	if at.Seq <= t.Last().Seq {
		return true
	}
	if isLost {
		// It is unknown which feeds were owed the missing messages.
		hole := bridge.Position{Epoch: at.Epoch, Seq: at.Seq - 1}
		for branch := range t.branches {
			branch.feed.Lost(hole, bridge.GapRetention)
		}
	}
	if message := t.Decoder().Receive(msg, at); message != nil {
		t.filters.Match(msg.Subject, func(b *branch) {
			if b.last != at.Seq { // two of its filters may match
				b.last = at.Seq
				b.feed.Append(message)
			}
		})
	}
	t.last.Store(&at)
	t.pending.Store(a.Pending)
	return true
}
