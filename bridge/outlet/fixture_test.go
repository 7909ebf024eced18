package outlet_test

// The fixtures of this package's tests: a source whose messages the tests make, and an outlet behind an HTTP server.

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/outlet"
	"github.com/tailwater/tailwater/bridge/sockets"
)

const subject = bridge.Subject("chat.room1")

// fixture is an outlet with all that it needs, as an http.Handler.
type fixture struct {
	*bridgetest.Source
	hub      *bridge.Hub
	outlet   *outlet.Outlet
	close    func()                          // the outlet, once
	served   sync.WaitGroup                  // connections
	lifetime atomic.Pointer[bridge.Lifetime] // of every connection, but for Ended; nil for the zero value
	earlier  []byte                          // the answer to /earlier
	fast     atomic.Int64                    // by how much the clock on the wall is, in ns
	logs     *bytes.Buffer                   // to be read when the outlet is closed
}

// patient is a configuration in which nothing happens by itself.
var patient = outlet.Config{Heartbeat: time.Hour, CloseDelay: 20 * time.Millisecond, WriteTimeout: time.Minute, Age: 24 * time.Hour, Retry: 2 * time.Second}

// opened is what the first event says there.
const opened = `{"subjects":["chat.room1"],"heartbeat":3600}`

var plenty = bridge.Memory{Frames: 1 << 20, Bytes: 1 << 30}

func newFixture(t testing.TB, config outlet.Config, memory bridge.Memory) *fixture {
	return newFixtureBy(t, config, memory, 0)
}

// newFixtureBy is newFixture where the clock on the wall is fast.
func newFixtureBy(t testing.TB, config outlet.Config, memory bridge.Memory, fast time.Duration) *fixture {
	b := &fixture{
		Source: bridgetest.NewSource(),
		logs:   &bytes.Buffer{},
	}
	b.fast.Store(int64(fast))
	if config.Log == nil {
		config.Log = slog.New(slog.NewTextHandler(b.logs, nil)) // the handler has a lock
	}
	b.outlet = outlet.NewByClock(config, func() time.Time { return time.Now().Add(time.Duration(b.fast.Load())).Round(0) })
	b.hub = bridge.NewHub(b.Source, 0, memory)
	t.Cleanup(b.hub.Close)
	b.close = sync.OnceFunc(b.outlet.Close)
	t.Cleanup(b.close)
	return b
}

// publish publishes on the subject that all read, and returns the message's position.
func (b *fixture) publish(data []byte) bridge.Position { return b.Publish(subject, data) }

func (b *fixture) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/earlier" {
		_, _ = w.Write(b.earlier)
		return
	}
	resume := bridge.Resume{Sync: r.URL.Query().Has("poll")}
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		position, err := bridge.ParseID(id)
		resume.After, resume.Malformed = position, err != nil
	}
	framing := bridge.Framing{Run: r.URL.Query().Has("run")}
	if r.URL.Query().Has("lines") {
		framing.Format = bridge.Lines
	}
	reader, err := b.hub.Read([]bridge.Subject{subject}, framing, resume)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", framing.ContentType())
	w.Header().Set("Date", "Sun, 06 Nov 1994 08:49:37 GMT") // as middleware may
	if query := r.URL.Query(); query.Has("poll") {
		most, _ := strconv.Atoi(query.Get("poll"))
		reader.Stop(most)
		if err := b.outlet.Poll(w, r, reader); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
		return
	}
	b.served.Add(1)
	lifetime := bridge.Lifetime{}
	if set := b.lifetime.Load(); set != nil {
		lifetime = *set
	}
	lifetime.Ended = func(bool) { b.served.Done() }
	b.outlet.Serve(w, r, reader, lifetime)
}

// answer serves a request to a sink, and expects that the response breaks off, as net/http is asked to let it.
func (b *fixture) answer(t *testing.T, out *sink, r *http.Request) {
	defer func() {
		if reason := recover(); reason != http.ErrAbortHandler {
			t.Errorf("the response ends with %v", reason)
		}
	}()
	b.ServeHTTP(out, r)
}

// protocol is one of the ways in which connections come.
type protocol struct {
	name       string
	tls, http2 bool
	loops      int
}

var protocols = []protocol{
	{name: "HTTP1"},
	{name: "TLS", tls: true},
	{name: "HTTP2", tls: true, http2: true},
	{name: "loop", loops: 1},
	{name: "loops", loops: 2},
}

// on returns the configuration with the protocol's loops.
func (p protocol) on(config outlet.Config) outlet.Config {
	config.Loops = p.loops
	return config
}

// overProtocols runs a test over every way in which connections come, at once.
func overProtocols(t *testing.T, test func(*testing.T, protocol)) {
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) { t.Parallel(); test(t, p) })
	}
}

