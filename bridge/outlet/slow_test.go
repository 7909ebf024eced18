package outlet_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/sockets"
)

const writeTimeout = 150 * time.Millisecond

var large = bytes.Repeat([]byte("x"), 64<<10)

func TestSlowClientIsCut(t *testing.T) {
	t.Parallel()
	config := patient
	config.WriteTimeout = writeTimeout
	overProtocols(t, func(t *testing.T, p protocol) {
		b := newFixture(t, p.on(config), plenty)
		server := b.serve(t, p)
		c, _ := connect(t, server, "") // reads no further; its transport does, up to some megabytes
		bridgetest.Eventually(t, "the client is cut", func() bool {
			b.publish(large)
			return b.outlet.Stats().Open == 0
		})
		b.ended(t, map[string]uint64{"slow": 1})
		c.response.Body.Close()
		server.Close()
		b.close()
		if logs := b.logs.String(); strings.Count(logs, "\n") != 1 || !strings.Contains(logs, "level=WARN") || !strings.Contains(logs, "client=127.0.0.1:") {
			t.Errorf("the log: %q", logs)
		}
	})
}

func TestSlowClientIsReset(t *testing.T) {
	t.Parallel()
	overSockets(t, func(t *testing.T, p protocol) {
		config := patient
		config.WriteTimeout = writeTimeout
		b := newFixture(t, p.on(config), plenty)
		server := b.serve(t, p)
		c := dial(t, server)
		start := time.Now()
		for range 20 {
			b.publish(large)
		}
		b.ended(t, map[string]uint64{"slow": 1})
		if took := time.Since(start); took < writeTimeout {
			t.Errorf("it was cut after %v", took)
		}
		// It learns it as soon as it looks, rather than behind all that was queued for it.
		n, err := io.Copy(io.Discard, c.conn)
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("after %d bytes: %v instead of a reset", n, err)
		}
		if n > int64(10*len(large)) {
			t.Errorf("it could still read %d bytes", n)
		}
	})
}

// A client that does not read delays no other client.
func TestStalledClientDelaysNobody(t *testing.T) {
	overSockets(t, func(t *testing.T, p protocol) {
		b := newFixture(t, p.on(patient), bridge.Memory{Frames: 20, Bytes: 1 << 30})
		server := b.serve(t, p)
		stalled := dial(t, server)
		var others []*client
		for range 5 {
			c, _ := connect(t, server, "")
			others = append(others, c)
		}
		data := string(large[:8<<10])
		const messages = 300
		for i := range messages {
			b.publish(fmt.Append(nil, i, data))
			for _, c := range others {
				if event := c.next(t); event.Data != fmt.Sprint(i, data) {
					t.Fatalf("message %d is %.30q", i, event.Data)
				}
			}
		}
		if stats := b.outlet.Stats(); stats.Open != 6 {
			t.Errorf("%+v", stats)
		}
		// When it reads again, it is told what it missed, and is up to date.
		gaps, last := 0, 0
		for seen := -1; seen != messages-1; seen = last {
			event, err := stalled.Next()
			if err != nil {
				t.Fatal(err)
			}
			if event.Type == bridge.EventGap {
				if gaps++; !strings.Contains(event.Data, `"reason":"overrun"`) {
					t.Errorf("%+v", event)
				}
				continue
			}
			if _, err := fmt.Sscanf(strings.TrimRight(event.Data, "x"), "%d", &last); err != nil {
				t.Fatal(err)
			}
			if last <= seen || gaps == 0 && last != seen+1 {
				t.Errorf("%d after %d, and no gap", last, seen)
			}
		}
		if gaps != 1 {
			t.Errorf("%d gaps", gaps)
		}
	})
}

// A client that does not read costs a cursor and the data being written; the feed holds messages, and drops them.
func TestStalledClientsCostBoundedMemory(t *testing.T) {
	overSockets(t, func(t *testing.T, p protocol) {
		b := newFixture(t, p.on(patient), bridge.Memory{Frames: 16, Bytes: 1 << 20})
		server := b.serve(t, p)
		for range 20 {
			dial(t, server)
		}
		fast, _ := connect(t, server, "")
		before := bridgetest.Heap()
		const messages = 300
		for range messages {
			b.publish(bytes.Clone(large))
			fast.next(t)
		}
		if grown := bridgetest.Heap() - before; grown > 10<<20 {
			t.Errorf("%d MiB were published, and the heap has grown by %d MiB", messages*len(large)>>20, grown>>20)
		}
		if open := b.outlet.Stats().Open; open != 21 {
			t.Errorf("%d connections are open", open)
		}
	})
}

// stuckLog is the handler of a log that nobody reads.
type stuckLog struct {
	slog.Handler
	stuck, release chan struct{}
}

func (l stuckLog) Handle(context.Context, slog.Record) error {
	select {
	case l.stuck <- struct{}{}:
	default:
	}
	<-l.release
	return nil
}

// A log that nobody reads, such as a full standard error, blocks no connection.
func TestStuckLogDelaysNobody(t *testing.T) {
	overSockets(t, func(t *testing.T, p protocol) {
		log := stuckLog{slog.DiscardHandler, make(chan struct{}, 1), make(chan struct{})}
		config := patient
		config.WriteTimeout, config.Log = writeTimeout, slog.New(enabled{log})
		b := newFixture(t, p.on(config), bridge.Memory{Frames: 16, Bytes: 1 << 30})
		server := b.serve(t, p)
		t.Cleanup(func() { close(log.release) })
		_ = dial(t, server)
		// The kernel takes a whole message for the witness, whether or not the witness has a processor: it is never slow.
		witness, _ := connect(t, server, "")
		message := large[:32<<10]
		for range 30 {
			b.publish(message)
			if event := witness.next(t); event.Data != string(message) {
				t.Fatalf("%.30v", event)
			}
		}
		<-log.stuck // the slow client was cut, and the log is to say so
		for i := range 10 {
			b.publish(fmt.Append(nil, i))
			if event := witness.next(t); event.Data != fmt.Sprint(i) {
				t.Fatalf("message %d: %.30v", i, event)
			}
		}
	})
}

