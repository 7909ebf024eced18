package live_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/live"
)

// patience bounds every wait. It decides only how long a failure takes.
const patience = 10 * time.Second

// start serves a bridge until the test ends.
func start(t *testing.T, nc *nats.Conn, options live.Options) (*live.Bridge, *httptest.Server) {
	t.Helper()
	options.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	b, err := live.Open(nc, options)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(b)
	t.Cleanup(func() {
		b.Close()
		server.Close()
	})
	return b, server
}

func connect(t *testing.T, options ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(natsURL, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// The program's connection stays the program's: its callbacks hear nothing about the bridge's connections, its options are unchanged, and
// it is still open when the bridge is closed.
func TestConnectionOfTheProgramStaysItsOwn(t *testing.T) {
	heard := make(chan string, 10)
	nc := connect(t, nats.NoEcho(), nats.NoReconnect(), nats.Name("mine"),
		nats.ConnectHandler(func(*nats.Conn) { heard <- "connected" }),
		nats.ClosedHandler(func(*nats.Conn) { heard <- "closed" }),
		nats.DisconnectErrHandler(func(*nats.Conn, error) { heard <- "disconnected" }))
	<-heard
	chat := []bridge.Subject{"chat.>"}
	b, server := start(t, nc, live.Options{Anyone: bridge.Grant{Subscribe: chat, Publish: chat}})
	stream, _ := follow(t, server.URL+"/events/chat.mine")
	if answer := post(t, server.URL+"/events/chat.mine", "echo"); answer != http.StatusAccepted {
		t.Errorf("POST answers %d", answer)
	}
	if event, err := stream.Next(); err != nil || event.Data != "echo" {
		t.Errorf("got %+v, %v", event, err)
	}
	b.Close()
	if !nc.IsConnected() || nc.Opts.Name != "mine" || !nc.Opts.NoEcho {
		t.Error("the program's connection was changed")
	}
	select {
	case what := <-heard:
		t.Errorf("the program heard that it was %s", what)
	default:
	}
}

// Close ends every connection with an event, and may be called again. TestMain finds goroutines that are left.
func TestCloseTellsEveryConnection(t *testing.T) {
	b, server := start(t, connect(t), live.Options{Anyone: bridge.Grant{Subscribe: []bridge.Subject{"chat.>"}}})
	stream, _ := follow(t, server.URL+"/events/chat.a")
	b.Close()
	if event, err := stream.Next(); err != nil || event.Type != "tailwater:close" {
		t.Errorf("got %+v, %v", event, err)
	}
	select {
	case <-b.Done():
	default:
		t.Error("Done is open")
	}
	b.Close()
	if late, err := http.Get(server.URL + "/events/chat.a"); err != nil || late.StatusCode != http.StatusOK {
		t.Errorf("a late client gets %v, %v", late, err)
	} else {
		late.Body.Close()
	}
}

// Nobody may do anything unless the program allows it.
func TestZeroOptionsAllowNothing(t *testing.T) {
	_, server := start(t, connect(t), live.Options{})
	for _, method := range []string{http.MethodHead, http.MethodPost} {
		request, err := http.NewRequest(method, server.URL+"/events/chat.a", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusForbidden {
			t.Errorf("%s answers %s", method, answer.Status)
		}
	}
}

// Options that cannot work are refused, and nothing keeps running.
func TestOptionsThatCannotWork(t *testing.T) {
	same, _ := bridge.ParseRoute("/a/{x}=a.{x}")
	other, _ := bridge.ParseRoute("/a/{y}=b.{y}")
	never := func(...nats.Option) (*nats.Conn, error) { return nil, errors.New("never") }
	for name, test := range map[string]struct {
		nc      *nats.Conn
		options live.Options
		says    string
	}{
		"no connection to NATS": {nil, live.Options{}, "no connection to NATS"},
		"two connections":       {connect(t), live.Options{Dial: never}, "more than one connection"},
		"two sign-ins": {nil, live.Options{
			Dial: never, Tokens: &live.Tokens{}, Caller: func(*http.Request) (bridge.Caller, error) { return bridge.Caller{}, nil },
		}, "Options.Tokens"},
		"two routes":            {nil, live.Options{Dial: never, Routes: []bridge.Route{same, other}}, "Options.Routes"},
		"the dialer says no":    {nil, live.Options{Dial: never}, "never"},
		"a secret is too short": {connect(t), live.Options{Tokens: &live.Tokens{Secret: "short"}}, "sign-in"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := live.Open(test.nc, test.options); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

// The program's answer about a caller decides. The text of the program's own errors stays in its log.
func TestCallerOfTheProgram(t *testing.T) {
	inbox, err := bridge.ParseRoute("/inbox=user.{claim.sub}.inbox")
	if err != nil {
		t.Fatal(err)
	}
	_, server := start(t, connect(t), live.Options{
		Anyone: bridge.Grant{Subscribe: []bridge.Subject{"chat.>"}}, Routes: []bridge.Route{inbox},
		Caller: func(r *http.Request) (bridge.Caller, error) {
			switch name := r.Header.Get("X-Name"); name {
			case "":
				return bridge.Caller{}, nil
			case "guest": // has no name, but more permissions than others
				return bridge.Caller{Grant: bridge.Grant{Subscribe: []bridge.Subject{"news"}}}, nil
			case "broken":
				return bridge.Caller{}, errors.New("the database password is swordfish")
			case "banned":
				return bridge.Caller{}, fmt.Errorf("%w: you are banned", bridge.ErrForbidden)
			case "undecided":
				return bridge.Caller{}, fmt.Errorf("%w: the database is away", bridge.ErrNoVerdict)
			default:
				return bridge.Caller{Name: name, Claims: map[string]string{"sub": name}}, nil
			}
		},
	})
	for _, test := range []struct {
		name, path string
		status     int
		says       string
	}{
		{"", "/events/chat.a", 200, "tailwater:open"},
		{"", "/events/news", 403, "permission"},
		{"guest", "/events/news", 200, "tailwater:open"},
		{"guest", "/inbox", 401, ""},
		{"alice", "/inbox", 200, "user.alice.inbox"},
		{"alice", "/events/news", 403, ""},
		{"broken", "/events/chat.a", 401, "sign in"},
		{"banned", "/events/chat.a", 403, "you are banned"},
		{"undecided", "/events/chat.a", 200, "tailwater:close"},
	} {
		t.Run(test.name+test.path, func(t *testing.T) {
			request, err := http.NewRequest(http.MethodGet, server.URL+test.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("X-Name", test.name)
			answer, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			text := make([]byte, 4<<10)
			n, _ := io.ReadAtLeast(answer.Body, text, 100)
			if answer.StatusCode != test.status || !strings.Contains(string(text[:n]), test.says) || strings.Contains(string(text[:n]), "swordfish") {
				t.Errorf("%s %s", answer.Status, text[:n])
			}
		})
	}
}

// The bridge itself chooses the writer: an event loop if it has the listener, otherwise a goroutine.
func TestWriterIsChosen(t *testing.T) {
	b, server := start(t, connect(t), live.Options{Anyone: bridge.Grant{Subscribe: []bridge.Subject{"chat.>"}}})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	own := &http.Server{Handler: b}
	served := make(chan error)
	listener = b.Listen(own, listener)
	go func() { served <- own.Serve(listener) }()
	t.Cleanup(func() {
		b.Close()
		own.Close()
		<-served
	})
	follow(t, server.URL+"/events/chat.a")
	if stats := b.Stats().Connections; stats.Open != 1 || stats.Plain != 1 {
		t.Errorf("without the listener: %+v", stats)
	}
	follow(t, "http://"+listener.Addr().String()+"/events/chat.a")
	if stats := b.Stats().Connections; stats.Open != 2 || runtime.GOOS == "linux" && stats.Plain != 1 {
		t.Errorf("with it: %+v", stats)
	}
}

// A program whose middleware hides net/http's writer is told so in its log, and no client mistakes that for the loss of a connection. Middleware
// with the method Unwrap hides nothing.
func TestMiddlewareThatHidesTheWriter(t *testing.T) {
	var log bridgetest.Output
	ask, err := bridge.ParseRoute("ASK /ask=chat.ask")
	if err != nil {
		t.Fatal(err)
	}
	b, err := live.Open(connect(t), live.Options{
		Anyone: bridge.Grant{Subscribe: []bridge.Subject{"chat.>"}, Publish: []bridge.Subject{"chat.>"}}, Routes: []bridge.Route{ask},
		Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/hidden/", func(w http.ResponseWriter, r *http.Request) {
		http.StripPrefix("/hidden", b).ServeHTTP(struct{ http.ResponseWriter }{w}, r)
	})
	mux.HandleFunc("/wrapped/", func(w http.ResponseWriter, r *http.Request) {
		http.StripPrefix("/wrapped", b).ServeHTTP(wrapper{w}, r)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		b.Close()
		server.Close()
	})
	follow(t, server.URL+"/wrapped/events/chat.a")
	for method, path := range map[string]string{http.MethodGet: "/hidden/events/chat.a", http.MethodPost: "/hidden/ask"} {
		request := httptest.NewRequest(method, path, http.NoBody)
		request.Header.Set("Accept", "text/event-stream")
		request.Host = server.Listener.Addr().String()
		answer := httptest.NewRecorder()
		mux.ServeHTTP(answer, request)
		if answer.Code != http.StatusInternalServerError {
			t.Errorf("%s %s: answered %d", method, path, answer.Code)
		}
	}
	if !strings.Contains(log.String(), "Unwrap") {
		t.Errorf("logged:\n%s", log.String())
	}
	if status := post(t, server.URL+"/hidden/events/chat.a", "hello"); status != http.StatusAccepted {
		t.Errorf("a POST is answered %d", status)
	}
}

// wrapper is a writer of middleware.
type wrapper struct{ http.ResponseWriter }

func (w wrapper) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// follow opens an event stream until the test ends, and reads its first event.
func follow(t *testing.T, url string) (*bridgetest.Stream, bridgetest.Event) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	stream := bridgetest.NewStream(answer.Body)
	first, err := stream.Next()
	if err != nil {
		t.Fatal(err)
	}
	return stream, first
}

func post(t *testing.T, url, body string) int {
	t.Helper()
	answer, err := http.Post(url, "text/plain", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

// The shares of the memory add up to at most its total.
func TestMemoryIsDivided(t *testing.T) {
	for _, memory := range []int64{8 << 20, 256 << 20, 1 << 40} {
		b, _ := start(t, connect(t), live.Options{Limits: live.Limits{Memory: memory}})
		shares := b.Stats().Memory
		if sum := shares["frames"].Limit + shares["pages"].Limit + shares["bodies"].Limit; sum > memory || sum < memory-8 || shares["intake"].Limit > memory/4 {
			t.Errorf("%d is divided into %+v", memory, shares)
		}
	}
}
