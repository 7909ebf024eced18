package live_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/live"
	"github.com/tailwater/tailwater/embed"
	"github.com/tailwater/tailwater/web"
)

// Messages that any NATS client publishes on chat.room1 reach every new EventSource("/events/chat.room1").
func ExampleOpen() {
	nc, err := nats.Connect(natsURL)
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	chat := []bridge.Subject{"chat.>"}
	events, err := live.Open(nc, live.Options{Anyone: bridge.Grant{Subscribe: chat, Publish: chat}})
	if err != nil {
		log.Fatal(err)
	}
	server := httptest.NewServer(events) // or: log.Fatal(http.ListenAndServe("127.0.0.1:8080", events))
	defer server.Close()
	defer events.Close() // before the server

	read(server.URL+"/events/chat.room1", func() { nc.Publish("chat.room1", []byte("hello")) })
	// Output:
	// tailwater:open {"subjects":["chat.room1"],"heartbeat":15}
	// message hello
}

// The program itself identifies callers, here by its own cookie. Each caller has an inbox that only this caller can read.
func ExampleOptions_caller() {
	sessions := map[string]string{"7f3a": "alice"}
	inbox, err := bridge.ParseRoute("/inbox=user.{claim.sub}.inbox")
	if err != nil {
		log.Fatal(err)
	}
	events := open(live.Options{
		Routes: []bridge.Route{inbox},
		Caller: func(r *http.Request) (bridge.Caller, error) {
			cookie, err := r.Cookie("session")
			if err != nil {
				return bridge.Caller{}, nil // anonymous
			}
			name, known := sessions[cookie.Value]
			if !known {
				return bridge.Caller{}, fmt.Errorf("%w: the session is over", bridge.ErrToken)
			}
			return bridge.Caller{Name: name, Claims: map[string]string{"sub": name}, Until: time.Now().Add(time.Hour)}, nil
		},
	})
	server := httptest.NewServer(events)
	defer server.Close()
	defer events.Close()

	for _, session := range []string{"", "session=7f3a", "session=other"} {
		request, _ := http.NewRequest(http.MethodHead, server.URL+"/inbox", nil)
		request.Header.Set("Cookie", session)
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			log.Fatal(err)
		}
		answer.Body.Close()
		fmt.Println(answer.Status)
	}
	// Output:
	// 401 Unauthorized
	// 200 OK
	// 401 Unauthorized
}

// The bridge serves a path of the program's own mux. It also gets the listener, so event loops write.
func ExampleBridge_Listen() {
	events := open(live.Options{Anyone: bridge.Grant{Subscribe: []bridge.Subject{"chat.>"}}})
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the program's own pages") })
	mux.Handle("/live/", http.StripPrefix("/live", events))

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Handler: mux}
	listener = events.Listen(server, listener)
	go server.Serve(listener)
	defer server.Close()
	defer events.Close()

	read("http://"+listener.Addr().String()+"/live/events/chat.room1", func() {
		events.Publish(context.Background(), "chat.room1", nil, []byte("hello"))
		fmt.Println(events.Stats().Connections.Plain, "connections have a goroutine")
	})
	// Output:
	// tailwater:open {"subjects":["chat.room1"],"heartbeat":15}
	// 0 connections have a goroutine
	// message hello
}

// counted is a middleware's writer. Unwrap lets the bridge flush, and take the connection over.
type counted struct {
	http.ResponseWriter
	writes int
}

func (w *counted) Write(data []byte) (int, error) {
	w.writes++
	return w.ResponseWriter.Write(data)
}

func (w *counted) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// The bridge stands behind the program's middleware, and serves the module /client.js. The server limits what clients send.
func ExampleOptions_pages() {
	events := open(live.Options{Anyone: bridge.Grant{Subscribe: []bridge.Subject{"chat.>"}}, Pages: web.Client})
	server := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { events.ServeHTTP(&counted{ResponseWriter: w}, r) }),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		WriteTimeout:      30 * time.Second, // event streams have their own deadlines
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	listener = events.Listen(server, listener)
	go server.Serve(listener)
	defer server.Close()
	defer events.Close()

	url := "http://" + listener.Addr().String()
	module, err := http.Get(url + "/client.js")
	if err != nil {
		log.Fatal(err)
	}
	module.Body.Close()
	fmt.Println(module.Header.Get("Content-Type"))
	read(url+"/events/chat.room1", func() { events.Publish(context.Background(), "chat.room1", nil, []byte("hello")) })
	// Output:
	// text/javascript; charset=utf-8
	// tailwater:open {"subjects":["chat.room1"],"heartbeat":15}
	// message hello
}

// A NATS server inside the program, with JetStream, stores messages. A client that connects later reads them too.
func ExampleOptions_server() {
	dir, err := os.MkdirTemp("", "tailwater-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	quiet := slog.New(slog.DiscardHandler)
	nats, err := embed.Start(embed.Config{Dir: embed.Setting[string]{Value: dir}}, quiet)
	if err != nil {
		log.Fatal(err)
	}
	defer nats.Stop()
	chat := []bridge.Subject{"chat.>"}
	events, err := live.Open(nil, live.Options{
		Server: nats, History: live.History{Subjects: chat, MaxBytes: 64 << 20}, Anyone: bridge.Grant{Subscribe: chat}, Log: quiet,
	})
	if err != nil {
		log.Fatal(err)
	}
	server := httptest.NewServer(events)
	defer server.Close()
	defer events.Close()

	events.AwaitHistory(context.Background())
	receipt, err := events.Publish(context.Background(), "chat.room1", nil, []byte("kept"))
	fmt.Println(receipt.Stream, err)
	read(server.URL+"/events/chat.room1?since=all", func() {})
	// Output:
	// TAILWATER <nil>
	// tailwater:open {"subjects":["chat.room1"],"heartbeat":15}
	// message kept
}

// The program publishes. So may callers, by POST, within Grant.Publish.
func ExampleBridge_Publish() {
	events := open(live.Options{Anyone: bridge.Grant{Subscribe: []bridge.Subject{"news.>"}, Publish: []bridge.Subject{"news.letters"}}})
	server := httptest.NewServer(events)
	defer server.Close()
	defer events.Close()

	read(server.URL+"/events/news.today", func() {
		header := map[string][]string{bridge.HeaderEvent: {"headline"}}
		if _, err := events.Publish(context.Background(), "news.today", header, []byte("it rains")); err != nil {
			log.Fatal(err)
		}
	})
	answer, err := http.Post(server.URL+"/events/news.letters", "text/plain", strings.NewReader("dear editor"))
	if err != nil {
		log.Fatal(err)
	}
	answer.Body.Close()
	fmt.Println(answer.Status)
	// Output:
	// tailwater:open {"subjects":["news.today"],"heartbeat":15}
	// headline it rains
	// 202 Accepted
}

// open is live.Open for the examples above.
func open(options live.Options) *live.Bridge {
	nc, err := nats.Connect(natsURL)
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	options.Log = slog.New(slog.DiscardHandler)
	events, err := live.Open(nc, options)
	if err != nil {
		log.Fatal(err)
	}
	return events
}

// read prints the first two events of a stream, and calls happen between them.
func read(url string, happen func()) {
	answer, err := http.Get(url)
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	stream := bridgetest.NewStream(answer.Body)
	for i := range 2 {
		event, err := stream.Next()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(event.Type, event.Data)
		if i == 0 {
			happen()
		}
	}
}
