package httpapi_test

// What the tests of this package stand on: an API over a source and a publisher that they steer, behind a real socket.

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/httpapi"
	"github.com/tailwater/tailwater/bridge/outlet"
	"github.com/tailwater/tailwater/bridge/sockets"
)

// secrets overhears all that these tests let the API say.
var secrets bridgetest.Secrets

// plantedQuery is in the query of every request.
const plantedQuery = "QUERY-41f7a6c3"

type fixture struct {
	*bridgetest.Source
	publisher *publisher
	store     *store
	hub       *bridge.Hub
	outlet    *outlet.Outlet
	places    *sockets.Places
	api       *httpapi.API
	server    *httptest.Server
	log       *bridgetest.Output // above the level debug, of the server too
}

const (
	ownOrigin = "https://chat.example.com"
	bodyLimit = 256 << 10
)

// config is what the API of most tests allows.
func config() httpapi.Config {
	return httpapi.Config{
		Anyone: bridge.Grant{Subscribe: subjects("chat.>", "time.>"), Publish: subjects("chat.>")},
		Access: httpapi.Access{LoopbackHosts: true, LoopbackOrigins: true, Origins: []string{ownOrigin}},
		Limits: httpapi.Limits{Body: bodyLimit, Memory: 128 << 20, Subjects: 8},
	}
}

func subjects(all ...string) []bridge.Subject {
	var parsed []bridge.Subject
	for _, s := range all {
		subject, err := bridge.ParseSubject(s)
		if err != nil {
			panic(err)
		}
		parsed = append(parsed, subject)
	}
	return parsed
}

func routes(t testing.TB, all ...string) []bridge.Route {
	t.Helper()
	var parsed []bridge.Route
	for _, text := range all {
		route, err := bridge.ParseRoute(text)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, route)
	}
	return parsed
}

// newFixture makes an API without a server and without event loops, which wait for sockets: so it can be in a bubble. The
// fields that a configuration leaves open are filled in.
func newFixture(t testing.TB, config httpapi.Config) *fixture {
	t.Helper()
	return newFixtureWith(t, config, 0)
}

func newFixtureWith(t testing.TB, config httpapi.Config, loops int) *fixture {
	t.Helper()
	b := &fixture{
		Source:    bridgetest.NewSource(),
		publisher: &publisher{},
		store:     &store{},
		log:       &bridgetest.Output{},
	}
	logger := slog.New(secrets.Log(slog.NewTextHandler(b.log, nil)))
	b.hub = bridge.NewHub(b.Source, time.Minute, bridge.DefaultMemory)
	t.Cleanup(b.hub.Close)
	b.outlet = outlet.New(outlet.Config{Heartbeat: time.Hour, CloseDelay: time.Millisecond, WriteTimeout: time.Minute, Age: time.Hour, Retry: 2 * time.Second, Loops: loops, Log: logger})
	t.Cleanup(b.outlet.Close)
	if b.places, _ = config.Places.(*sockets.Places); b.places == nil {
		b.places = sockets.NewPlaces(sockets.Limits{All: 100})
		config.Places = b.places
	}
	config.Hub, config.Outlet, config.Publisher, config.Store, config.Log = b.hub, b.outlet, b.publisher, b.store, logger
	b.api = httpapi.New(config)
	t.Cleanup(func() { secrets.Overhear(fmt.Sprintf("%+v %+v %+v", b.api.Stats(), b.outlet.Stats(), b.hub.Stats())) })
	return b
}

// start is newFixture behind a server, with an event loop.
func start(t *testing.T, config httpapi.Config) *fixture {
	t.Helper()
	return startWith(t, config, 1)
}

func startWith(t *testing.T, config httpapi.Config, loops int) *fixture {
	t.Helper()
	b := newFixtureWith(t, config, loops)
	b.server = httptest.NewUnstartedServer(b.places.Handler(b.api))
	b.server.Listener = sockets.Listen(b.server.Listener, b.places)
	b.server.Config.ConnContext = sockets.ConnContext
	b.server.Config.ErrorLog = slog.NewLogLogger(secrets.Log(slog.NewTextHandler(b.log, nil)), slog.LevelError)
	b.server.Start()
	t.Cleanup(b.server.Close)
	return b
}

