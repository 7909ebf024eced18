package source

// The life of a tap.

import (
	"context"
	"time"

	"github.com/nats-io/nats-server/v2/server/gsl"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/catalog"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// tapRetry is the wait before a consumer is made again.
const tapRetry = 100 * time.Millisecond

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
		t.pause(tapRetry)
	}
}

// pause waits before the next attempt, or for a new connection to NATS, where the rights may be wider.
func (t *tap) pause(d time.Duration) {
	wait := time.NewTimer(d)
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
	if by := t.source.table.Obstacle(t.name, err); err != nil && by.Why != "" {
		t.source.table.MarkUnreadable(t.name, link, by)
		t.pause(by.Lasts)
		return nil
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
		rolled = stored.Seq == last.Seq && stored.Time != last.Time
	}
	if !rolled {
		return nil
	}
	t.source.log.Warn("a stream was restored from a backup; readers of what it has lost get a reset", "stream", t.name)
	t.mu.Lock()
	t.rolled = true
	t.mu.Unlock()
	t.source.signal(streamsChanged)
	<-t.alive.Done() // this tap is over
	return t.alive.Err()
}