// enabled is a handler that wants every record.
type enabled struct{ slog.Handler }

func (enabled) Enabled(context.Context, slog.Level) bool { return true }

// Bytes of an earlier answer on the same connection that are still in the kernel do not count as the event stream's. A client that reads them
// slowly is not cut.
func TestClientThatReadsAnEarlierAnswerIsNotCut(t *testing.T) {
	t.Parallel()
	overSockets(t, func(t *testing.T, p protocol) {
		t.Parallel()
		config := patient
		config.WriteTimeout = slowly
		b := newFixture(t, p.on(config), plenty)
		b.earlier = bytes.Repeat([]byte("e"), 48<<10)
		server := b.serve(t, p)
		conn := say(t, server, smallWindow, "GET /earlier HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		bridgetest.Eventually(t, "the event stream is open", func() bool { return b.outlet.Stats().Open == 1 })
		b.takeLittle(t, conn)
	})
}

// The write timeout is for clients that receive nothing. A client that receives a third of a write per timeout is served.
func TestClientThatTakesLittleIsNotCut(t *testing.T) {
	t.Parallel()
	overSockets(t, func(t *testing.T, p protocol) {
		t.Parallel()
		b, server := serveLittle(t, p)
		b.takeLittle(t, dial(t, server).conn)
	})
	t.Run("HTTP2", func(t *testing.T) {
		t.Parallel()
		b, server := serveLittle(t, protocol{tls: true, http2: true})
		// What the client has not asked for waits in the server: this is the least that its library lets wait here.
		server.Client().Transport.(*http.Transport).HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10}
		c, _ := connect(t, server, "")
		b.takeLittle(t, c.response.Body)
		server.CloseClientConnections()
	})
}

// slowly is the timeout of clients that take a part of a write in each.
const slowly = 2 * time.Second

func serveLittle(t *testing.T, p protocol) (*fixture, *httptest.Server) {
	config := patient
	config.WriteTimeout = slowly
	b := newFixture(t, p.on(config), plenty)
	return b, b.serve(t, p)
}

// takeLittle reads 24 KiB in each timeout, for three: a write of 64 KiB lasts longer than one.
func (b *fixture) takeLittle(t *testing.T, body io.Reader) {
	t.Helper()
	for range 8 { // more than it will have taken at the end
		b.publish(large)
	}
	again := time.NewTicker(slowly / 32)
	defer again.Stop()
	taken, start := int64(0), time.Now()
	for since := time.Duration(0); since < 3*slowly; since = time.Since(start) {
		<-again.C
		n, err := io.CopyN(io.Discard, body, int64(since)*(24<<10)/int64(slowly)-taken)
		if taken += n; err != nil {
			t.Fatalf("after %v and %d bytes: %v", since, taken, err)
		}
	}
	if open := b.outlet.Stats().Open; open != 1 {
		t.Error("it was cut")
	}
}

// The same to the nanosecond, over pipes that hold nothing themselves.
func TestWriteTimeout(t *testing.T) {
	const timeout = 20 * time.Second
	for _, test := range []struct {
		name    string
		size    int           // what the client takes at a time
		each    time.Duration // how often
		lasting time.Duration
	}{
		{name: "nothing"},
		{name: "a byte", size: 1, each: timeout - 1, lasting: 8 * timeout},
		{name: "a page", size: 4 << 10, each: timeout - 1, lasting: 8 * timeout},
		{name: "a write", size: 64 << 10, each: timeout - 1, lasting: 8 * timeout},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				config := patient
				config.WriteTimeout = timeout
				b := newFixture(t, config, plenty)
				listener := bridgetest.NewPipes()
				server := &http.Server{Handler: b, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
				go server.Serve(sockets.Listen(listener, sockets.NewPlaces(sockets.Limits{})))
				conn, theirs := net.Pipe()
				listener.Conns <- theirs
				if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				// The head, the preamble and the open event.
				head := bufio.NewReaderSize(conn, 16)
				if _, err := http.ReadResponse(head, nil); err != nil {
					t.Fatal(err)
				}
				for seen := ""; !strings.HasSuffix(seen, "test-0-1\n\n\r\n"); {
					c, err := head.ReadByte()
					if err != nil {
						t.Fatal(err)
					}
					seen += string(c)
				}
				for range 20 {
					b.publish(large)
				}
				defer server.Close()
				defer conn.Close()
				start := time.Now()
				for time.Since(start) < test.lasting {
					time.Sleep(test.each)
					if _, err := io.ReadFull(conn, make([]byte, test.size)); err != nil {
						t.Fatalf("it was cut after %v: %v", time.Since(start), err)
					}
				}
				last := time.Now()
				for b.outlet.Stats().Open > 0 {
					time.Sleep(time.Second)
				}
				// When something is taken in the middle of a write is known to an eighth of the timeout.
				if took := time.Since(last); took < timeout-time.Second || took > timeout+timeout/8+time.Second {
					t.Errorf("it was cut %v after it had taken something", took)
				}
				b.ended(t, map[string]uint64{"slow": 1})
			})
		})
	}
}
