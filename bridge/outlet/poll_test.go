package outlet_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// fill makes a feed that holds messages of a size, and returns the path of a poll that asks for so many of them.
func (b *fixture) fill(t *testing.T, messages, size, asked int) (path string) {
	t.Helper()
	keeper, err := b.hub.Read([]bridge.Subject{subject}, bridge.Framing{Format: bridge.Lines}, bridge.Resume{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(keeper.Close)
	for range messages {
		b.publish(bytes.Repeat([]byte("x"), size))
	}
	return fmt.Sprintf("/?lines&poll=%d", asked)
}

// polled sends a poll, and returns what comes until it ends.
func polled(t *testing.T, server *httptest.Server, path string) (string, error) {
	t.Helper()
	text, err := io.ReadAll(get(t, server, path, "test-0").Body)
	return string(text), err
}

// A poll returns what was asked for, and ends cleanly, so that its connection can be used again.
func TestPollEndsCleanly(t *testing.T) {
	t.Parallel()
	overProtocols(t, func(t *testing.T, p protocol) {
		b := newFixture(t, p.on(patient), plenty)
		path := b.fill(t, 10, 20_000, 7)
		server := b.serve(t, p)
		for range 3 {
			text, err := polled(t, server, path)
			if lines := strings.Count(text, "\n"); err != nil || lines != 1+7 || strings.Contains(text, "synced") {
				t.Errorf("%d lines, %v", lines, err)
			}
			text, err = polled(t, server, "/?lines&poll=10")
			if lines := strings.Count(text, "\n"); err != nil || lines != 1+10+1 || !strings.HasSuffix(text, `{"event":"tailwater:synced","data":"{}","id":"test-10-b"}`+"\n") {
				t.Errorf("%d lines, %v: %s", lines, err, text[max(0, len(text)-200):])
			}
		}
		if stats := b.outlet.Stats(); stats.PollsAll != 6 || stats.PollsCut != 0 || stats.Opened != 0 {
			t.Errorf("%+v", stats)
		}
		bridgetest.Eventually(t, "no poll is under way", func() bool { return b.outlet.Stats().Polls == 0 && b.hub.Stats().Readers == 1 })
	})
}

// A client that does not receive its answer is cut, and cannot mistake its part for the whole.
func TestPollThatIsNotTakenIsCut(t *testing.T) {
	t.Parallel()
	overSockets(t, func(t *testing.T, p protocol) {
		config := patient
		config.WriteTimeout = writeTimeout
		b := newFixture(t, p.on(config), plenty)
		path := b.fill(t, 50, 64<<10, 50)
		server := b.serve(t, p)
		begun := time.Now()
		conn := say(t, server, smallWindow, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: test-0\r\n\r\n")
		bridgetest.Eventually(t, "it is cut", func() bool { return b.outlet.Stats().PollsCut == 1 })
		if took := time.Since(begun); took < writeTimeout {
			t.Errorf("it was cut after %v", took)
		}
		if n, err := io.Copy(io.Discard, conn); !errors.Is(err, syscall.ECONNRESET) || n > 1<<20 {
			t.Errorf("after %d bytes: %v instead of a reset", n, err)
		}
	})
}

// Any number of unread answers cost only the data being written to each, and delay nobody else.
func TestPollsThatAreNotTakenCostLittle(t *testing.T) {
	overSockets(t, func(t *testing.T, p protocol) {
		b := newFixture(t, p.on(patient), plenty)
		const polls, frames = 25, 100
		path := b.fill(t, frames, 64<<10, frames)
		server := b.serve(t, p)
		before := bridgetest.Heap()
		for range polls {
			say(t, server, smallWindow, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: test-0\r\n\r\n")
		}
		bridgetest.Eventually(t, "all are under way", func() bool { return b.outlet.Stats().Polls == polls })
		if text, err := polled(t, server, path); err != nil || len(text) < frames*64<<10 {
			t.Errorf("another has %d bytes, %v", len(text), err)
		}
		if grown := bridgetest.Heap() - before; grown > polls*256<<10 {
			t.Errorf("%d polls of %d MiB, and the heap has grown by %d MiB", polls, frames*64>>10, grown>>20)
		}
		server.CloseClientConnections()
		bridgetest.Eventually(t, "all have ended", func() bool { return b.outlet.Stats().Polls == 0 })
	})
}

// A store that delivers nothing is an error before anything is written. A store that stops later makes the answer shorter.
func TestPollOfASilentStore(t *testing.T) {
	away := bridgetest.NewSource()
	away.Leave()
	for name, test := range map[string]struct {
		source bridge.Source
		lines  int
	}{"from the beginning": {away, 0}, "later": {source: sourceOf{&stuckStream{}}, lines: 4}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newFixture(t, patient, plenty)
				hub := bridge.NewHub(test.source, 0, plenty)
				defer hub.Close()
				reader, err := hub.Read([]bridge.Subject{subject}, bridge.Framing{Format: bridge.Lines}, bridge.Resume{Since: bridge.Since{Kind: bridge.SinceAll}})
				if err != nil {
					t.Fatal(err)
				}
				out, begun := &sink{}, time.Now()
				err = b.outlet.Poll(out, httptest.NewRequest(http.MethodGet, "/", nil), reader)
				text, _ := out.take()
				if took := time.Since(begun); took < 5*time.Second || took > 6*time.Second {
					t.Errorf("it took %v", took)
				}
				if lines := strings.Count(text, "\n"); lines != test.lines || (lines == 0) != errors.Is(err, bridge.ErrUnavailable) || strings.Contains(text, "synced") {
					t.Errorf("%v and %q", err, text)
				}
			})
		})
	}
}

