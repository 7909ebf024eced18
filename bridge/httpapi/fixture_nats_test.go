package httpapi_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tailwater/tailwater/bridge"
)

// publisher is a Publisher that remembers, and does what it is told to.
type publisher struct {
	mu   sync.Mutex
	err  error
	gets bridge.Receipt // what Publish gives without an error
	wait chan struct{}  // if not nil, Publish waits for its end
	away bool           // there is no connection
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

func (p *publisher) IsConnected() bool { return !p.away }

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
