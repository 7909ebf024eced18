package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2"
)

// figure returns a metric of a node, without labels or with them.
func (n *testNode) figure(t *testing.T, name string) int64 {
	t.Helper()
	return figureOf(t, n.AdminURL(), name)
}

// figureOf returns a metric of the bridge that has this admin listener.
func figureOf(t *testing.T, admin, name string) int64 {
	t.Helper()
	_, metrics := get(t, admin+"/metrics")
	for line := range strings.Lines(metrics) {
		if text, found := strings.CutPrefix(line, name+" "); found {
			value, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			noError(t, err)
			return int64(value)
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

// A body costs nothing where it means nothing: neither while it arrives nor behind it, on either listener.
func TestBodiesOfGetCostNothing(t *testing.T) {
	const attackers, size = 40, 250 << 10 // four times what they may cost
	n := startNode(t, settings{"DEMO_TIME": "false"})
	for name, to := range map[string]net.Addr{"browsers": n.Address(), "admin": n.Admin()} {
		for length, first := range map[string]string{fmt.Sprint("Content-Length: ", size): "", "Transfer-Encoding: chunked": fmt.Sprintf("%x\r\n", size)} {
			t.Run(fmt.Sprint(name, " ", length), func(t *testing.T) {
				before := inUse()
				all := attack(t, to, attackers, fmt.Sprintf("GET /events/chat.room1 HTTP/1.1\r\nHost: localhost\r\n%s\r\n\r\n%s", length, first))
				var sending sync.WaitGroup
				for _, conn := range all {
					// All but the end of it, which is taken even where it is refused, or the connection is cut.
					sending.Go(func() { _, _ = io.WriteString(conn, strings.Repeat("x", size-1)) })
				}
				sending.Wait()
				if grown := int64(inUse()) - int64(before); grown > attackers*perAttacker {
					t.Errorf("%d bodies of %d bytes cost %d bytes", attackers, size, grown)
				}
				for _, conn := range all {
					answer, err := bufio.NewReader(conn).ReadString('\n')
					if errors.Is(err, os.ErrDeadlineExceeded) || err == nil && !strings.HasPrefix(answer, "HTTP/1.1 413 ") {
						t.Fatalf("it is answered %q, %v", answer, err)
					}
					conn.Close()
				}
			})
		}
	}
}

// One address that sends the most it may, in bodies that do not end, holds no more than its share, and nobody else waits or is refused.
func TestBodiesWithoutEndShareMemory(t *testing.T) {
	const attackers, memory, size = 24, 16 << 20, 1 << 20
	n := startNode(t, settings{
		"HTTP_TRUSTED_PROXIES": "127.0.0.1", "LIMIT_BODY": "1MiB", "MEMORY": "16MiB", "LIMIT_PUBLISH_RATE": "0", "DEMO_TIME": "false",
		"ANONYMOUS_SUBSCRIBE": "chat.>", "ANONYMOUS_PUBLISH": "chat.>",
	})
	other := startWitness(t, http.DefaultClient, n.URL()+"/events/chat.room1")
	before := inUse()
	slow := attack(t, n.Address(), attackers, fmt.Sprintf("POST /events/chat.room1 HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 192.0.2.1\r\nContent-Length: %d\r\n\r\n", size))
	var sending, reading sync.WaitGroup
	refused := make(chan struct{}, attackers)
	for _, conn := range slow {
		sending.Go(func() { _, _ = io.WriteString(conn, strings.Repeat("x", size-1)) }) // those refused are cut
		reading.Go(func() {
			if answer, err := bufio.NewReader(conn).ReadString('\n'); err == nil && strings.HasPrefix(answer, "HTTP/1.1 503 ") {
				refused <- struct{}{}
			}
		})
	}
	sending.Wait()
	other.stop() // whose bodies count as well
	held, grown := n.figure(t, `tailwater_memory_bytes{part="bodies"}`), int64(inUse())-int64(before)
	if held < size || held > 2*size {
		t.Errorf("one address holds %d bytes of %d", held, memory/2)
	}
	if grown > 2*size+attackers*perAttacker {
		t.Errorf("bodies cost %d bytes", grown)
	}
	for _, conn := range slow {
		conn.Close()
	}
	reading.Wait()
	if len(refused) == 0 || n.figure(t, `tailwater_requests_limited_total{limit="memory"}`) < attackers/2 {
		t.Errorf("%d are told that they are refused", len(refused))
	}
	eventually(t, "nothing is held", func() bool { return n.figure(t, `tailwater_memory_bytes{part="bodies"}`) == 0 })
}

// Over HTTP/2, a frame that is only announced has no room made for it, and what no handler reads is bounded by small windows.
func TestUnreadBodiesOfHTTP2CostLittle(t *testing.T) {
	const attackers, large = 20, 1 << 20 // five times what they may cost
	a := newIssuer(t)
	s, _ := a.settings()
	n := startNode(t, s)
	for name, send := range map[string]func(net.Conn, *http2.Framer) error{
		"announced": func(conn net.Conn, _ *http2.Framer) error {
			_, err := conn.Write([]byte{large >> 16, large >> 8 & 0xff, large & 0xff, byte(http2.FrameData), 0, 0, 0, 0, 1})
			return err
		},
		"unread": func(_ net.Conn, framer *http2.Framer) error {
			for range large / (16 << 10) {
				if err := framer.WriteData(1, false, endless); err != nil {
					return err
				}
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := inUse()
			for range attackers {
				conn := a.dialTLS(t, n.Address())
				defer conn.Close()
				f := http2.NewFramer(conn, conn)
				noError(t, openBody(conn, f))
				_ = send(conn, f) // it may be refused
			}
			if grown := int64(inUse()) - int64(before); grown > attackers*3*perAttacker {
				t.Errorf("%d connections cost %d bytes", attackers, grown)
			}
		})
	}
}

// What a client of HTTP/2 may send in a round trip grows with the largest body that is allowed.
func TestReceiveWindowFollowsTheLimit(t *testing.T) {
	t.Parallel()
	a := newIssuer(t)
	for limit, want := range map[string]uint32{"1KiB": 64 << 10, "256KiB": 64 << 10, "1MiB": 256 << 10, "64MiB": 1 << 20} {
		t.Run(limit, func(t *testing.T) {
			s, _ := a.settings()
			s["LIMIT_BODY"], s["DEMO_TIME"] = limit, "false"
			conn := a.dialTLS(t, startNode(t, s).Address())
			defer conn.Close()
			f := http2.NewFramer(conn, conn)
			noError(t, errors.Join(openBody(conn, f), f.WritePing(false, [8]byte{})))
			stream, connection := uint32(64<<10-1), uint32(64<<10-1) // RFC 9113, 6.9.2
			for isDone := false; !isDone; {
				frame, err := f.ReadFrame()
				noError(t, err)
				switch frame := frame.(type) {
				case *http2.PingFrame:
					isDone = true
				case *http2.SettingsFrame:
					if value, has := frame.Value(http2.SettingInitialWindowSize); has {
						stream = value
					}
				case *http2.WindowUpdateFrame:
					connection += frame.Increment
				}
			}
			if stream+1 < want || stream > want || connection+1 < want || connection > want {
				t.Errorf("the windows are %d and %d, not %d", stream, connection, want)
			}
		})
	}
}

// openBody begins a POST over HTTP/2 whose body does not come.
func openBody(conn net.Conn, f *http2.Framer) error {
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		return err
	}
	if err := f.WriteSettings(); err != nil {
		return err
	}
	block := encode([][2]string{{":method", "POST"}, {":scheme", "https"}, {":authority", "localhost"}, {":path", "/events/chat.room1"}})
	return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block, EndHeaders: true})
}
