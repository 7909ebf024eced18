package source_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/source"
	"github.com/tailwater/tailwater/embed"
)

// patience is how long a test waits. Only a failing test reaches it.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	secrets.Plant("swordfish") // everybody's password at NATS, which is in URLs
	goleak.VerifyTestMain(m, goleak.Cleanup(secrets.Exit))
}

// secrets checks that nothing logged in these tests contains a secret.
var secrets bridgetest.Secrets

// fixture is a source, a hub above it, and the test's view of its connection.
type fixture struct {
	source *source.Source
	hub    *bridge.Hub
	conn   *nats.Conn    // the source's first connection
	left   chan struct{} // one for each feed that was detached
	isAway atomic.Bool   // whether the source cannot connect

	mu      sync.Mutex
	sockets []net.Conn // that the source dialed; not in process
}

// ample has room for everything that a test publishes, so that no gap comes from a feed's memory.
var ample = bridge.Memory{Frames: 1 << 17, Bytes: 256 << 20}

// newFixture opens a source. The hub forgets a feed with its last reader. All is closed at the end of the test.
func newFixture(t testing.TB, dial source.Dialer, log *slog.Logger) *fixture {
	t.Helper()
	return newFixtureWith(t, dial, source.Config{}, log)
}

func newFixtureWith(t testing.TB, dial source.Dialer, config source.Config, log *slog.Logger) *fixture {
	t.Helper()
	b := &fixture{left: make(chan struct{}, 1<<12)}
	var err error
	b.source, err = source.Open(func(options ...nats.Option) (*nats.Conn, error) {
		conn, err := dial(append([]nats.Option{nats.SetCustomDialer(b)}, options...)...)
		if b.conn == nil {
			b.conn = conn // the first one; the second reads streams
		}
		return conn, err
	}, config, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.source.Close)
	b.hub = bridge.NewHub(b, 0, ample)
	t.Cleanup(b.hub.Close)
	return b
}

// newHub returns a fixture with another hub above a source, whose feeds hold so much, and none of the pages that were read.
func newHub(t testing.TB, s *source.Source, memory bridge.Memory) *fixture {
	b := &fixture{source: s, left: make(chan struct{}, 1<<8)}
	b.hub = bridge.NewHub(b, 0, memory)
	t.Cleanup(b.hub.Close)
	return b
}

// Attach and Detach make the fixture a bridge.Source that reports when a feed was detached.
func (b *fixture) Attach(f *bridge.Feed) { b.source.Attach(f) }

func (b *fixture) Detach(f *bridge.Feed) {
	b.source.Detach(f)
	b.left <- struct{}{}
}

// post publishes, and returns only the error.
func (b *fixture) post(ctx context.Context, subject bridge.Subject, header map[string][]string, data []byte) error {
	_, err := b.source.Publish(ctx, subject, header, data)
	return err
}

// Dial makes the fixture a nats.CustomDialer. It keeps the sockets so that a test can cut them, and can prevent the source from
// reconnecting.
func (b *fixture) Dial(network, address string) (net.Conn, error) {
	if b.isAway.Load() {
		return nil, syscall.ECONNREFUSED
	}
	socket, err := (&net.Dialer{Timeout: patience}).Dial(network, address)
	if err == nil {
		b.mu.Lock()
		b.sockets = append(b.sockets, socket)
		b.mu.Unlock()
	}
	return socket, err
}

// cut breaks the connection under the source, and waits until it has noticed.
func (b *fixture) cut(t testing.TB) {
	t.Helper()
	lost := b.conn.StatusChanged(nats.RECONNECTING)
	defer b.conn.RemoveStatusListener(lost)
	b.whileAway(func() {})
	receive(t, lost, "the loss of the connection")
}

// whileAway breaks the connections under the source, and calls do before it can dial again.
func (b *fixture) whileAway(do func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, socket := range b.sockets {
		_ = socket.Close()
	}
	b.sockets = nil
	do()
}

// awaitStatus waits until the source's connection is in that state.
func (b *fixture) awaitStatus(t testing.TB, want nats.Status) {
	t.Helper()
	changed := b.conn.StatusChanged(want)
	defer b.conn.RemoveStatusListener(changed)
	if b.conn.Status() != want {
		receive(t, changed, "the status "+want.String())
	}
}

// settle waits until the source has received everything that other connections flushed before.
func (b *fixture) settle(t testing.TB) {
	t.Helper()
	if err := b.conn.FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
}

// awaitLeft waits until n feeds were detached.
func (b *fixture) awaitLeft(t testing.TB, n int) {
	t.Helper()
	for range n {
		receive(t, b.left, "a feed to be detached")
	}
}

// client is one reader of the hub, read as a browser reads its stream.
type client struct {
	t      testing.TB
	reader *bridge.Reader
	rest   []byte
	stream *bridgetest.Stream
}

// read opens a client in the format JSON. It is closed at the end of the test.
func (b *fixture) read(t testing.TB, subjects ...bridge.Subject) *client {
	t.Helper()
	return b.readFramed(t, bridge.Framing{Format: bridge.JSON}, subjects...)
}

func (b *fixture) readFramed(t testing.TB, framing bridge.Framing, subjects ...bridge.Subject) *client {
	t.Helper()
	return b.open(t, framing, bridge.Resume{}, subjects...)
}

