package outlet_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// answerOf reads the head of an answer from a socket, and checks how its body is framed.
func answerOf(t *testing.T, socket io.Reader, version string) *bufio.Reader {
	t.Helper()
	text := bufio.NewReader(socket)
	if _, err := text.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	header, err := textproto.NewReader(text).ReadMIMEHeader()
	if err != nil {
		t.Fatal(err)
	}
	chunked := header.Get("Transfer-Encoding") == "chunked"
	if chunked != (version == "1.1") || header.Get("Content-Length") != "" || chunked && header.Get("Connection") != "" {
		t.Fatalf("HTTP/%s: %v", version, header)
	}
	return text
}

// bodyOf reads a body until the connection ends. Chunks must not be empty: that would be the end.
func bodyOf(text *bufio.Reader, version string, body io.Writer) error {
	if version == "1.0" {
		_, err := io.Copy(body, text)
		return err
	}
	for {
		line, err := text.ReadString('\n')
		if err == io.EOF && line == "" {
			return nil
		}
		size, parseErr := strconv.ParseInt(strings.TrimSuffix(line, "\r\n"), 16, 64)
		if err := errors.Join(err, parseErr); err != nil || size == 0 {
			return fmt.Errorf("the chunk begins with %q: %w", line, err)
		}
		end := make([]byte, 2)
		if _, err := io.CopyN(body, text, size); err != nil {
			return err
		}
		if _, err := io.ReadFull(text, end); err != nil || string(end) != "\r\n" {
			return fmt.Errorf("the chunk ends with %q: %w", end, err)
		}
	}
}

// However clients read, and whether or not they support chunks, all get the same bytes, and none gets the last chunk. Heartbeats become due, too,
// while clients take nothing.
func TestChunksAreExact(t *testing.T) {
	const messages = 1000 // every size that numbered has
	overSockets(t, func(t *testing.T, p protocol) {
		config := patient
		config.Heartbeat = time.Millisecond
		b := newFixture(t, p.on(config), plenty)
		server := b.serve(t, p)
		var reading sync.WaitGroup
		bodies := make([]bytes.Buffer, 8)
		for i := range bodies {
			version := []string{"1.0", "1.1"}[i%2]
			conn := ask(t, server, smallWindow, version)
			text := answerOf(t, conn, version)
			reading.Go(func() {
				if i < len(bodies)/2 {
					// It takes nothing until all was published: the socket is full, in the middle of anything.
					bridgetest.Eventually(t, "all was published", func() bool { return b.Last().Seq >= messages })
				}
				if err := bodyOf(text, version, &bodies[i]); err != nil {
					t.Errorf("HTTP/%s: %v", version, err)
				}
			})
		}
		bridgetest.Eventually(t, "all are open", func() bool { return b.outlet.Stats().Frames == uint64(len(bodies)) })
		for i := range messages {
			b.publish(numbered(i))
		}
		bridgetest.Eventually(t, "all is written", func() bool { return b.outlet.Stats().Frames == uint64(len(bodies)*(messages+1)) })
		b.outlet.Drain(t.Context(), 0)
		reading.Wait()
		for i := range bodies {
			stream := bridgetest.NewStream(&bodies[i])
			for n := -1; n <= messages; n++ {
				event, err := stream.Next()
				want := map[int]string{-1: `{"subjects":["chat.room1"],"heartbeat":0.001}`, messages: `{"reason":"drain"}`}[n]
				if want == "" {
					want = string(numbered(n))
				}
				if err != nil || event.Data != want {
					t.Fatalf("client %d: event %d is %.100v, %v", i, n, event, err)
				}
			}
			if event, err := stream.Next(); err != io.EOF {
				t.Errorf("client %d: behind the end comes %v, %v", i, event, err)
			}
		}
	})
}

// A refused connection breaks off like any other, also in the format of lines.
func TestLinesBreakOff(t *testing.T) {
	t.Parallel()
	overProtocols(t, func(t *testing.T, p protocol) {
		b := newFixture(t, p.on(patient), plenty)
		server := b.serve(t, p)
		response := get(t, server, "/?lines", "")
		bridgetest.Eventually(t, "it has begun", func() bool { return b.outlet.Stats().Frames == 1 })
		b.outlet.Drain(t.Context(), 0)
		text, err := io.ReadAll(response.Body)
		if err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it ends with %v", err)
		}
		lines := strings.Split(string(text), "\n")
		if len(lines) != 3 || !strings.Contains(lines[0], `\"heartbeat\":3600`) || !strings.Contains(lines[1], bridge.EventClose) {
			t.Errorf("it says %q", lines)
		}
	})
}