// overSockets runs a test over both writers, where it can see on the wire what they write.
func overSockets(t *testing.T, test func(*testing.T, protocol)) {
	for _, p := range []protocol{protocols[0], protocols[3]} {
		t.Run(p.name, func(t *testing.T) { test(t, p) })
	}
}

// serve starts a server around sockets.Listen. It ends with the test, which must have ended its connections by then.
func (b *fixture) serve(t testing.TB, p protocol) *httptest.Server { return serve(t, p, b) }

func serve(t testing.TB, p protocol, handler http.Handler) *httptest.Server {
	t.Helper()
	places := sockets.NewPlaces(sockets.Limits{})
	server := httptest.NewUnstartedServer(places.Handler(handler))
	server.Listener = sockets.Listen(server.Listener, places)
	server.Config.ConnContext = sockets.ConnContext
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.EnableHTTP2 = p.http2
	if p.tls {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(func() {
		server.Close()
		bridgetest.Eventually(t, "no socket is counted", func() bool { return places.Stats().Held == 0 })
	})
	return server
}

// client is a reader as a browser is one.
type client struct {
	*bridgetest.Stream
	response *http.Response
}

// get asks for a path, behind an event if there is one, and reads the head of the answer. The test's end closes it, or a minute.
func get(t testing.TB, server *httptest.Server, path, lastID string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if lastID != "" {
		request.Header.Set("Last-Event-ID", lastID)
	}
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		response.Body.Close()
	})
	return response
}

// connect opens a connection and reads its first event. The test's end closes it.
func connect(t testing.TB, server *httptest.Server, lastID string) (*client, bridgetest.Event) {
	t.Helper()
	response := get(t, server, "", lastID)
	c := &client{bridgetest.NewStream(response.Body), response}
	return c, c.next(t)
}

func (c *client) next(t testing.TB) bridgetest.Event {
	t.Helper()
	event, err := c.Next()
	if err != nil {
		t.Fatal("the next event:", err)
	}
	return event
}

// end expects the end of the stream: one that is broken, behind a whole frame.
func (c *client) end(t testing.TB) {
	t.Helper()
	if event, err := c.Next(); !errors.Is(err, bridgetest.ErrBroken) {
		t.Fatalf("%+v, %v instead of the end", event, err)
	}
}

// rawClient is a client of which the test decides how its socket reads.
type rawClient struct {
	*bridgetest.Stream
	conn *net.TCPConn
}

// send opens a connection, and sends a request of HTTP/1.0: there are no chunks, so what is read of the socket is what was
// written. The test's end closes it.
func send(t testing.TB, server *httptest.Server, dialer net.Dialer) *net.TCPConn {
	t.Helper()
	return ask(t, server, dialer, "1.0")
}

// ask is send for a version of HTTP.
func ask(t testing.TB, server *httptest.Server, dialer net.Dialer, version string) *net.TCPConn {
	t.Helper()
	return say(t, server, dialer, "GET / HTTP/"+version+"\r\nHost: localhost\r\n\r\n")
}

// say is send for any text.
func say(t testing.TB, server *httptest.Server, dialer net.Dialer, text string) *net.TCPConn {
	t.Helper()
	conn, err := dialer.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_, err = io.WriteString(conn, text)
	if err := errors.Join(err, conn.SetDeadline(time.Now().Add(time.Minute))); err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// dial is send with a small window, and reads the head and the first event.
func dial(t testing.TB, server *httptest.Server) *rawClient {
	t.Helper()
	c := &rawClient{conn: send(t, server, smallWindow)}
	// The reader takes no more from the socket than 16 bytes ahead of what is asked of it.
	response, err := http.ReadResponse(bufio.NewReaderSize(c.conn, 16), nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Stream = bridgetest.NewStream(response.Body)
	if event, err := c.Next(); err != nil || event.Type != bridge.EventOpen {
		t.Fatalf("%+v, %v", event, err)
	}
	return c
}

// reset ends a connection as a crash does, rather than with a FIN.
func reset(t testing.TB, conn *net.TCPConn) {
	t.Helper()
	if err := errors.Join(conn.SetLinger(0), conn.Close()); err != nil {
		t.Fatal(err)
	}
}

// ended waits until all connections have ended, and compares for what reasons.
func (b *fixture) ended(t testing.TB, want map[string]uint64) {
	t.Helper()
	bridgetest.Eventually(t, "every connection ended", func() bool { return b.outlet.Stats().Open == 0 })
	stats := b.outlet.Stats()
	total := uint64(0)
	for reason, n := range stats.Ended {
		total += n
		if n != want[reason] {
			t.Errorf("%d connections ended by reason %s instead of %d", n, reason, want[reason])
		}
	}
	if stats.Opened != total {
		t.Errorf("%d connections opened, %d ended", stats.Opened, total)
	}
	bridgetest.Eventually(t, "no reader and no feed is left", func() bool {
		return b.hub.Stats().Readers == 0 && b.hub.Stats().Feeds == 0 && b.Feeds() == 0
	})
}