// deliver publishes a message.
func (b *fixture) deliver(subject bridge.Subject, data string) { b.Publish(subject, []byte(data)) }

// answer is a response that has been read.
type answer struct {
	status int
	header http.Header
	body   string
	broken bool // without the end that HTTP has for it
}

// do sends a request; headers are names and values in turn. The answer must come to an end.
func (b *fixture) do(t *testing.T, method, target string, body io.Reader, headers ...string) answer {
	t.Helper()
	response := b.send(t, method, target, body, headers...)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	isStream := method == http.MethodGet && response.StatusCode == http.StatusOK && response.ContentLength < 0 && !strings.Contains(target, "poll=1")
	if isBroken := errors.Is(err, io.ErrUnexpectedEOF); isBroken != isStream || err != nil && !isBroken {
		t.Fatalf("%s %s: %s ends with %v", method, target, response.Status, err)
	}
	return overheard(target, answer{status: response.StatusCode, header: response.Header, body: string(text), broken: isStream})
}

// overheard looks for secrets in an answer, unless it is the one by which a session is given.
func overheard(target string, a answer) answer {
	if !strings.HasPrefix(target, "/session") || a.status != http.StatusOK {
		secrets.Overhear(fmt.Sprintf("%+v", a))
	}
	return a
}

// send sends a request and gives the answer as soon as its head is there. No redirect is followed.
func (b *fixture) send(t *testing.T, method, target string, body io.Reader, headers ...string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, method, b.server.URL+target, body)
	if err == nil {
		r.URL.RawQuery = strings.TrimPrefix(r.URL.RawQuery+"&planted="+plantedQuery, "&")
	}
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	response, err := b.server.Client().Transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

// raw sends bytes as they are, closes its direction if asked to, and reads the answer to a method.
func (b *fixture) raw(t *testing.T, method, request string, closeWrite bool) answer {
	t.Helper()
	conn, err := net.Dial("tcp", b.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	if closeWrite {
		_ = conn.(*net.TCPConn).CloseWrite()
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%q: %v", request, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%q: %v", request, err)
	}
	return overheard("", answer{status: response.StatusCode, header: response.Header, body: string(text)})
}

// connection is an event stream that is being read.
type connection struct {
	*bridgetest.Stream
	response *http.Response
}

// get opens a connection. The test's end closes it.
func (b *fixture) get(t *testing.T, target string, headers ...string) *connection {
	t.Helper()
	response := b.send(t, http.MethodGet, target, nil, headers...)
	t.Cleanup(func() { response.Body.Close() })
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		t.Fatalf("GET %s: %s: %s", target, response.Status, text)
	}
	return &connection{bridgetest.NewStream(response.Body), response}
}

// next compares the next event's type and data, and gives its id.
func (c *connection) next(t *testing.T, eventType, data string) (id string) {
	t.Helper()
	event, err := c.Next()
	if err != nil {
		t.Fatal(err)
	}
	if event.Type != eventType || event.Data != data {
		t.Fatalf("%+v instead of %s %q", event, eventType, data)
	}
	return event.ID
}

// problem is what an error is answered with.
type problem struct {
	Type, Title, Detail string
	Status              int
}

// problem checks that the answer is a whole problem of a status and a type.
func (a answer) problem(t *testing.T, status int, slug string) problem {
	t.Helper()
	var p problem
	decoder := json.NewDecoder(strings.NewReader(a.body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil {
		t.Fatalf("%d: %q is no problem: %v", a.status, a.body, err)
	}
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type: %s", got)
	}
	if got := a.header.Get("X-Content-Type-Options"); got != "nosniff" {
		t.Errorf("X-Content-Type-Options: %s", got)
	}
	if got := a.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control: %s", got)
	}
	if a.status != status || p.Status != a.status || !strings.HasSuffix(p.Type, "#"+slug) || p.Title == "" || p.Detail == "" {
		t.Errorf("%d %+v instead of %d %s", a.status, p, status, slug)
	}
	if strings.Contains(a.body, `\u00`) {
		t.Errorf("%s cannot be read", a.body)
	}
	return p
}

// quiet checks that nothing was logged that an operator would see.
func (b *fixture) quiet(t *testing.T) {
	t.Helper()
	if text := b.log.String(); text != "" {
		t.Errorf("the log: %s", text)
	}
}
