package source_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
)

// truth is a small stream, and all that was ever published to it.
type truth struct {
	t      *testing.T
	random *rand.Rand
	js     jetstream.JetStream
	stream jetstream.Stream
	config jetstream.StreamConfig
	epoch  string
	all    []*truthMessage // of sequence 1, 2 and so on
	state  jetstream.StreamState
	read   bool // clients have begun to read: what they were given while a message was hidden, others are given later
}

// truthMessage is one message, and what became of it.
type truthMessage struct {
	seq     uint64
	subject string
	data    string
	time    int64 // 0 where nobody knows it
	stored  bool
	deleted bool // by hand: nobody is owed it
	hidden  bool // see hides
}

// newTruth makes an empty stream with limits of all kinds.
func newTruth(t *testing.T, js jetstream.JetStream, random *rand.Rand, name string) *truth {
	t.Helper()
	s := &truth{t: t, random: random, js: js, config: jetstream.StreamConfig{
		Name:              name,
		Subjects:          []string{name + ".>"},
		Storage:           jetstream.MemoryStorage,
		MaxMsgsPerSubject: pick[int64](random, -1, 1, 3, 3, 8),
		MaxMsgs:           pick[int64](random, -1, -1, 3, 8, 15),
		MaxBytes:          pick[int64](random, -1, -1, -1, 700),
		AllowDirect:       random.IntN(6) > 0,
	}}
	t.Cleanup(s.delete)
	s.create()
	return s
}

func pick[T any](random *rand.Rand, from ...T) T { return from[random.IntN(len(from))] }

func (s *truth) create() {
	s.t.Helper()
	s.stream = createStream(s.t, s.js, s.config)
	s.all = nil
	s.epoch = bridge.Epoch(s.config.Name, s.stream.CachedInfo().Created)
}

func (s *truth) delete() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.t.Context()), patience) // also at the test's end
	defer cancel()
	if err := s.js.DeleteStream(ctx, s.config.Name); err != nil {
		s.t.Fatal(err)
	}
}

// everything gives a filter for all of the stream.
func (s *truth) everything() bridge.Subject { return bridge.Subject(s.config.Name + ".>") }

// subject gives one of the subjects that are published on.
func (s *truth) subject() string {
	return s.config.Name + pick(s.random, ".a", ".a", ".a", ".b", ".b", ".c", ".d.e")
}

// filters gives what a client may read.
func (s *truth) filters() []bridge.Subject {
	var filters []bridge.Subject
	for _, end := range pick(s.random, []string{".a"}, []string{".a"}, []string{".b"}, []string{".c"}, []string{".*"}, []string{".>"}, []string{".a", ".b"}, []string{".c", ".d.*"}) {
		filters = append(filters, bridge.Subject(s.config.Name+end))
	}
	return filters
}

// step lets something happen to the stream.
func (s *truth) step() {
	switch what := s.random.IntN(20); {
	case what < 14:
		s.publish(1)
	case what < 16: // at once: a tap may not be able to read them all before some are gone
		s.publish(2 + s.random.IntN(10))
	case what < 18:
		s.deleteOne()
	case what < 19:
		s.purge(jetstream.WithPurgeSubject(s.subject()))
	case s.random.IntN(3) == 0 && len(s.all) > 0:
		s.purge(jetstream.WithPurgeSequence(1 + s.random.Uint64N(uint64(len(s.all)))))
	}
}

// publish stores so many messages, on any subjects.
func (s *truth) publish(n int) {
	s.t.Helper()
	s.send(s.write(n))
	if s.random.IntN(2) == 0 {
		s.look()
	}
}

// write gives messages that are to be sent next.
func (s *truth) write(n int) []*truthMessage {
	for range n {
		seq := uint64(len(s.all) + 1)
		s.all = append(s.all, &truthMessage{seq: seq, subject: s.subject(), data: fmt.Sprint(seq, strings.Repeat(" x", s.random.IntN(30)))})
	}
	return s.all[len(s.all)-n:]
}

// send publishes messages, and waits until they are stored.
func (s *truth) send(messages []*truthMessage) {
	for _, m := range messages {
		if _, err := s.js.PublishAsync(m.subject, []byte(m.data), jetstream.WithStallWait(patience)); err != nil {
			s.t.Error(err)
		}
	}
	select {
	case <-s.js.PublishAsyncComplete():
	case <-s.t.Context().Done():
	}
}

// deleteOne deletes a message as its publisher may, if it is still there.
func (s *truth) deleteOne() {
	s.t.Helper()
	if len(s.all) == 0 {
		return
	}
	s.look()
	m := pick(s.random, s.all...)
	err := s.stream.DeleteMsg(within(s.t, patience), m.seq)
	if err != nil && m.stored {
		s.t.Fatal(err)
	}
	m.deleted = m.deleted || err == nil
	s.look()
}

// purge deletes several messages as a publisher may.
func (s *truth) purge(which jetstream.StreamPurgeOpt) {
	s.t.Helper()
	s.look()
	before := s.storedNow()
	if err := s.stream.Purge(within(s.t, patience), which); err != nil {
		s.t.Fatal(err)
	}
	s.look()
	for _, m := range before {
		m.deleted = !m.stored
	}
}

