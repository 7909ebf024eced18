package bridge_test

// A log in memory for the tests: a list of messages with the limits of a stream, which can be purged, rolled back, made
// to fail and made to wait.

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// fakeStream is what several nodes share: one life of a stream.
type fakeStream struct {
	name  string
	epoch string

	maxPerSubject int // 0 for no limit; in a stream with 1, superseded values are not lost
	maxMessages   int // 0 for no limit
	pageSize      int
	careful       bool // LostBelow is not exact: it counts whatever is below the first message
	delay         time.Duration

	mu      sync.Mutex
	content content
	failing bool
	blocked chan struct{}  // reads wait until it is closed; nil if they do not
	calls   map[string]int // by method
}

// content is what a copy of the stream holds.
type content struct {
	history []*bridge.Message // all that was ever published in this life, those that are gone included
	gone    map[uint64]bool   // no longer stored
	lost    []uint64          // in the order in which limits and purges removed them
	last    bridge.Position
}

func newStream(name string, created time.Time) *fakeStream {
	epoch := bridge.Epoch(name, created)
	return &fakeStream{
		name: name, epoch: epoch, pageSize: 1000, calls: map[string]int{},
		content: content{gone: map[uint64]bool{}, last: bridge.Position{Epoch: epoch}},
	}
}

// publish stores a message, and returns it as a tap would.
func (s *fakeStream) publish(subject, data string, at time.Time) *bridge.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &s.content
	c.last = bridge.Position{Epoch: s.epoch, Seq: c.last.Seq + 1, Time: at.UnixNano()}
	message := &bridge.Message{Subject: subject, Position: c.last, Data: []byte(data)}
	c.history = append(c.history, message)
	same := func(m *bridge.Message) bool { return m.Subject == subject }
	s.limit(s.maxPerSubject, s.maxPerSubject > 1, same)
	s.limit(s.maxMessages, true, func(*bridge.Message) bool { return true })
	return message
}

// limit removes the oldest messages of a kind, but for so many.
func (s *fakeStream) limit(most int, owed bool, kind func(*bridge.Message) bool) {
	if most == 0 {
		return
	}
	var stored []uint64
	for _, m := range s.content.history {
		if kind(m) && !s.content.gone[m.Position.Seq] {
			stored = append(stored, m.Position.Seq)
		}
	}
	if len(stored) > most {
		s.remove(owed, stored[:len(stored)-most]...)
	}
}

func (s *fakeStream) remove(owed bool, seqs ...uint64) {
	for _, seq := range seqs {
		s.content.gone[seq] = true
		if owed {
			s.content.lost = append(s.content.lost, seq)
		}
	}
}

// purge removes everything up to a sequence; delete removes one message, as its publisher wants.
func (s *fakeStream) purge(upTo uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.content.history {
		if m.Position.Seq <= upTo && !s.content.gone[m.Position.Seq] {
			s.remove(true, m.Position.Seq)
		}
	}
}

func (s *fakeStream) delete(seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.content.gone[seq] {
		s.remove(false, seq)
	}
}

// copy and restore set the stream back to what it was: the same life, but sequences are used again.
func (s *fakeStream) copy() content {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.content
	return content{slices.Clone(c.history), maps.Clone(c.gone), slices.Clone(c.lost), c.last}
}

func (s *fakeStream) restore(c content) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.content = c
}

// fail makes reads fail, or succeed again.
func (s *fakeStream) fail(failing bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failing = failing
}

// block makes reads wait until the returned function is called.
func (s *fakeStream) block() (letGo func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	blocked := make(chan struct{})
	s.blocked = blocked
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		close(blocked)
		s.blocked = nil
	}
}

// count returns how often a method was called.
func (s *fakeStream) count(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[method]
}

var errFake = errors.New("the fake does not answer")

