package bridge_test

// What the tests of feeds, readers and the hub share: a source that the test plays itself, and events written short.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// fakeSource remembers the feeds it was given, and the order in which they came and went. The test fills them.
type fakeSource struct {
	mu       sync.Mutex
	attached []*bridge.Feed
	detached []*bridge.Feed
}

func (s *fakeSource) Attach(f *bridge.Feed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attached = append(s.attached, f)
}

func (s *fakeSource) Detach(f *bridge.Feed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.detached = append(s.detached, f)
}

func (s *fakeSource) attachments() (attached, detached []*bridge.Feed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.attached), slices.Clone(s.detached)
}

// feed returns the feed that was attached last.
func (s *fakeSource) feed(t testing.TB) *bridge.Feed {
	t.Helper()
	attached, _ := s.attachments()
	if len(attached) == 0 {
		t.Fatal("no feed was attached")
	}
	return attached[len(attached)-1]
}

// newHub returns a hub that keeps everything during a test, over a source that the test controls.
func newHub(t testing.TB, memory bridge.Memory) (*bridge.Hub, *fakeSource) {
	source := &fakeSource{}
	hub := bridge.NewHub(source, time.Hour, memory)
	t.Cleanup(hub.Close)
	return hub, source
}

// read opens a reader in Raw that is closed with the test.
func read(t testing.TB, hub *bridge.Hub, resume bridge.Resume, subjects ...bridge.Subject) *bridge.Reader {
	t.Helper()
	return readIn(t, hub, bridge.Framing{}, resume, subjects...)
}

func readIn(t testing.TB, hub *bridge.Hub, framing bridge.Framing, resume bridge.Resume, subjects ...bridge.Subject) *bridge.Reader {
	t.Helper()
	reader, err := hub.Read(subjects, framing, resume)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(reader.Close)
	return reader
}

// at returns the position that the tests use for a sequence.
func at(seq uint64) bridge.Position {
	return bridge.Position{Epoch: "e1", Seq: seq, Time: 1_700_000_000_000_000_000 + int64(seq)}
}

// after returns the Resume of a client that has seen everything up to a sequence.
func after(seq uint64) bridge.Resume {
	return bridge.Resume{After: bridge.ID{at(seq)}}
}

// message returns a message with the payload m<seq>.
func message(seq uint64) *bridge.Message {
	return &bridge.Message{Subject: "chat.room1", Position: at(seq), Data: fmt.Appendf(nil, "m%d", seq)}
}

// frames returns all frames that the reader has now.
func frames(t testing.TB, reader *bridge.Reader) [][]byte {
	t.Helper()
	var all [][]byte
	for {
		more, wait := bridgetest.Next(reader, nil, 1<<20)
		if wait != nil {
			return all
		}
		if len(more) == 0 {
			t.Fatal("Next gives neither a frame nor a channel to wait for")
		}
		all = append(all, more...)
	}
}

// events reads frames in Raw as a strict client does, from the start of a connection on.
func events(t testing.TB, frames ...[]byte) []bridgetest.Event {
	t.Helper()
	all := append(bridge.Framing{}.Preamble(), bytes.Join(frames, nil)...)
	stream := bridgetest.NewStream(bytes.NewReader(all))
	var got []bridgetest.Event
	for {
		event, err := stream.Next()
		if err == io.EOF {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, event)
	}
}

// expect fails unless the reader now has just these events, in the words of sketch.
func expect(t testing.TB, reader *bridge.Reader, want ...string) {
	t.Helper()
	var got []string
	for _, event := range events(t, frames(t, reader)...) {
		got = append(got, sketch(event))
	}
	if !slices.Equal(got, want) {
		t.Fatalf("the reader has %q, want %q", got, want)
	}
}

// sketch writes an event short: `m5@5`, `open@5`, `gap retention 2..5@5`, `reset unknown@5`, the number being the
// sequence of the event id.
func sketch(e bridgetest.Event) string {
	var data struct{ After, First, Reason string }
	_ = json.Unmarshal([]byte(e.Data), &data)
	name := strings.TrimPrefix(e.Type, "tailwater:")
	switch e.Type {
	case bridge.EventOpen:
	case bridge.EventGap:
		name += fmt.Sprintf(" %s %s..%s", data.Reason, number(data.After), number(data.First))
	case bridge.EventReset:
		name += " " + data.Reason
	case "message":
		name = e.Data
	default:
		name += " " + e.Data
	}
	return name + "@" + number(e.ID)
}

// number returns the sequence of an id that at would give, and any other id as it is.
func number(id string) string {
	position, err := bridge.ParseID(id)
	if err != nil || len(position) != 1 || position[0] != at(position[0].Seq) {
		return id
	}
	return strconv.FormatUint(position[0].Seq, 10)
}

// unstored returns the parts of a feed whose subjects no log holds.
func unstored(at bridge.Position) []bridge.Part { return []bridge.Part{{At: at}} }