// sourceOf lets feeds begin behind the tenth message of a stream.
type sourceOf struct{ stream *stuckStream }

func (s sourceOf) Attach(feed *bridge.Feed) {
	feed.Begin([]bridge.Part{{Subjects: feed.Subjects(), At: s.stream.Last(), Log: s.stream}})
}

func (sourceOf) Detach(*bridge.Feed) {}

// stuckStream is a bridge.Log that gives its first three messages, and then does not answer.
type stuckStream struct{ bridge.Log }

func (*stuckStream) Last() bridge.Position { return bridge.Position{Epoch: "stuck", Seq: 10, Time: 10} }

func (s *stuckStream) Page(ctx context.Context, _ []bridge.Subject, from, _ uint64) (bridge.Page, error) {
	if from > 3 {
		<-ctx.Done()
		return bridge.Page{}, ctx.Err()
	}
	page := bridge.Page{Through: 3}
	for seq := from; seq <= 3; seq++ {
		page.Messages = append(page.Messages, &bridge.Message{Subject: string(subject), Position: bridge.Position{Epoch: "stuck", Seq: seq, Time: int64(seq)}})
	}
	return page, nil
}

// A drain waits for polls, starts no new ones, and shortens those of slow clients.
func TestPollsWhileDraining(t *testing.T) {
	t.Parallel()
	b := newFixture(t, patient, plenty)
	path := b.fill(t, 200, 64<<10, 200)
	server := b.serve(t, protocols[0])
	conn := say(t, server, smallWindow, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nLast-Event-ID: test-0\r\n\r\n")
	bridgetest.Eventually(t, "it is under way", func() bool { return b.outlet.Stats().Polls == 1 })
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		b.outlet.Drain(t.Context(), 0)
	}()
	bridgetest.Eventually(t, "none can begin", func() bool {
		text, err := polled(t, server, "/?lines&poll=1")
		return err == nil && strings.Contains(text, bridge.ErrBusy.Error())
	})
	select {
	case <-drained:
		t.Error("the drain did not wait")
	default:
	}
	if n, err := io.Copy(io.Discard, conn); err != nil || n > 8<<20 {
		t.Errorf("%d bytes, %v", n, err)
	}
	<-drained
}
