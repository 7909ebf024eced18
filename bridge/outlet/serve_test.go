package outlet_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

func TestFramesArriveInOrder(t *testing.T) {
	const messages, readers = 1000, 3 // every size that numbered has
	overProtocols(t, func(t *testing.T, p protocol) {
		b := newFixture(t, p.on(patient), plenty)
		server := b.serve(t, p)
		var running sync.WaitGroup
		for range readers {
			c, first := connect(t, server, "")
			if want := map[bool]int{false: 1, true: 2}[p.http2]; c.response.ProtoMajor != want {
				t.Fatalf("HTTP/%d", c.response.ProtoMajor)
			}
			if want := (bridgetest.Event{Type: bridge.EventOpen, Data: opened, ID: "test-0-1"}); first != want {
				t.Fatalf("the first event is %+v", first)
			}
			if dates := c.response.Header["Date"]; len(dates) != 1 {
				t.Errorf("the dates are %q", dates)
			}
			running.Go(func() {
				for i := range messages {
					event, err := c.Next()
					if err != nil || event.Type != "message" || event.Data != string(numbered(i)) || !strings.HasPrefix(event.ID, fmt.Sprintf("test-%d-", i+1)) {
						t.Errorf("message %d is %.60q of %d bytes, id %s, %v", i, event.Data, len(event.Data), event.ID, err)
						return
					}
				}
				if c.Comments != 1 {
					t.Errorf("%d comments, not one at the beginning", c.Comments)
				}
			})
		}
		for i := range messages {
			b.publish(numbered(i))
		}
		running.Wait()
		stats := b.outlet.Stats()
		if want := uint64(readers * (messages + 1)); stats.Frames > want || stats.Open != readers || stats.Opened != readers {
			t.Errorf("%+v; %d frames were to be written", stats, want)
		}
	})
}

// numbered returns a message's payload: small ones, some that fill a write, and some that are larger than one.
func numbered(i int) []byte {
	size := i % 1000
	if i%500 == 499 {
		size = 100 << 10
	}
	return append(fmt.Appendf(nil, "%d ", i), bytes.Repeat([]byte("x"), size)...)
}

func TestFramesAreJoined(t *testing.T) {
	b := newFixture(t, patient, plenty)
	hold, err := b.hub.Read([]bridge.Subject{subject}, bridge.Framing{}, bridge.Resume{}) // keeps the feed
	if err != nil {
		t.Fatal(err)
	}
	defer hold.Close()
	want := []string{opened}
	for i := range 100 {
		b.publish(fmt.Append(nil, i))
		want = append(want, fmt.Sprint(i))
	}
	out := &sink{}
	ctx, cancel := context.WithCancel(t.Context())
	r := request(ctx, "/")
	r.Header.Set("Last-Event-ID", "test-0")
	var serving sync.WaitGroup
	serving.Go(func() { b.answer(t, out, r) })
	bridgetest.Eventually(t, "all is written", func() bool { return b.outlet.Stats().Frames == uint64(len(want)) })
	cancel()
	serving.Wait()
	stats := b.outlet.Stats()
	if out.writes != 2 {
		t.Errorf("%d writes for the preamble and what was waiting, instead of 2", out.writes)
	}
	if n := out.buffer.Len(); stats.Bytes != uint64(n) {
		t.Errorf("%d bytes counted, %d written", stats.Bytes, n)
	}
	stream, events := out.events(t)
	for i, event := range events {
		if event.Data != want[i] {
			t.Fatalf("event %d is %+v", i, event)
		}
	}
	if len(events) != len(want) || stream.Comments != 1 {
		t.Errorf("%d events instead of %d, and %d comments", len(events), len(want), stream.Comments)
	}
}

// The answer begins before there are events: an EventSource waits for it.
func TestAnswersAtOnce(t *testing.T) {
	t.Parallel()
	for _, p := range protocols {
		for _, query := range []string{"", "?lines"} {
			t.Run(p.name+query, func(t *testing.T) {
				b := newFixture(t, p.on(patient), plenty)
				b.Leave()
				server := b.serve(t, p)
				get(t, server, "/"+query, "").Body.Close()
				b.ended(t, map[string]uint64{"client": 1})
			})
		}
	}
}

func TestHeartbeatsOverSockets(t *testing.T) {
	t.Parallel()
	overProtocols(t, func(t *testing.T, p protocol) {
		config := patient
		// A write deadline is for writes only: silence may last longer.
		config.Heartbeat, config.WriteTimeout = 1200*time.Millisecond, time.Second
		b := newFixture(t, p.on(config), plenty)
		c, _ := connect(t, b.serve(t, p), "")
		beats := make(chan struct{})
		go func() {
			defer close(beats)
			// Past the open event there are only heartbeats, so whatever is read is one.
			buffer := make([]byte, 2)
			for range 2 {
				if _, err := io.ReadFull(c.response.Body, buffer); err != nil || string(buffer) != ":\n" {
					t.Errorf("%q, %v instead of a heartbeat", buffer, err)
					return
				}
			}
		}()
		<-beats
		if open := b.outlet.Stats().Open; open != 1 {
			t.Errorf("%d connections are open", open)
		}
	})
}

