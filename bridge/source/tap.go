package source

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server/gsl"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/catalog"
	"github.com/tailwater/tailwater/bridge/source/history"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// tapTimeout is how long one request to JetStream may take.
const tapTimeout = 5 * time.Second

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

// Last implements bridge.Log.
func (t *tap) Last() bridge.Position { return *t.last.Load() }

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
	for name, t := range s.taps {
		if t.isUnused() {
			t.stop()
			s.mu.Lock()
			delete(s.taps, name)
			s.mu.Unlock()
		}
	}
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