func (s *truth) storedNow() []*truthMessage {
	return slices.DeleteFunc(slices.Clone(s.all), func(m *truthMessage) bool { return !m.stored })
}

// look finds out what is stored, and when the last message was.
func (s *truth) look() {
	s.t.Helper()
	info, err := s.stream.Info(within(s.t, patience), jetstream.WithDeletedDetails(true), jetstream.WithSubjectFilter(">"))
	if err != nil {
		s.t.Fatal(err)
	}
	if s.state = info.State; s.state.LastSeq != uint64(len(s.all)) {
		s.t.Fatalf("the stream has %d messages, %d were published", s.state.LastSeq, len(s.all))
	}
	if len(s.all) > 0 {
		s.all[len(s.all)-1].time = s.state.LastTime.UnixNano()
	}
	for _, m := range s.all {
		m.stored = m.seq >= s.state.FirstSeq && !slices.Contains(s.state.Deleted, m.seq)
	}
	for _, m := range s.all {
		m.hidden = s.hides(m) || s.read && m.hidden
	}
	if n := len(s.storedNow()); uint64(n) != s.state.Msgs {
		s.t.Fatalf("%d messages are stored, of which %d are known", s.state.Msgs, n)
	}
}

// isOwed tells whether a client that stands before a message has to be told that it is gone. What its publisher deleted
// is not owed, nor is a value that another has superseded in a stream that keeps one for each subject.
func (s *truth) isOwed(m *truthMessage) bool {
	superseded := s.config.MaxMsgsPerSubject == 1 && slices.ContainsFunc(s.all[m.seq:], func(later *truthMessage) bool { return later.subject == m.subject })
	return !m.stored && !m.deleted && !m.hidden && !superseded
}

// hides tells whether nothing shows any more that a limit has removed a message: its subject was at the limit then, but
// later messages of it were deleted by hand, and it is not at the limit now. That may be told or not.
func (s *truth) hides(m *truthMessage) bool {
	limit := s.config.MaxMsgsPerSubject
	return !m.stored && !m.deleted && limit > 1 && s.state.Subjects[m.subject] < uint64(limit) && slices.ContainsFunc(s.all[m.seq:], func(later *truthMessage) bool {
		return later.deleted && later.subject == m.subject
	})
}

// isLimited tells whether limits of the whole stream remove its first messages.
func (s *truth) isLimited() bool { return s.config.MaxMsgs > 0 || s.config.MaxBytes > 0 }

// removedAbove tells whether any message above a sequence is gone, for whatever reason.
func (s *truth) removedAbove(seq uint64) bool {
	return slices.ContainsFunc(s.all[min(seq, uint64(len(s.all))):], func(m *truthMessage) bool { return !m.stored })
}

// excuse says why a client at a position may be told a gap though nothing is missing that it is owed; "" if nothing
// does. In each case the stream does not tell any more what was removed, only that something may have been:
//
//   - The first messages of the stream are gone. They may have been of other subjects, have been superseded, or deleted by
//     hand: nothing is left of them that says so. That the stream has no limits now says nothing either: it may have had
//     some. Only in one that keeps the newest message of each subject, and has no others, they were superseded.
//   - A subject is at its limit, and all that is stored of it is above the position. It may be exactly full; or what was
//     removed lay before the position, or was deleted by hand. But there must be a hole behind the stream's first message:
//     a stream that has none has lost nothing there.
func (s *truth) excuse(at uint64, filters []bridge.Subject) string {
	if (s.isLimited() || s.config.MaxMsgsPerSubject != 1) && at+1 < s.state.FirstSeq {
		return "the stream begins later"
	}
	limit := s.config.MaxMsgsPerSubject
	hasHoles := s.state.Msgs < s.state.LastSeq-s.state.FirstSeq+1
	for subject, count := range s.state.Subjects {
		if limit <= 1 || count < uint64(limit) || at+1 >= s.state.FirstSeq && !hasHoles || bridge.FirstMatch(filters, subject) == "" {
			continue
		}
		oldest := slices.IndexFunc(s.all, func(m *truthMessage) bool { return m.stored && m.subject == subject })
		if s.all[oldest].seq > at+1 {
			return "a subject at its limit begins later"
		}
	}
	return ""
}

// String describes the stream, and what became of each message.
func (s *truth) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "a stream with at most %d messages, %d bytes, %d messages for each subject; direct gets: %v; holding %v\n",
		s.config.MaxMsgs, s.config.MaxBytes, s.config.MaxMsgsPerSubject, s.config.AllowDirect, maps.Collect(maps.All(s.state.Subjects)))
	for _, m := range s.all {
		fate := "removed by a limit"
		switch {
		case m.stored:
			fate = "stored"
		case m.deleted:
			fate = "deleted by hand"
		case m.hidden:
			fate = "removed by a limit, which nothing shows any more"
		case !s.isOwed(m):
			fate = "superseded"
		}
		fmt.Fprintf(&b, "%4d %s, %s\n", m.seq, strings.TrimPrefix(m.subject, s.config.Name), fate)
	}
	return b.String()
}