func TestServerEndsOverSockets(t *testing.T) {
	t.Parallel()
	for _, p := range protocols {
		t.Run(p.name+" age", func(t *testing.T) {
			config := patient
			config.Age = 50 * time.Millisecond
			b := newFixture(t, p.on(config), plenty)
			c, _ := connect(t, b.serve(t, p), "")
			if event := c.next(t); event.Type != bridge.EventClose || event.Data != `{"reason":"age"}` {
				t.Errorf("%+v instead of the close event", event)
			}
			c.end(t)
			b.ended(t, map[string]uint64{"age": 1})
		})
		t.Run(p.name+" drain", func(t *testing.T) {
			b := newFixture(t, p.on(patient), plenty)
			server := b.serve(t, p)
			var clients []*client
			for range 20 {
				c, _ := connect(t, server, "")
				clients = append(clients, c)
			}
			b.publish([]byte("last"))
			b.outlet.Drain(t.Context(), 300*time.Millisecond)
			if open := b.outlet.Stats().Open; open != 0 {
				t.Errorf("Drain has returned, and %d connections are open", open)
			}
			for _, c := range clients {
				if event := c.next(t); event.Data != "last" {
					t.Errorf("%+v instead of the last message", event)
				}
				if event := c.next(t); event.Type != bridge.EventClose || event.Data != `{"reason":"drain"}` {
					t.Errorf("%+v instead of the close event", event)
				}
				c.end(t)
			}
			b.ended(t, map[string]uint64{"drain": 20})
		})
	}
}

func TestHangUpEndsServe(t *testing.T) {
	t.Parallel()
	overProtocols(t, func(t *testing.T, p protocol) {
		b := newFixture(t, p.on(patient), plenty)
		server := b.serve(t, p)
		c, _ := connect(t, server, "")
		c.response.Body.Close()
		b.ended(t, map[string]uint64{"client": 1})
	})
	for name, hangUp := range map[string]func(*testing.T, *fixture, *rawClient){
		"FIN": func(t *testing.T, _ *fixture, c *rawClient) {
			if err := c.conn.Close(); err != nil {
				t.Fatal(err)
			}
		},
		"half closed": func(t *testing.T, _ *fixture, c *rawClient) {
			if err := c.conn.CloseWrite(); err != nil {
				t.Fatal(err)
			}
		},
		"RST": func(t *testing.T, _ *fixture, c *rawClient) { reset(t, c.conn) },
		"RST in a frame": func(t *testing.T, b *fixture, c *rawClient) {
			b.publish(make([]byte, 2<<20)) // the socket's buffers cannot hold it; NUL bytes travel as base64
			if _, err := io.ReadFull(c.conn, make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
			reset(t, c.conn)
		},
		"RST behind unread frames": func(t *testing.T, b *fixture, c *rawClient) {
			for range 200 {
				b.publish(make([]byte, 10<<10))
			}
			reset(t, c.conn)
		},
	} {
		t.Run(name, func(t *testing.T) {
			overSockets(t, func(t *testing.T, p protocol) {
				b := newFixture(t, p.on(patient), plenty)
				hangUp(t, b, dial(t, b.serve(t, p)))
				b.ended(t, map[string]uint64{"client": 1})
			})
		})
	}
}

func TestManyConnectionsLeaveNothing(t *testing.T) {
	const connections = 200
	overSockets(t, func(t *testing.T, p protocol) {
		b := newFixture(t, p.on(patient), plenty)
		server := b.serve(t, p)
		before, descriptors := runtime.NumGoroutine(), open(t)
		conns := make([]*net.TCPConn, connections)
		for i := range conns {
			conns[i] = send(t, server, smallWindow)
		}
		bridgetest.Eventually(t, "all are open", func() bool { return b.outlet.Stats().Frames == connections })
		b.publish([]byte("hello"))
		for i, conn := range conns {
			if i%2 == 0 {
				reset(t, conn)
			} else {
				conn.Close()
			}
		}
		b.ended(t, map[string]uint64{"client": connections})
		bridgetest.Eventually(t, "no goroutine left", func() bool { return runtime.NumGoroutine() <= before })
		bridgetest.Eventually(t, "no descriptor left", func() bool { return open(t) <= descriptors })
	})
}

// open returns how many descriptors this process has open, where that can be known.
func open(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return len(entries)
}

// A burst reaches every reader, and clients that reconnect together find it in the feed's memory: nobody is cut, nothing is missing.
func TestBurstAndHerd(t *testing.T) {
	const readers, messages = 30, 1000 // more readers than loops, and more messages than a write takes
	overSockets(t, func(t *testing.T, p protocol) {
		b := newFixture(t, p.on(patient), bridge.DefaultMemory)
		server := b.serve(t, p)
		_, first := connect(t, server, "") // keeps the feed
		address := server.Listener.Addr().String()
		readAll := func(lastID string, open func()) {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			fmt.Fprintf(conn, "GET / HTTP/1.0\r\nHost: localhost\r\nLast-Event-ID: %s\r\n\r\n", lastID)
			stream, event, err := begin(conn)
			if open(); err != nil || event.Type != bridge.EventOpen {
				t.Errorf("it begins with %+v, %v", event, err)
				return
			}
			for i := range messages {
				if event, err = stream.Next(); err != nil || event.Data != fmt.Sprint(i) {
					t.Errorf("message %d is %+v, %v", i, event, err)
					return
				}
			}
		}
		var opening, reading sync.WaitGroup
		opening.Add(readers)
		for range readers {
			reading.Go(func() { readAll(first.ID, opening.Done) })
		}
		opening.Wait()
		for i := range messages {
			b.publish(fmt.Append(nil, i))
		}
		reading.Wait()
		for range readers {
			reading.Go(func() { readAll(first.ID, func() {}) })
		}
		reading.Wait()
		if slow := b.outlet.Stats().Ended["slow"]; slow > 0 {
			t.Errorf("%d were cut", slow)
		}
	})
}
