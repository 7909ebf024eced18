package source

import (
	"context"
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server/gsl"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/catalog"
	"github.com/tailwater/tailwater/bridge/source/history"
	"github.com/tailwater/tailwater/bridge/source/js"
)

const (
	// tapRetry is the wait before a consumer is made again.
	tapRetry = 100 * time.Millisecond
	// tapTimeout is how long one request to JetStream may take.
	tapTimeout = 5 * time.Second
	// mostControls is more than the control messages that can arrive among messages during one request.
	mostControls = 32
)

// tap delivers one life of a stream to all feeds that read from it. Whenever a message may be missing, it makes a new consumer,
// which begins after the last delivered message. If the stream was replaced, or restored from a backup, the tap is over, and
// another one takes its place. Readers that are behind read pages of it: it implements bridge.Log.
type tap struct {
	*history.History
	last atomic.Pointer[bridge.Position] // of the last delivered message

	source  *Source
	api     js.API // watched
	name    string
	created time.Time
	again   chan struct{} // buffers one: the consumer must be made again
	alive   context.Context
	stop    context.CancelFunc

	pending atomic.Uint64 // messages that the server had for it after the last delivered one

	sought bool // the start position is known; belongs to run

	mu       sync.Mutex
	ready    bool      // every message after the stream's position is, or will be, delivered
	rolled   bool      // the stream was restored from a backup: this tap is over
	consumer *consumer // the present one; nil for none
	branches map[*branch]bool
	filters  *gsl.GenericSublist[*branch]
}

// branch connects a feed to a tap.
type branch struct {
	tap     *tap
	feed    *bridge.Feed
	filters []bridge.Subject
	last    uint64 // the sequence of the last message delivered to it; guarded by the tap's lock
}

// tapOf returns the tap of a stream; nil if there is none, or it is over.
func (s *Source) tapOf(of *catalog.Stream) *tap {
	s.mu.Lock()
	t := s.taps[of.Name()]
	s.mu.Unlock()
	if t == nil || t.Last().Epoch != of.Epoch {
		return nil
	}
	if _, rolled := t.state(); rolled {
		return nil
	}
	return t
}

// newTap starts the tap of a stream, in the place of one that is over. placing must be held.
func (s *Source) newTap(of *catalog.Stream) *tap {
	t := &tap{
		source:   s,
		api:      s.api.Watched(),
		name:     of.Name(),
		created:  of.Info.Created,
		again:    make(chan struct{}, 1),
		branches: map[*branch]bool{},
		filters:  gsl.NewSublist[*branch](),
	}
	t.alive, t.stop = context.WithCancel(s.alive)
	t.History = s.newHistory(t.alive, of)
	t.last.Store(&bridge.Position{Epoch: of.Epoch})
	s.mu.Lock()
	defer s.mu.Unlock()
	if former := s.taps[t.name]; former != nil {
		former.stop()
	}
	s.taps[t.name] = t
	s.running.Go(t.run)
	return t
}

// Last implements bridge.Log.
func (t *tap) Last() bridge.Position { return *t.last.Load() }

// renew makes the tap make its consumer again.
func (t *tap) renew() {
	select {
	case t.again <- struct{}{}:
	default:
	}
}

// state reports whether feeds can begin, and whether the tap is over.
func (t *tap) state() (ready, rolled bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ready, t.rolled
}

// branch adds a feed to the tap.
func (t *tap) branch(feed *bridge.Feed, filters []bridge.Subject) *branch {
	b := &branch{tap: t, feed: feed, filters: filters}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.branches[b] = true
	for _, f := range filters {
		_ = t.filters.Insert(string(f), b) // an error is for an invalid subject only
	}
	return b
}

// remove removes a branch from its tap, and reports whether it was the last one.
func (b *branch) remove() bool {
	t := b.tap
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.branches, b)
	for _, f := range b.filters {
		_ = t.filters.Remove(string(f), b)
	}
	return len(t.branches) == 0
}

// isUnused reports whether no feed reads from the tap.
func (t *tap) isUnused() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.branches) == 0
}

// stopUnused stops the taps that no feed uses. It is called after all waiting feeds were placed, because the readers of an ended
// feed may be about to read the same stream again.
func (s *Source) stopUnused() {
	s.placing.Lock()
	defer s.placing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.taps, func(_ string, t *tap) bool {
		isUnused := t.isUnused()
		if isUnused {
			t.stop()
		}
		return isUnused
	})
}

