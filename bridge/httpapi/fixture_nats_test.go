package httpapi_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tailwater/tailwater/bridge"
)

// fakeSource is a bridge.Source. Its feeds begin at once, unless it is away.
type fakeSource struct {
	mu       sync.Mutex
	away     bool
	feeds    map[*bridge.Feed]bool
	position bridge.Position
}

func (s *fakeSource) Attach(feed *bridge.Feed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.feeds[feed] = true
	if !s.away {
		feed.Begin(unstored(s.position))
	}
}

func (s *fakeSource) Detach(feed *bridge.Feed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.feeds, feed)
}

// come lets the feeds begin that came while the source was away.
func (s *fakeSource) come() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = false
	for feed := range s.feeds {
		feed.Begin(unstored(s.position))
	}
}

// deliver hands a message to the feeds of its subject.
func (s *fakeSource) deliver(subject, data string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.position.Seq++
	s.position.Time++
	m := &bridge.Message{Subject: subject, Position: s.position, Data: []byte(data)}
	for feed := range s.feeds {
		for _, filter := range feed.Subjects() {
			if filter.Matches(subject) && bridge.FirstMatch(feed.Subjects(), subject) == filter {
				feed.Append(m)
			}
		}
	}
}

// publisher is a Publisher that remembers, and does what it is told to.
type publisher struct {
	mu   sync.Mutex
	err  error
	gets bridge.Receipt // what Publish gives without an error
	wait chan struct{}  // if not nil, Publish waits for its end
	got  []published
}

type published struct {
	subject bridge.Subject
	header  map[string][]string
	data    []byte
}

func (p *publisher) Publish(ctx context.Context, subject bridge.Subject, header map[string][]string, data []byte) (bridge.Receipt, error) {
	p.mu.Lock()
	p.got = append(p.got, published{subject, header, data})
	wait, err, receipt := p.wait, p.err, p.gets
	p.mu.Unlock()
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return bridge.Receipt{}, fmt.Errorf("%w: %w", bridge.ErrUnavailable, ctx.Err())
		}
	}
	return receipt, err
}

func (p *publisher) IsConnected() bool { return true }

// store is a Store that says what it is told to.
type store struct {
	mu     sync.Mutex
	extent bridge.Extent
	err    error
	asked  []bridge.Subject // what Extent was asked about last
	slow   bridge.Subject   // what Extent and End do not answer about
	waits  atomic.Int32     // how often they did not
}

func (s *store) Holder([]bridge.Subject) any { return s }

func (s *store) Extent(ctx context.Context, subjects []bridge.Subject) (bridge.Extent, error) {
	if s.slow != "" && s.slow.Covers(subjects[0]) {
		s.waits.Add(1)
		<-ctx.Done()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = subjects
	return s.extent, s.err
}

func (s *store) End(ctx context.Context, subjects []bridge.Subject) (bridge.ID, error) {
	if s.slow != "" && s.slow.Covers(subjects[0]) {
		s.waits.Add(1)
		<-ctx.Done()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.extent.Last, s.err
}

func (s *store) say(extent bridge.Extent, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.extent, s.err = extent, err
}

// all returns what was published.
func (p *publisher) all() []published {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.got)
}
