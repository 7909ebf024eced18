package httpapi_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/auth"
	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/httpapi"
	"github.com/tailwater/tailwater/bridge/outlet"
	"github.com/tailwater/tailwater/bridge/sockets"
	"github.com/tailwater/tailwater/bridge/source"
	"github.com/tailwater/tailwater/embed"
)

// A Go program mounts the API in a mux of its own, here with a NATS server inside of the same process. Through
// source.Open it takes nats.Connect as well.
func Example() {
	dir, err := os.MkdirTemp("", "tailwater-example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	log := slog.New(slog.DiscardHandler)
	server, err := embed.Start(embed.Config{Dir: embed.Setting[string]{Value: dir}}, log)
	if err != nil {
		panic(err)
	}
	defer server.Stop()
	nats, err := source.Open(server.Dial, source.Config{}, log)
	if err != nil {
		panic(err)
	}
	defer nats.Close()
	hub := bridge.NewHub(nats, 30*time.Second, bridge.DefaultMemory)
	defer hub.Close()

	chat := []bridge.Subject{"chat.>"}
	events := outlet.New(outlet.Config{
		Heartbeat: 15 * time.Second, CloseDelay: time.Second, WriteTimeout: 20 * time.Second, Age: time.Hour, Retry: 2 * time.Second, Loops: 1, Log: log,
	})
	defer events.Close()

	// Who has a token may do more. Connections are looked at again when others are revoked.
	const secret = "shared with whoever signs callers in"
	known := make(chan struct{}, 1)
	tokens, err := auth.Open(auth.Config{Secret: secret, Log: log}, hub, func() {
		events.Recheck()
		select {
		case known <- struct{}{}:
		default:
		}
	})
	if err != nil {
		panic(err)
	}
	defer tokens.Close()
	<-known                                                          // until then, who has a token is asked to come back
	places := sockets.NewPlaces(sockets.Limits{All: 1000, Log: log}) // for sockets, and for what is asked on them
	api := httpapi.New(httpapi.Config{
		Hub:       hub,
		Outlet:    events,
		Publisher: nats,
		Store:     nats,
		Places:    places,
		Anyone:    bridge.Grant{Subscribe: chat, Publish: chat},
		Auth:      tokens,
		Access:    httpapi.Access{LoopbackHosts: true},
		Limits:    httpapi.Limits{Body: 256 << 10, Memory: 64 << 20, Subjects: 32},
		Log:       log,
	})
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the program's own pages") })
	mux.Handle("/live/", http.StripPrefix("/live", api))

	web := httptest.NewUnstartedServer(places.Handler(mux))
	web.Listener = sockets.Listen(web.Listener, places) // so that clients which take nothing are noticed
	web.Config.ConnContext = sockets.ConnContext        // so that the loop can take connections over
	web.Start()
	defer web.Close()

	// In a browser: new EventSource("/live/events/chat.room1")
	response, err := http.Get(web.URL + "/live/events/chat.room1")
	if err != nil {
		panic(err)
	}
	defer response.Body.Close()
	stream := bridgetest.NewStream(response.Body)
	show(stream)

	// In a browser: fetch("/live/events/chat.room1", {method: "POST", body: "hello"})
	posted, err := http.Post(web.URL+"/live/events/chat.room1", "text/plain", strings.NewReader("hello"))
	if err != nil {
		panic(err)
	}
	defer posted.Body.Close()
	fmt.Println(posted.Status)
	show(stream)

	// The token would come from the program's own sign-in. EventSource sends it in a cookie or as a ticket.
	token, err := auth.Sign(secret, auth.Claims{
		Subject: "alice", Expires: time.Now().Add(time.Hour), NATS: auth.Permissions{Sub: auth.Filters{Allow: []string{"news.>"}}},
	})
	if err != nil {
		panic(err)
	}
	for _, header := range []string{"", "Bearer " + token} {
		request, err := http.NewRequest(http.MethodHead, web.URL+"/live/events/news.today", nil)
		if err != nil {
			panic(err)
		}
		request.Header.Set("Authorization", header)
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			panic(err)
		}
		answer.Body.Close()
		fmt.Println(answer.Status)
	}

	// Output:
	// tailwater:open {"subjects":["chat.room1"],"heartbeat":15}
	// 202 Accepted
	// message hello
	// 403 Forbidden
	// 200 OK
}

func show(events *bridgetest.Stream) {
	event, err := events.Next()
	if err != nil {
		panic(err)
	}
	fmt.Println(event.Type, event.Data)
}