func (b *fixture) open(t testing.TB, framing bridge.Framing, resume bridge.Resume, subjects ...bridge.Subject) *client {
	t.Helper()
	reader, err := b.hub.Read(subjects, framing, resume)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(reader.Close)
	c := &client{t: t, reader: reader, rest: framing.Preamble()}
	c.stream = bridgetest.NewStream(c)
	return c
}

// Read returns bytes of the connection, and waits for them.
func (c *client) Read(p []byte) (int, error) {
	for len(c.rest) == 0 {
		frames, wait := bridgetest.Next(c.reader, nil, 64<<10)
		for _, frame := range frames {
			c.rest = append(c.rest, frame...)
		}
		if wait == nil {
			continue
		}
		select {
		case <-wait:
		case <-time.After(patience):
			return 0, fmt.Errorf("nothing came for %v", patience)
		}
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// next waits for the next event.
func (c *client) next() bridgetest.Event {
	c.t.Helper()
	event, err := c.stream.Next()
	if err != nil {
		c.t.Fatal(err)
	}
	return event
}

// message waits for the next event, which must be a message, and returns its decoded JSON.
func (c *client) message() message {
	c.t.Helper()
	event := c.next()
	m, err := parseMessage(event)
	if err != nil {
		c.t.Fatal(err)
	}
	return m
}

// wantOpen waits for the first event, and returns the client.
func (c *client) wantOpen() *client {
	c.t.Helper()
	if event := c.next(); event.Type != bridge.EventOpen {
		c.t.Fatalf("got %+v, want the open", event)
	}
	return c
}

// wantGap waits for the next event, which must be a gap.
func (c *client) wantGap(reason string) {
	c.t.Helper()
	if event := c.next(); event.Type != bridge.EventGap || gapReason(c.t, event) != reason {
		c.t.Fatalf("got %+v, want a gap with the reason %s", event, reason)
	}
}

// wantData waits for messages with these payloads, and nothing between them.
func (c *client) wantData(payloads ...string) {
	c.t.Helper()
	for _, want := range payloads {
		if m := c.message(); m.Data != want {
			c.t.Fatalf("got the message %q, want %q", m.Data, want)
		}
	}
}

// wantNothing fails if something can be read now.
func (c *client) wantNothing() {
	c.t.Helper()
	if frames, _ := bridgetest.Next(c.reader, nil, 64<<10); len(frames) > 0 {
		c.t.Fatalf("got %q, want nothing", frames)
	}
}

// publisher returns another connection.
func publisher(t testing.TB, dial source.Dialer) *nats.Conn {
	t.Helper()
	closed := make(chan struct{})
	conn, err := dial(nats.ClosedHandler(func(*nats.Conn) { close(closed) }), nats.MaxReconnects(0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		<-closed
	})
	return conn
}

// publish sends payloads and waits until the server has routed them.
func publish(t testing.TB, conn *nats.Conn, subject string, payloads ...string) {
	t.Helper()
	for _, payload := range payloads {
		if err := conn.Publish(subject, []byte(payload)); err != nil {
			t.Fatal(err)
		}
	}
	flush(t, conn)
}

func flush(t testing.TB, conn *nats.Conn) {
	t.Helper()
	if err := conn.FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
}

// embedListening is a server that other clients than the bridge can reach.
var embedListening = embed.Config{Listen: embed.Setting[string]{Value: "127.0.0.1:0"}}

// embedded starts a server in this process, and returns its dialer.
func embedded(t testing.TB) source.Dialer { return startEmbedded(t, embed.Config{}).Dial }

func startEmbedded(t testing.TB, config embed.Config) *embed.Server {
	t.Helper()
	config.Dir.Value = t.TempDir()
	server, err := embed.Start(config, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// to returns the dialer of a listening server.
func to(url string) source.Dialer {
	return func(options ...nats.Option) (*nats.Conn, error) { return nats.Connect(url, options...) }
}

// receive waits for a value.
func receive[T any](t testing.TB, from <-chan T, what string) T {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(patience):
		t.Fatalf("waited %v for %s", patience, what)
		panic("unreachable")
	}
}

// eventually waits until a condition is true.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for end := time.Now().Add(patience); !holds(); <-again.C {
		if time.Now().After(end) {
			t.Fatalf("waited %v until %s", patience, what)
		}
	}
}

// within returns a context with a time limit.
func within(t testing.TB, timeout time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	t.Cleanup(cancel)
	return ctx
}

var quiet = slog.New(secrets.Log(slog.DiscardHandler))

// warnings returns a log, and its warnings.
func warnings() (*slog.Logger, <-chan string) {
	w := warningLog{slog.DiscardHandler, make(chan string, 1<<8)}
	return slog.New(secrets.Log(w)), w.lines
}

type warningLog struct {
	slog.Handler
	lines chan string
}

func (w warningLog) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

func (w warningLog) Handle(_ context.Context, record slog.Record) error {
	line := record.Message
	record.Attrs(func(a slog.Attr) bool {
		line += " " + a.String()
		return true
	})
	select {
	case w.lines <- line:
	default:
	}
	return nil
}

// numbers returns n payloads: from, from+1, …
func numbers(from, n int) []string {
	payloads := make([]string, n)
	for i := range payloads {
		payloads[i] = strconv.Itoa(from + i)
	}
	return payloads
}

// everywhere runs a test with a server in this process, and with one in another process.
func everywhere(t *testing.T, run func(t *testing.T, dial source.Dialer)) {
	t.Run("embedded", func(t *testing.T) { run(t, embedded(t)) })
	t.Run("external", func(t *testing.T) { run(t, to(bridgetest.StartNATSServer(t).URL())) })
}