// begin is the beginning of each read, after which the lock is held if it gives no error.
func (s *fakeStream) begin(ctx context.Context, method string) error {
	s.mu.Lock()
	s.calls[method]++
	blocked := s.blocked
	s.mu.Unlock()
	time.Sleep(s.delay)
	if blocked != nil {
		select {
		case <-blocked:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.mu.Lock()
	if s.failing {
		s.mu.Unlock()
		return errFake
	}
	return nil
}

// stored returns the stored messages on the subjects between two sequences, both included.
func (s *fakeStream) stored(subjects []bridge.Subject, from, through uint64) []*bridge.Message {
	var found []*bridge.Message
	for _, m := range s.content.history {
		if seq := m.Position.Seq; seq >= from && seq <= through && !s.content.gone[seq] && matches(subjects, m.Subject) {
			found = append(found, m)
		}
	}
	return found
}

// lostBelow is exact, unless the stream is careful: only a message on the subjects that is gone counts, if it would have
// to be in a page up to through.
func (s *fakeStream) lostBelow(subjects []bridge.Subject, through uint64) uint64 {
	var below uint64
	for _, seq := range s.content.lost {
		if seq > below && seq <= through && matches(subjects, s.content.history[seq-1].Subject) {
			below = seq
		}
	}
	if s.careful && len(s.content.lost) > 0 {
		first := s.content.last.Seq + 1
		if all := s.stored([]bridge.Subject{">"}, 1, s.content.last.Seq); len(all) > 0 {
			first = all[0].Position.Seq
		}
		below = max(below, first-1)
	}
	return below
}

func matches(subjects []bridge.Subject, subject string) bool {
	return slices.ContainsFunc(subjects, func(s bridge.Subject) bool { return s.Matches(subject) })
}

// fakeLog is the stream as one node sees it.
type fakeLog struct {
	*fakeStream
	tapped atomic.Pointer[bridge.Position] // up to here, messages were appended to the node's feeds
	upTo   uint64                          // of the newest values that were asked for last
}

// tap returns the log of a node that begins with what is published next.
func (s *fakeStream) tap() *fakeLog {
	log := &fakeLog{fakeStream: s}
	last := s.copy().last
	log.tapped.Store(&last)
	return log
}

func (l *fakeLog) Last() bridge.Position { return *l.tapped.Load() }

func (l *fakeLog) Page(ctx context.Context, subjects []bridge.Subject, from, through uint64) (bridge.Page, error) {
	if err := l.begin(ctx, "Page"); err != nil {
		return bridge.Page{}, err
	}
	defer l.mu.Unlock()
	return l.cut(bridge.Page{
		Messages: l.stored(subjects, from, through), Through: through, LostBelow: l.lostBelow(subjects, through),
	}), nil
}

// cut makes a page no larger than pages are.
func (l *fakeLog) cut(page bridge.Page) bridge.Page {
	if len(page.Messages) > l.pageSize {
		page.Messages = page.Messages[:l.pageSize]
		page.Through = page.Messages[l.pageSize-1].Position.Seq
	}
	return page
}

func (l *fakeLog) Newest(ctx context.Context, subjects []bridge.Subject, from, upTo uint64) (bridge.Page, error) {
	if err := l.begin(ctx, "Newest"); err != nil {
		return bridge.Page{}, err
	}
	defer l.mu.Unlock()
	if upTo == 0 {
		upTo = l.content.last.Seq
		l.upTo = upTo
	}
	return l.cut(bridge.Page{Messages: newest(l.stored(subjects, 1, upTo), from), Through: upTo, UpTo: upTo}), nil
}

// newest returns the last message of each subject, those from a sequence on.
func newest(all []*bridge.Message, from uint64) []*bridge.Message {
	last := map[string]uint64{}
	for _, m := range all {
		last[m.Subject] = m.Position.Seq
	}
	return slices.DeleteFunc(slices.Clone(all), func(m *bridge.Message) bool {
		return m.Position.Seq < from || last[m.Subject] != m.Position.Seq
	})
}

func (l *fakeLog) Back(ctx context.Context, subjects []bridge.Subject, upTo uint64, most int) (found []bridge.Position, err error) {
	if err := l.begin(ctx, "Back"); err != nil {
		return nil, err
	}
	defer l.mu.Unlock()
	for _, m := range l.stored(subjects, 1, upTo) {
		found = append(found, m.Position)
	}
	return found[max(0, len(found)-min(most, l.pageSize)):], nil
}

func (l *fakeLog) Stored(ctx context.Context, seq uint64) (at bridge.Position, last uint64, err error) {
	if err := l.begin(ctx, "Stored"); err != nil {
		return bridge.Position{}, 0, err
	}
	defer l.mu.Unlock()
	if found := l.stored([]bridge.Subject{">"}, seq, seq); len(found) > 0 {
		at = found[0].Position
	}
	return at, l.content.last.Seq, nil
}

func (l *fakeLog) Since(ctx context.Context, t time.Time) (uint64, error) {
	if err := l.begin(ctx, "Since"); err != nil {
		return 0, err
	}
	defer l.mu.Unlock()
	for _, m := range l.stored([]bridge.Subject{">"}, 1, l.content.last.Seq) {
		if m.Position.Time >= t.UnixNano() {
			return m.Position.Seq, nil
		}
	}
	return l.content.last.Seq + 1, nil
}

// part returns the log as a part of a feed that begins now.
func (l *fakeLog) part(subjects ...bridge.Subject) bridge.Part {
	return bridge.Part{Subjects: subjects, At: l.Last(), Log: l}
}

// deliver appends to the feed what the node has not had, up to a sequence.
func (l *fakeLog) deliver(upTo uint64, feeds ...*bridge.Feed) {
	for _, m := range l.copy().history {
		if seq := m.Position.Seq; seq > l.Last().Seq && seq <= upTo {
			for _, feed := range feeds {
				if matches(feed.Subjects(), m.Subject) {
					feed.Append(m)
				}
			}
			l.tapped.Store(&m.Position)
		}
	}
}

// The fake is held against the words of bridge.Log where the tests lean on it most.
func TestFakeLog(t *testing.T) {
	stream := newStream("S", time.Unix(1, 0))
	stream.maxPerSubject, stream.maxMessages, stream.pageSize = 2, 4, 2
	for i, subject := range []string{"a", "b", "a", "a", "b", "b", "c", "c"} { // leaves b5 b6 c7 c8
		stream.publish(subject, "", time.Unix(int64(i)+1, 0))
	}
	log := stream.tap()
	for _, test := range []struct {
		subject       bridge.Subject
		from, through uint64
		want          []uint64
		reaches, lost uint64
	}{
		{">", 1, 8, []uint64{5, 6}, 6, 4},
		{">", 7, 8, []uint64{7, 8}, 8, 4},
		{"a", 1, 8, nil, 8, 4},
		{"b", 1, 4, nil, 4, 2},
		{"c", 1, 8, []uint64{7, 8}, 8, 0},
	} {
		page, err := log.Page(t.Context(), []bridge.Subject{test.subject}, test.from, test.through)
		if err != nil || !slices.Equal(seqs(page.Messages), test.want) || page.Through != test.reaches || page.LostBelow != test.lost {
			t.Errorf("%+v: the page is %v, up to %d, lost below %d, %v", test, seqs(page.Messages), page.Through, page.LostBelow, err)
		}
	}
	page, err := log.Newest(t.Context(), []bridge.Subject{">"}, 1, 7)
	if err != nil || !slices.Equal(seqs(page.Messages), []uint64{6, 7}) || page.Through != 7 || page.UpTo != 7 {
		t.Errorf("the newest are %v, up to %d of %d, %v", seqs(page.Messages), page.Through, page.UpTo, err)
	}
	for seq, want := range map[uint64]int64{4: 0, 5: 5, 8: 8, 9: 0} {
		if at, last, err := log.Stored(t.Context(), seq); err != nil || at.Time != want*int64(time.Second) || last != 8 {
			t.Errorf("at %d %v is stored, the last is %d, %v", seq, at, last, err)
		}
	}
	for second, want := range map[int64]uint64{0: 5, 5: 5, 6: 6, 8: 8, 9: 9} {
		if seq, err := log.Since(t.Context(), time.Unix(second, 0)); err != nil || seq != want {
			t.Errorf("since second %d comes %d, %v, want %d", second, seq, err, want)
		}
	}
}

func seqs(messages []*bridge.Message) []uint64 {
	var all []uint64
	for _, m := range messages {
		all = append(all, m.Position.Seq)
	}
	return all
}