// run keeps a consumer until the tap is stopped.
func (t *tap) run() {
	defer t.Close()
	for t.alive.Err() == nil {
		err := t.follow()
		if t.alive.Err() != nil {
			return
		}
		if err != nil {
			t.source.tapFails.Do(func() { t.source.log.Warn("cannot read a stream yet", "stream", t.name, "error", err) })
		}
		t.pause()
	}
}

// pause waits before the next attempt, or for a new connection to NATS.
func (t *tap) pause() {
	wait := time.NewTimer(tapRetry)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-t.again:
	case <-t.alive.Done():
	}
}

// follow delivers until the consumer must be made again.
func (t *tap) follow() error {
	link := t.source.conn.Link()
	if !link.IsUp() {
		select {
		case <-t.again:
		case <-t.alive.Done():
		}
		return nil
	}
	c, err := t.renewed()
	if by := t.source.table.Hindrance(t.name, err); err != nil && by.Why != "" {
		t.source.table.MarkUnreadable(t.name, link, by)
		return t.awaitLifting(by)
	}
	if err != nil {
		return err
	}
	defer c.close()
	t.source.table.MarkReadable(t.name)
	c.begin()
	return c.watch()
}

// renewed makes a consumer that begins after the last delivered message.
func (t *tap) renewed() (*consumer, error) {
	if !t.sought {
		if err := t.seek(); err != nil {
			return nil, err
		}
		t.sought = true // once only: a second search would skip messages that arrived since
	}
	if err := t.ask(); err != nil {
		return nil, err
	}
	c, err := t.consume()
	if err != nil {
		return nil, err
	}
	// Only now: a check after the consumer was made is valid for everything that it delivers.
	if err := t.verify(); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// ask checks that single messages can be read. Positions are judged by them, so without them readers would wait forever.
func (t *tap) ask() error {
	ctx, cancel := context.WithTimeout(t.alive, tapTimeout)
	defer cancel()
	_, err := t.api.Stored(ctx, t.name, js.MsgGet{Seq: max(t.Last().Seq, 1)})
	return err
}

// awaitLifting waits until another attempt to read the stream is worthwhile.
func (t *tap) awaitLifting(by catalog.Obstacle) error {
	lifted := time.NewTimer(by.Lasts + tapRetry)
	defer lifted.Stop()
	select {
	case <-t.again: // the rights of a new connection may be wider
	case <-lifted.C: // the rights may have changed
	case <-t.alive.Done():
	}
	return nil
}

// seek sets the position from which everything is delivered: the stream's last message.
func (t *tap) seek() error {
	info, err := t.info()
	if err != nil {
		return err
	}
	at := bridge.Position{Epoch: t.Last().Epoch, Seq: info.State.LastSeq}
	if at.Seq > 0 {
		at.Time = info.State.LastTime.UnixNano()
	}
	t.last.Store(&at)
	return nil
}

// info reads the state of the stream, which must not have been replaced.
func (t *tap) info() (*jetstream.StreamInfo, error) {
	ctx, cancel := context.WithTimeout(t.alive, tapTimeout)
	defer cancel()
	var info jetstream.StreamInfo
	err := t.api.Call(ctx, js.AskInfo+t.name, nil, &info)
	if js.Code(err) == jetstream.JSErrCodeStreamNotFound || err == nil && !info.Created.Equal(t.created) {
		t.source.table.Doubt(t.name)
		return nil, history.ErrOtherStream
	}
	return &info, err
}

// errRolled means that the stream was restored from a backup, so the tap is over.
var errRolled = errors.New("the stream was restored from a backup")

// verify checks that the stream is still the one whose messages were delivered.
func (t *tap) verify() error {
	info, err := t.info()
	if err != nil {
		return err
	}
	last := t.Last()
	rolled := info.State.LastSeq < last.Seq
	if !rolled && last.Time != 0 && (info.State.LastSeq != last.Seq || info.State.LastTime.UnixNano() != last.Time) {
		ctx, cancel := context.WithTimeout(t.alive, tapTimeout)
		defer cancel()
		stored, err := t.api.Stored(ctx, t.name, js.MsgGet{Seq: last.Seq})
		if err != nil {
			return err
		}
		rolled = stored.Seq == last.Seq && stored.Time.UnixNano() != last.Time
	}
	if !rolled {
		return nil
	}
	t.source.log.Warn("a stream was restored from a backup; readers of what it has lost get a reset", "stream", t.name)
	t.mu.Lock()
	t.rolled = true
	t.mu.Unlock()
	t.source.signal(streamsChanged)
	<-t.alive.Done()
	return errRolled
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
