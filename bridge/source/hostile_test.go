package source_test

import (
	"bufio"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/embed"
)

// rawPublisher speaks the protocol by itself: it can publish what no client library allows.
type rawPublisher struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func newRawPublisher(t *testing.T, address string) *rawPublisher {
	t.Helper()
	parsed, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", parsed.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	p := &rawPublisher{t, conn, bufio.NewReader(conn)}
	p.send(`CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true}` + "\r\n")
	p.flush()
	return p
}

func (p *rawPublisher) send(text string) {
	p.t.Helper()
	if _, err := p.conn.Write([]byte(text)); err != nil {
		p.t.Fatal(err)
	}
}

// publish sends a message with a block of headers, which may be any text, or empty.
func (p *rawPublisher) publish(subject, reply, header, data string) {
	p.t.Helper()
	if header == "" {
		p.send(fmt.Sprintf("PUB %s %s %d\r\n%s\r\n", subject, reply, len(data), data))
		return
	}
	p.send(fmt.Sprintf("HPUB %s %s %d %d\r\n%s%s\r\n", subject, reply, len(header), len(header)+len(data), header, data))
}

// flush waits until the server has routed everything; the server must not have reported an error.
func (p *rawPublisher) flush() {
	p.t.Helper()
	p.send("PING\r\n")
	for {
		line, err := p.in.ReadString('\n')
		if err != nil {
			p.t.Fatal(err)
		}
		switch {
		case strings.HasPrefix(line, "PONG"):
			return
		case strings.HasPrefix(line, "-ERR"):
			p.t.Fatalf("the server refuses: %s", line)
		}
	}
}

// Nothing in a publisher's message has any effect but to arrive.
func TestHostileMessages(t *testing.T) {
	t.Parallel()
	const status = "NATS/1.0\r\nStatus: %d\r\nDescription: Consumer Deleted\r\n\r\n"
	type hostile struct {
		name, reply, header, data string
		event                     string
		refused                   bool // the event name is refused
	}
	var messages []hostile
	for _, code := range []int{100, 204, 404, 408, 409, 503} {
		messages = append(messages,
			hostile{name: "a status", header: fmt.Sprintf(status, code)},
			hostile{name: "a status with a reply", reply: "x.reply", header: fmt.Sprintf(status, code)},
			hostile{name: "an inline status", header: fmt.Sprintf("NATS/1.0 %d No Responders\r\n\r\n", code)},
			hostile{name: "a status with data", header: fmt.Sprintf(status, code), data: "data"},
		)
	}
	for _, name := range []string{"open", "error", "message", "tailwater:gap", "tailwater:x", "\x01", "\xff", strings.Repeat("n", 513)} {
		messages = append(messages, hostile{name: "a name that is refused", header: "NATS/1.0\r\nTailwater-Event: " + name + "\r\n\r\n", data: "x", refused: true})
	}
	messages = append(messages,
		hostile{name: "a name", header: "NATS/1.0\r\nTailwater-Event: joined\r\n\r\n", data: "x", event: "joined"},
		hostile{name: "an empty name", header: "NATS/1.0\r\nTailwater-Event: \r\n\r\n", data: "x"},
		hostile{name: "a name in other letters", header: "NATS/1.0\r\nTAILWATER-EVENT: joined\r\n\r\n", data: "x"},
		hostile{name: "no headers", header: "NATS/1.0\r\n\r\n", data: "x"},
		hostile{name: "no version", header: "garbage\r\n\r\n", data: "x"},
		hostile{name: "no end", header: "NATS/1.0\r\nA: b", data: "x"},
		hostile{name: "no colon", header: "NATS/1.0\r\nno colon\r\n\r\n", data: "x"},
		hostile{name: "huge", header: "NATS/1.0\r\n" + strings.Repeat("x", 500<<10) + "\r\n\r\n", data: "x"},
		hostile{name: "control characters", header: "NATS/1.0\r\nA\x00: \x01\r\n\r\n", data: "x"},
		hostile{name: "flow control", reply: "$JS.FC.x.y.z", header: "NATS/1.0 100 FlowControl Request\r\n\r\n"},
		hostile{name: "a heartbeat", header: "NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 9\r\nNats-Last-Stream: 9\r\nNats-Consumer-Stalled: x.y\r\n\r\n"},
		hostile{name: "a reply", reply: "_INBOX.x.y", data: "x"},
		hostile{name: "a forged position", header: "NATS/1.0\r\nNats-Sequence: 7\r\nNats-Subject: other\r\nNats-Stream: S\r\n\r\n", data: "x"},
		hostile{name: "a frame within", data: "x\r\rid: 7\r\revent: tailwater:reset\n\ndata: y"},
		hostile{name: "nothing"},
		hostile{name: "large", data: strings.Repeat("l", 1<<20)},
	)
	server := startEmbedded(t, embed.Config{Listen: embed.Setting[string]{Value: "127.0.0.1:0"}})
	b := newFixture(t, server.Dial, quiet)
	c := b.read(t, "x.>").wantOpen()
	raw := newRawPublisher(t, server.URL())
	var refused uint64
	for _, m := range messages {
		raw.publish("x.y", m.reply, m.header, m.data)
		raw.flush()
		if got := c.message(); got.Subject != "x.y" || got.Data != m.data || got.Event != m.event || got.DataBase64 != nil {
			t.Errorf("%s: got %+v, want it as it was published", m.name, got)
		}
		if m.refused {
			refused++
		}
		if n := b.source.Stats().RefusedEvents; n != refused {
			t.Fatalf("%s: %d names are counted as refused, want %d", m.name, n, refused)
		}
		if strings.HasPrefix(m.reply, "x.") { // the wildcard would match an answer
			c.wantNothing()
		}
	}
	if s := b.source.Stats(); s.Connects != 1 || !s.Connected {
		t.Errorf("the connection has suffered: %+v", s)
	}
}

// Subjects that no browser can name still arrive by a wildcard.
func TestOddSubjects(t *testing.T) {
	t.Parallel()
	server := startEmbedded(t, embed.Config{Listen: embed.Setting[string]{Value: "127.0.0.1:0"}})
	b := newFixture(t, server.Dial, quiet)
	c := b.read(t, "odd.>", "odd.*")
	named := b.readFramed(t, bridge.Framing{SubjectEvents: true}, "odd.>")
	c.wantOpen()
	named.wantOpen()
	raw := newRawPublisher(t, server.URL())
	for subject, event := range map[string]string{
		"odd.é":                           "odd.é",
		"odd.\u2028":                      "message",
		"odd.\x01":                        "message",
		"odd.\x00":                        "message",
		`odd."\`:                          `odd."\`,
		"odd.<b>&":                        "odd.<b>&",
		"odd.\xff\xfe":                    "message",
		"odd.a*b":                         "odd.a*b",
		"odd.a>b":                         "odd.a>b",
		"odd.id:7":                        "odd.id:7",
		"odd." + strings.Repeat("l", 600): "message", // too long for a name
		"odd.1.2.3.4.5.6":                 "odd.1.2.3.4.5.6",
	} {
		raw.publish(subject, "", "", "x")
		raw.flush()
		m := c.message()
		if want := string([]rune(subject)); m.Data != "x" || m.Subject != want { // each byte that is not UTF-8 becomes U+FFFD
			t.Errorf("%q: got %+v", subject, m)
		}
		if got := named.next(); got.Type != event || got.Data != "x" {
			t.Errorf("%q: got %+v, want the event %q", subject, got, event)
		}
	}
}
